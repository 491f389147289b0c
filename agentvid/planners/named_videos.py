"""Videos that a question names by a word of their file name: "in the lecture", "the harbour clip", "in big buck bunny".

A word counts that stands in the name of just one video in scope, and only where the question says that it means a
video: before a noun for one, or as such a noun. Anything else is what the question is about, even if a file is called
so: with pasta.mp4 in scope, "when is the pasta drained" asks about pasta. Deterministic; no word of a video is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath

from agentvid.planners import slots
from agentvid.text import clean_text
from agentvid.types import Video
from agentvid.words import FUNCTION_WORDS, stem

#: These say nothing of which one is meant, even if a file is called so.
_ANY = "video clip file recording footage"
_NOUN = rf"""(?:{"|".join(_ANY.split())}|film|movie|episode|lecture|talk|screencast|tutorial|documentary|interview
|meeting|webinar|presentation|podcast|vlog|trailer|webcast|sermon|seminar|lesson|advert|commercial|broadcast|keynote)"""
_DETERMINER = r"(?:the|this|that|my|our)"
_NOT_A_NAME = rf"(?!(?:{_DETERMINER}|a|an|of|in|from|and|or|than|with|to|is|are|was|were|does|do|did)\b)"
_MENTION = re.compile(
    rf"\b(?P<determiner>{_DETERMINER}\s+)?(?P<words>(?:{_NOT_A_NAME}[\w'’&-]+\s+){{0,5}}?)(?P<noun>{_NOUN})\b(?!-)",
    re.IGNORECASE | re.VERBOSE,
)
#: A name alone: at the end after "in", or before a colon.
_TITLE = re.compile(
    r"(?:\b(?:in|from|throughout)\s+(?P<last>[^,:?!]+)[?!.\s]*$)|^(?P<first>[^,:?!]+):\s+(?=\w)", re.IGNORECASE
)
#: A file name, or one without its ending: no word that is written so is anything else.
_FILE = re.compile(r"(?<![\w.-])[\w-]+(?:[._][\w-]+)+")
#: What compares it with others, or leaves it out, needs those too.
_WITH_OTHERS = re.compile(r"\b(?:only|than|other|besides|except|which|every|all|both|each)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+|\d+")
#: "The lecture hall" is no lecture; after a noun that stands alone comes one of these, a function word or nothing.
_VERBS = frozenset(
    """say says mention mentions talk talks explain explains show shows start starts begin begins end ends take takes
    last lasts contain contains discuss discusses cover covers tell tells describe describes longer shorter""".split()
)
_IS_IT = re.compile(rf"\s*(?:is|was)\s+the\s+{_NOUN}\s+[\w'’-]+[?!.\s]*", re.IGNORECASE | re.VERBOSE)
_MOST_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class NamedVideos:
    """`question` with the names written out, or "the video" for the only one; `videos`: ids of those; `said`: so."""

    question: str
    videos: tuple[str, ...]
    said: str


@dataclass(frozen=True, slots=True)
class _Mention:
    start: int
    end: int
    words: str
    video: Video
    lead: str = ""
    after: str = ""


def name_videos(question: str, videos: Sequence[Video]) -> NamedVideos | None:
    """None if the question names no video by a part of its name, or by its whole name, or has its choices in it."""
    if len(videos) < 2 or len(question) > _MOST_CHARACTERS or slots.split_choices(question)[1]:
        return None
    if not any(pattern.search(question) for pattern in (_MENTION, _TITLE, _FILE)):
        return None
    if slots.take_video(slots.plain_question(question), videos)[1]:
        return None
    found = _mentions(question, videos)
    named = {mention.video.id: mention for mention in found}
    if not named:
        return None
    for mention in reversed(found):
        put = "the video" if len(named) == 1 else _name(mention.video)
        question = f"{question[: mention.start]}{mention.lead}{put}{mention.after}{question[mention.end :]}"
    told = ", ".join(f"“{mention.words}” = {_name(mention.video)}" for mention in named.values())
    return NamedVideos(question, tuple(named), told)


def _mentions(question: str, videos: Sequence[Video]) -> list[_Mention]:
    quoted = [
        match.span() for phrase in slots.quoted_phrases(question) for match in re.finditer(re.escape(phrase), question)
    ]
    names = {video.id: (video, _name_stems(video)) for video in videos}
    found = [_by_noun(match, names) for match in _MENTION.finditer(question)]
    if not any(found) and (match := _TITLE.search(question)):
        found = [_by_title(match, names)]
    if not any(found) and not _WITH_OTHERS.search(question):
        found = _by_file(question, videos)
    return [
        one
        for one in found
        if one is not None and not any(start <= one.start and one.end <= end for start, end in quoted)
    ]


def _by_noun(match: re.Match[str], names: Mapping[str, tuple[Video, tuple[str, ...]]]) -> _Mention | None:
    """ "the harbour clip": every word before the noun; "harbour clip": as many as name one; "the lecture": the noun."""
    before = match["words"].split()
    if not before:
        following = re.match(r"\s+([\w'’-]+)", match.string[match.end() :])
        is_alone = (
            bool(_IS_IT.fullmatch(match.string)) or not following or following[1].lower() in FUNCTION_WORDS | _VERBS
        )
        is_telling = match["determiner"] and is_alone and match["noun"].lower() not in _ANY.split()
        video = _only(match["noun"], names) if is_telling else None
        return _Mention(match.start(), match.end(), match["noun"], video) if video else None
    for first in range(1 if match["determiner"] else len(before)):
        words = " ".join(before[first:])
        if video := _only(words, names):
            start = match.start() if match["determiner"] else match.start("words") + match["words"].index(before[first])
            return _Mention(start, match.end(), words, video)
    return None


def _by_title(match: re.Match[str], names: Mapping[str, tuple[Video, tuple[str, ...]]]) -> _Mention | None:
    """Two or more words that follow each other in one name."""
    group = "last" if match["last"] else "first"
    words = match[group].strip()
    wanted = _stems(words)
    if sum(word.casefold() not in FUNCTION_WORDS for word in _WORD.findall(words)) < 2:
        return None
    runs = [
        video
        for video, stems in names.values()
        if any(stems[at : at + len(wanted)] == wanted for at in range(len(stems) - len(wanted) + 1))
    ]
    if len(runs) != 1:
        return None
    if group == "first":
        return _Mention(0, match.end(), words, runs[0], lead="in ", after=", ")
    return _Mention(match.start(group), match.start(group) + len(words), words, runs[0])


def _by_file(question: str, videos: Sequence[Video]) -> list[_Mention | None]:
    """Every place where a question writes the file name of one video; of two, forms that compare them know more."""
    found = [(match, slots.find_video(match.group(), videos)) for match in _FILE.finditer(question)]
    named = [_Mention(match.start(), match.end(), match.group(), video) for match, video in found if video]
    return [*named] if len({mention.video.id for mention in named}) == 1 else []


def _only(words: str, names: Mapping[str, tuple[Video, tuple[str, ...]]]) -> Video | None:
    """The one video whose name holds all of `words`."""
    wanted = {stem(word) for word in _WORD.findall(words.casefold()) if word not in FUNCTION_WORDS}
    if not wanted:
        return None
    holders = list(islice((video for video, stems in names.values() if wanted <= set(stems)), 2))
    return holders[0] if len(holders) == 1 else None


def _name_stems(video: Video) -> tuple[str, ...]:
    return _stems(PurePath(video.name).stem)


def _stems(text: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in _WORD.findall(text.casefold()))


def _name(video: Video) -> str:
    return clean_text(PurePath(video.name).name, limit=120)
