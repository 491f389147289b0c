"""The levels above the clip: chapters of a video and the whole, each with a digest of bounded size.

A digest is made of passages word by word: it can be cited, and holds no word that search does not know already.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from agentvid.chapters import chapter_ends
from agentvid.models.base import Vectors
from agentvid.salience import most_telling
from agentvid.text import clean_text
from agentvid.types import FACT, Clip, Level, Observation, Passage, Section, Span
from agentvid.words import FUNCTION_WORDS, MEDIA_WORDS, content_words, stem, words

_CHAPTER_ROWS, _CHAPTER_CHARACTERS = 3, 400
#: The whole video is told in at most so many rows, spread over its chapters.
_VIDEO_ROWS, _VIDEO_CHARACTERS = 8, 1_200
#: "Yes." and "Right, okay." tell nothing.
_TELLING_WORDS = 4
_TITLE_WORDS, _TITLE_CHARACTERS = 4, 80
_BETWEEN = " … "


def make_sections(
    clips: Sequence[Clip],
    passages: Sequence[Passage],
    observations: Sequence[Observation],
    vectors: Vectors | None = None,
) -> tuple[Section, ...]:
    """The chapters in order, without gap, then the whole video; nothing where nothing was read.

    `vectors`: (len(passages), dimension), or None without an embedder. `observation_ids` of what comes back are, as
    those of `passages`, positions in `observations`. Depends on nothing but the arguments.
    """
    told = _told(passages, observations)
    if not told or not clips:
        return ()
    rows = [passages[at] for at in told]
    ends = chapter_ends(clips, rows, None if vectors is None else vectors[told])
    chapters = _by_chapter(clips, rows, ends)
    titles = _titles([[row.text for row in chapter] for chapter in chapters])
    digests = [_telling(chapter, _CHAPTER_ROWS) for chapter in chapters]
    starts = [0, *ends]
    sections = [
        _section(
            "chapter",
            Span(clips[first].span.start_seconds, clips[end - 1].span.end_seconds),
            title,
            digest,
            _CHAPTER_CHARACTERS,
        )
        for first, end, title, digest in zip(starts, ends, titles, digests, strict=False)
    ]
    whole = Span(clips[0].span.start_seconds, clips[-1].span.end_seconds)
    # No title: the video has one of its own.
    return (*sections, _section("video", whole, "", _spread(digests), _VIDEO_CHARACTERS))


def _told(passages: Sequence[Passage], observations: Sequence[Observation]) -> list[int]:
    """Positions of the passages that digests are made of, in order of time: in one language, the one most is said in,
    and measured facts only where there is nothing else."""
    languages = [observations[passage.observation_ids[0]].language for passage in passages]
    common = Counter(language for language in languages if language).most_common(1)
    kept = {"", common[0][0]} if common else {""}
    found = [at for at, language in enumerate(languages) if language in kept]
    found = [at for at in found if passages[at].track != FACT] or found
    return sorted(found, key=lambda at: (passages[at].span, at))


def _by_chapter(clips: Sequence[Clip], rows: Sequence[Passage], ends: Sequence[int]) -> list[list[Passage]]:
    order = {clip.index: position for position, clip in enumerate(clips)}
    chapters: list[list[Passage]] = [[] for _ in ends]
    for row in rows:
        chapters[bisect_right(ends, order[row.clip_index])].append(row)
    return chapters


def _telling(rows: Sequence[Passage], most: int) -> list[Passage]:
    full = [row for row in rows if len(set(content_words(row.text))) >= _TELLING_WORDS] or rows
    return [full[at] for at in most_telling([row.text for row in full], most)]


def _spread(digests: Sequence[Sequence[Passage]]) -> list[Passage]:
    """The most telling rows of equal runs of chapters."""
    runs = np.array_split(np.arange(len(digests)), min(_VIDEO_ROWS, len(digests)))
    each = _VIDEO_ROWS // len(runs)
    return [row for run in runs for row in _telling([row for chapter in run for row in digests[chapter]], each)]


def _section(level: Level, span: Span, title: str, rows: Sequence[Passage], most_characters: int) -> Section:
    each = most_characters // max(1, len(rows))
    return Section(
        level=level,
        span=span,
        title=title,
        text=_BETWEEN.join(clean_text(row.text, limit=each - len(_BETWEEN)) for row in rows),
        observation_ids=tuple(at for row in rows for at in row.observation_ids),
    )


def _titles(chapters: Sequence[Sequence[str]]) -> list[str]:
    """For each chapter the words that are said in it and in few others, as they are mostly written; "" without any."""
    counts: list[Counter[str]] = []
    written: dict[str, Counter[str]] = defaultdict(Counter)
    for texts in chapters:
        counts.append(Counter())
        for word in (word for text in texts for word in words(text)):
            if word not in FUNCTION_WORDS and word not in MEDIA_WORDS and len(word) > 1 and not word.isdigit():
                counts[-1][stem(word)] += 1
                written[stem(word)][word] += 1
    holders = Counter(word for said in counts for word in said)
    titles = []
    for said in counts:
        weight = {word: math.log1p(times) * math.log((len(counts) + 1) / holders[word]) for word, times in said.items()}
        best = sorted(weight, key=lambda word: (-weight[word], word))[:_TITLE_WORDS]
        shown = ", ".join(written[word].most_common(1)[0][0] for word in best)
        titles.append(clean_text(shown, limit=_TITLE_CHARACTERS))
    return titles
