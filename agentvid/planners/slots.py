"""What a question names: times, ordinals, quoted phrases, choices, videos; each read from the user's words.

Everything here is deterministic and looks at the question alone, never at text that came from a video.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from agentvid.text import clean_text, parse_timestamp
from agentvid.types import CAPTION, FACT, OBJECT, OCR, SPEECH, Video
from agentvid.words import FUNCTION_WORDS, words

_POLITE = re.compile(
    r"^(?:(?:hi|hello|hey|ok|okay|so|and|also|then|now|well|please|kindly|just)\b[ ,]*"
    r"|(?:can|could|would|will) you (?:please |kindly )?(?=(?:tell|show|find|give|list|locate|count|summari[sz]e"
    r"|explain|describe|say|check|quote|search)\b)"
    r"|(?:i would like to|i'd like to|i want to|i need to) know (?:if )?"
    r"|do you know |(?:i am|i'm) wondering (?:if )?|i wonder (?:if )?"
    r"|(?:please )?tell (?:me|us) (?=(?:what|when|where|who|which|how|why|whether|if|is|are|does|do|did)\b)"
    r"|(?:in|from|according to) (?:this|the|that) "
    r"(?:video|clip|film|movie|recording|footage|episode|lecture|talk)\b[ ,]*)",
    re.IGNORECASE,
)
_POLITE_END = re.compile(
    r"[\s,]*\b(?:please|thanks|thank you|at any (?:point|time)|at some (?:point|time)"
    r"|in (?:one|two|three|a|a few|\d) (?:short )?(?:sentences?|words|lines?)|in (?:short|brief)|briefly"
    # What is found is always shown with its time.
    r"|(?:and )?if (?:so|yes),? (?:when|where|at what time|at which (?:point|time)))\s*$",
    re.IGNORECASE,
)
_THERE_ANYWHERE = re.compile(r"^((?:is|are|was|were) there .+) anywhere$", re.IGNORECASE)
#: What somebody says of himself beside a question: "I missed that part."
_ASIDE = re.compile(r"(?:i|i'm|i've|i'd|we|we're|sorry|thanks|thank you|hello|hi|my)\b[^.!?]*[.!]+", re.IGNORECASE)
_ASKS = re.compile(
    r"(?:what|when|where|who|which|how|why|is|are|was|were|does|do|did|can|could|has|have|list|show|find|tell)\b",
    re.IGNORECASE,
)
#: What these mean stands in another sentence.
_POINTING = frozenset("he she they him her them his their hers theirs it its this that these those then there".split())
#: "Which of my videos" asks what "which videos" asks.
_OF_MY_VIDEOS = re.compile(
    r"\b(which|how many) (?:ones? )?of (?:the|my|our|your|these|those) "
    r"(videos|clips|films|movies|recordings|episodes|files)\b",
    re.IGNORECASE,
)
#: "From 10 to 20 seconds" names the unit once.
_ONE_UNIT = re.compile(r"\b(between|from) (\d+) (and|to) (\d+) (seconds|minutes)\b", re.IGNORECASE)
#: As people type them.
_UNMARKED = re.compile(r"^(what|where|who|when|how|that)s\b", re.IGNORECASE)
_IN_VIDEO = re.compile(
    r"\s*,?\s*\b(?:in|from|within|during|throughout|according to) (?:this|the|that) "
    r"(?:(?:whole|entire|full|same) )?(?:video|clip|film|movie|recording|footage|episode)\b",
    re.IGNORECASE,
)
_OF_VIDEO = re.compile(
    r"\b((?:first|last|start|beginning|opening|end|middle|half)\b(?: [\w:.]+){0,3}) of (?:this|the|that) "
    r"(?:(?:whole|entire|full|same) )?(?:video|clip|film|movie|recording|footage|episode)$",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"“”«»„]([^\"“”«»„]+)[\"“”«»„]|(?<!\w)['‘]([^'‘’]{2,})['’](?!\w)")
_OPTION = re.compile(r"(?:^|[\s,;])\(?([A-Ha-h1-8])[).:]\s+")

_SMALL = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "ninety": 90, "a": 1, "an": 1, "half a": 0.5,
}  # fmt: skip
_NUMBER = r"(?:\d+(?:\.\d+)?|" + "|".join(sorted(_SMALL, key=len, reverse=True)) + r")"
_UNITS = re.compile(
    rf"(?P<number>{_NUMBER})\s*-?\s*(?P<unit>h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)\b", re.IGNORECASE
)
_UNIT_FIRST = re.compile(rf"(?:the )?(?P<unit>hour|minute|second)\s+(?P<number>{_NUMBER})", re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,3}:\d{2}(?::\d{2})?(?:\.\d+)?")
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}

#: Start and end in seconds; a negative start counts from the end of the video.
Stretch = tuple[float, float]
_UNIT = r"(?:h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)"
_AMOUNT = rf"{_NUMBER}\s*-?\s*{_UNIT}"
_TIME = (
    rf"(?:{_CLOCK.pattern}|{_AMOUNT}(?:,? (?:and )?{_AMOUNT})*(?: \d{{1,2}})?|(?:hour|minute|second) {_NUMBER}"
    r"|hour|minute|second)"
)
_SPAN = (
    rf"(?:(?:in|during|within|for|over|of) (?:the )?(?:very )?(?:(?:first|opening|initial) (?P<first>{_TIME})"
    rf"|(?:last|final|closing) (?P<last>{_TIME}))"
    rf"|between (?P<start>{_TIME}) and (?P<end>{_TIME})|from (?P<start2>{_TIME}) (?:to|till|until) (?P<end2>{_TIME})"
    rf"|(?:after|since) (?P<after>{_TIME})|(?:before|until|till|up to) (?P<before>{_TIME}))"
)
_SPAN_LAST = re.compile(rf"(?P<rest>.*\S)[ ,]+{_SPAN}", re.IGNORECASE)
_SPAN_FIRST = re.compile(rf"{_SPAN}[ ,]+(?P<rest>\S.*)", re.IGNORECASE)

_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
)  # position + 1 is the number
#: What people call the tracks of a video, by the words that are left without articles.
_TRACKS = {
    SPEECH: "speech talking dialogue narration subtitles subtitle transcript transcripts voice voices",
    OCR: "text writing slides slide ocr titles screen_text text_screen",
    CAPTION: "captions caption descriptions",
    OBJECT: "objects detections",
    FACT: "facts measurements",
}
_TRACK_NAMES = {name.replace("_", " "): track for track, names in _TRACKS.items() for name in names.split()}
_COMPARING = frozenset("most more least less fewest fewer".split())
#: What is heard and is no speech, by its last word: "a dog's barking", "background music".
_SOUNDS = frozenset(
    """music song songs soundtrack melody tune singing applause clapping laughter laughing cheering noise noises sound
    sounds siren alarm gunshot gunshots explosion explosions barking bell bells thunder whistle whistling""".split()
)
#: Colours as people name them, alone or with one of the other words before: "dark blue", "all black".
_COLOURS = frozenset("black white grey gray red orange yellow green cyan blue purple violet pink brown".split())
_SHADES = frozenset("dark light bright deep pale mostly completely entirely all very".split())
_ORDINAL_NUMBER = re.compile(r"(\d{1,3})(?:st|nd|rd|th)")


def plain_question(text: str) -> str:
    """The question without politeness, "in the video" and closing marks: "Please, tell me when ... ?" -> "when ..."."""
    question = _UNMARKED.sub(r"\1's", _without_asides(clean_text(text, limit=10_000)))
    while True:
        shorter = _POLITE_END.sub("", _POLITE.sub("", question, count=1)).strip(" \t?!.,;:")
        if shorter == question or not shorter:
            break
        question = shorter
    question = _OF_MY_VIDEOS.sub(r"\1 \2", question)
    question = _ONE_UNIT.sub(r"\1 \2 \5 \3 \4 \5", question)
    question = _THERE_ANYWHERE.sub(r"\1", _OF_VIDEO.sub(r"\1", question))
    without_video = _IN_VIDEO.sub("", question).strip(" ,")
    return without_video or question


def _without_asides(text: str) -> str:
    """The question alone, where all other sentences are what somebody says of himself."""
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())
    if len(sentences) < 2:
        return text
    asked = [sentence for sentence in sentences if not _ASIDE.fullmatch(sentence)]
    if len(asked) == 1:
        return asked[0] if "?" in asked[0] or _ASKS.match(asked[0]) else text
    # Of several sentences that are no asides the only question counts, if it stands on its own.
    questions = [sentence for sentence in asked if sentence.endswith("?") and _ASKS.match(sentence)]
    return questions[0] if len(questions) == 1 and _stands_alone(questions[0]) else text


def _stands_alone(question: str) -> bool:
    """True if it says what it is about: "What does he do then?" needs the sentence before it."""
    found = words(question)
    return not _POINTING & set(found) and any(word not in FUNCTION_WORDS for word in found)


def take_span(question: str) -> tuple[str, Stretch | None]:
    """(the question without "in the first 30 seconds", that stretch), where it begins or ends with one."""
    for pattern in (_SPAN_LAST, _SPAN_FIRST):
        found = pattern.fullmatch(question.strip())
        stretch = _stretch(found) if found else None
        if found and stretch:
            return found["rest"].strip(" ,"), stretch
    return question, None


def _stretch(found: re.Match[str]) -> Stretch | None:
    """What a match of `_SPAN` names; None where it holds no time."""
    given = {name.rstrip("2"): text for name, text in found.groupdict().items() if text and name != "rest"}
    seconds = {name: parse_time(text) for name, text in given.items()}
    match seconds:
        case {"first": float(length)}:
            return 0.0, length
        case {"last": float(length)}:
            return -length, math.inf
        case {"start": float(start), "end": float(end)}:
            return (start, end) if start < end else None
        case {"after": float(start)}:
            return start, math.inf
        case {"before": float(end)}:
            return 0.0, end
    return None


def quoted_phrases(text: str) -> list[str]:
    """The phrases between quotation marks."""
    return [(first or second).strip() for first, second in _QUOTED.findall(text)]


def split_choices(question: str) -> tuple[str, tuple[str, ...]]:
    """("Which?", ("x", "y")) from "Which? A) x B) y"; letters or digits must run from the first without a gap."""
    marks: list[re.Match[str]] = []
    for match in _OPTION.finditer(question):
        label = match.group(1).upper()
        if label in ("A", "1") if not marks else label == chr(ord(marks[0].group(1).upper()) + len(marks)):
            marks.append(match)
    if len(marks) < 2:
        return question, ()
    ends = [mark.start() for mark in marks[1:]] + [len(question)]
    options = tuple(question[mark.end() : end].strip(" \t\n,;.") for mark, end in zip(marks, ends, strict=True))
    stem = question[: marks[0].start()].strip(" ,;:\n\t")
    return (stem, options) if stem and all(options) else (question, ())


def parse_time(text: str) -> float | None:
    """Seconds of "1:15", "75 seconds", "1 minute 15", "minute 3", "the start"; None if it is no time."""
    phrase = re.sub(r"^(?:at|the|about|around|exactly|t ?=)\s+", "", text.strip().lower()).strip(" ,")
    phrase = re.sub(r"\s*(?:into it|in|mark|timestamp)$", "", phrase)
    if re.fullmatch(r"(?:very )?(?:start|beginning|opening)", phrase):
        return 0.0
    if _CLOCK.fullmatch(phrase):
        return parse_timestamp(phrase)
    first = _UNIT_FIRST.fullmatch(phrase)
    if first:
        return _number(first["number"]) * _UNIT_SECONDS[first["unit"][0]]
    if phrase.rstrip("s") in ("hour", "minute", "second"):  # "the last minute"
        return _UNIT_SECONDS[phrase[0]]
    return _parse_units(phrase)


def _parse_units(phrase: str) -> float | None:
    """Seconds of "1 h 2 min 3 s", "two minutes and ten seconds", "1 minute 15"."""
    seconds, position, smallest = 0.0, 0, ""
    for match in _UNITS.finditer(phrase):
        if phrase[position : match.start()].strip(" ,") not in ("", "and"):
            return None
        smallest = match["unit"][0]
        seconds += _number(match["number"]) * _UNIT_SECONDS[smallest]
        position = match.end()
    rest = phrase[position:].strip(" ,")
    if smallest == "m" and re.fullmatch(r"(?:and )?\d{1,2}", rest):
        return seconds + float(rest.removeprefix("and "))
    return seconds if smallest and not rest else None


def _number(text: str) -> float:
    word = text.lower()
    return float(_SMALL[word]) if word in _SMALL else float(word)


def parse_ordinal(text: str) -> int | None:
    """1 for "first" or "1st", -1 for "last"; None if it is no ordinal."""
    word = text.strip().lower()
    if word in ("last", "final", "latest"):
        return -1
    if word in _ORDINALS:
        return _ORDINALS.index(word) + 1
    number = _ORDINAL_NUMBER.fullmatch(word)
    return int(number.group(1)) if number and int(number.group(1)) > 0 else None


def parse_count(text: str) -> float | None:
    """A whole number in digits or words, None otherwise."""
    word = text.strip().lower()
    if word in _SMALL and float(_SMALL[word]).is_integer():
        return float(_SMALL[word])
    return float(word) if re.fullmatch(r"\d{1,4}", word) else None


def parse_track(text: str) -> str | None:
    """The track that a phrase means: "any subtitles" is speech, "text on screen" ocr; None if it means none."""
    found = words(text)
    # "The most text" is no track, but a comparison.
    if not _COMPARING.isdisjoint(found):
        return None
    return _TRACK_NAMES.get(" ".join(word for word in found if word not in FUNCTION_WORDS))


def is_sound(text: str) -> bool:
    """True for what is heard and is no speech: "background music", "an applause"."""
    return words(text)[-1:] != [] and words(text)[-1] in _SOUNDS


def is_colour(text: str) -> bool:
    """True for the name of a colour: "red", "dark blue"."""
    *shades, last = words(text) or [""]
    return last in _COLOURS and _SHADES.issuperset(shades)


def video_names(video: Video) -> set[str]:
    """Every way a user may name a video: id, title, path, file name, file name without its ending; folded."""
    names = {video.id, video.title, *video.paths}
    names |= {part for path in video.paths for part in (PurePath(path).name, PurePath(path).stem)}
    names |= {PurePath(video.title).stem} if "/" not in video.title else set()
    return {name.casefold() for name in names if name}


def find_video(text: str, videos: Iterable[Video]) -> Video | None:
    """The one video that `text` names exactly (folded), or None if none or several do."""
    name = re.sub(r"^(?:the )?(?:video|file|clip|film|movie|episode) ", "", text.strip(" \"'“”"), flags=re.IGNORECASE)
    found = [video for video in videos if {name.casefold(), text.strip().casefold()} & video_names(video)]
    return found[0] if len(found) == 1 else None


def take_video(question: str, videos: Sequence[Video]) -> tuple[str, Video | None]:
    """(question without "in NAME", the video), when the question ends or begins with the name of one in scope."""
    for match in re.finditer(r"\b(?:in|from|within|of) ", question, re.IGNORECASE):
        name, rest = question[match.end() :], question[: match.start()]
        if match.start() == 0:
            name, _, rest = name.partition(",")
        video = find_video(name, videos)
        if video is not None and rest.strip(" ,"):
            return rest.strip(" ,"), video
    return question, None


def literal(value: str | float | Sequence[str]) -> str:
    """`value` as a literal of the program language; text is cleaned and escaped, so that no quote can end it."""
    if isinstance(value, str):
        return json.dumps(clean_text(value, limit=900), ensure_ascii=False)
    if isinstance(value, (int, float)):
        return f"{value:g}" if float(value).is_integer() and abs(value) < 1e6 else repr(float(value))
    return "[" + ", ".join(literal(item) for item in value) + "]"
