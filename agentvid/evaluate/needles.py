"""Needles in a long video whose truth is known: facts to find, things to order, events to count.

After VNBench (Zhao et al., "Needle In A Video Haystack", 2024): short events that have nothing to do with the rest are
put into a long video at known times, and asked for by multiple choice. A library of text, or a rendered video with
slides, subtitles and coloured scenes; the same seed gives the same needles.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from agentvid.errors import UsageError
from agentvid.evaluate.queries import read_jsonl
from agentvid.evaluate.types import Question
from agentvid.types import SPEECH, Json, Span

VIDEO, ROWS, QUESTIONS = "needles.mp4", "rows.jsonl", "questions.jsonl"
NAME = "needles"
#: A sentence is said every so many seconds and takes a little less.
SENTENCE_SECONDS = 6.0
_SAID_SECONDS = 5.0
SCENE_SECONDS = 30.0
CHOICES = 4
_SIZE, _FRAMES_PER_SECOND = (640, 360), 2
MAX_HOURS, MAX_EACH = 200.0, 50

Item = TypeVar("Item")

_COLOURS = "amber bronze copper crimson emerald indigo ivory lilac maroon ochre olive pearl ruby sapphire teal".split()
_THINGS = (
    "balloon barrel basket beacon bell bridge compass drum fountain kite lantern mirror statue trumpet wagon".split()
)
_NAMES = [f"{colour} {thing}" for colour in _COLOURS for thing in _THINGS]
_CODES = (
    "walnut harbour pepper cactus violin glacier saddle thunder marble pigeon ladder ginger falcon meadow anchor "
    "velvet tunnel cherry rocket willow magnet pirate canyon button"
).split()
_ANIMALS = "otter heron badger lynx walrus gecko puffin weasel ibex jackal tapir osprey mongoose lemming bison".split()
_SUBJECTS = "the committee|our team|the second speaker|the council|the editor|the group|a visitor|the author".split("|")
_VERBS = "reviews|describes|compares|considers|postpones|summarises|questions|explains|repeats|outlines".split("|")
_OBJECTS = (
    "the annual report|the new schedule|last week's results|the opening chapter|several proposals|the travel plans|"
    "the budget figures|an older survey|the training course|the housing rules|a long argument|the weather data"
).split("|")
_ENDINGS = "in some detail|without hurry|for the record|with a few examples|as agreed|once the room is quiet".split("|")
#: Backgrounds that a measurement calls by these names, and those of the haystack, which it does not.
_SHOWN = {"red": (220, 25, 25), "green": (25, 160, 40), "blue": (30, 50, 215), "yellow": (235, 215, 30)}
_PLAIN = ((70, 70, 74), (96, 96, 100), (120, 120, 124), (146, 146, 150))


#: Per task how it is asked, and how else: in words that no shipped question form knows.
_WORDINGS = {
    "fact": ("What is the secret word of the {}?", "The {} has a secret word: name it."),
    "first": ("Which of these is mentioned first?", "Name whichever one of them turns up earliest."),
    "order": ("In what order are the {} mentioned?", "Arrange the {} as they turn up."),
    "count": ("How many times is the {} signal mentioned?", "On how many occasions does the {} signal turn up?"),
    "slide": ("What is on the {} slide?", "Read out the {} slide."),
    "colour count": ("How many times does the screen turn {}?", "On how many occasions does the screen turn {}?"),
    "first colour": ("Which colour is shown first?", "Name whichever colour turns up earliest."),
    "last colour": ("Which colour is shown last?", "Name whichever colour turns up latest."),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """One scene of a rendered video: the name of its colour, "" for a plain one, and what its slide says."""

    span: Span
    colour: str = ""
    slide: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Haystack:
    """What is said and shown, in order of time, and the questions whose answers lie in it."""

    seconds: float
    said: tuple[tuple[Span, str], ...]
    pictures: tuple[Picture, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class _Planted:
    """Sentences to hide, in the order of their times, and what is asked about them."""

    needles: tuple[str, ...]
    question: Question


def make_needles(
    *,
    hours: float = 1.0,
    each: int = 10,
    seed: int = 0,
    texts: Sequence[str] = (),
    is_shown: bool = False,
    is_reworded: bool = False,
) -> Haystack:
    """`each` questions of every task in so many hours of talk; `texts` are said between them, or invented sentences.

    With `is_shown` there are pictures too: slides to read, colours to count and to put in order. `is_reworded` asks for
    the same in words that no question form of the embedded planner knows. Raises UsageError for values that are not
    allowed, or more needles than there is room for.
    """
    ask = _Asked(is_reworded)
    if not 0 < hours <= MAX_HOURS or not 1 <= each <= MAX_EACH:
        raise UsageError(
            f"{hours:g} hours with {each} questions; allowed: up to {MAX_HOURS:g} hours, 1 to {MAX_EACH} questions"
        )
    chance = random.Random(seed)
    places = int(hours * 3600 / SENTENCE_SECONDS)
    planted = [*_facts(chance, each, ask), *_orders(chance, each, ask), *_counts(chance, each, ask)]
    needed = sum(len(one.needles) for one in planted)
    if needed > places // 2:
        raise UsageError(
            f"{needed} needles do not fit into {hours:g} hours; allowed: at most {places // 2}",
            hint="take more --hours or fewer --each",
        )
    filler = _sentences(chance, texts)
    said = [next(filler) for _ in range(places)]
    free = chance.sample(range(places), places)
    questions = []
    for one in planted:
        own = sorted(free.pop() for _ in one.needles)
        for at, needle in zip(own, one.needles, strict=True):
            said[at] = needle
        questions.append(replace(one.question, spans=tuple(_place(at) for at in own)))
    pictures: list[Picture] = []
    if is_shown:
        pictures, about = _pictures(chance, each, hours, ask)
        questions += about
    rows = tuple((_place(at), text) for at, text in enumerate(said))
    return Haystack(places * SENTENCE_SECONDS, rows, tuple(pictures), tuple(_shuffled(chance, questions)))


def write_text(haystack: Haystack, to: Path) -> Json:
    """Write `to`/rows.jsonl, for `agentvid import`, and `to`/questions.jsonl; raises UsageError if they exist."""
    rows_file, questions_file = _new_files(to, ROWS, QUESTIONS)
    rows = [
        {"video": NAME, "duration": haystack.seconds, "track": SPEECH, "text": text, **span.to_json()}
        for span, text in haystack.said
    ]
    _write(rows_file, rows)
    _write(questions_file, [question.to_json() for question in haystack.questions])
    return _document(haystack, rows_file, questions_file)


def write_video(haystack: Haystack, to: Path) -> Json:
    """Render `to`/needles.mp4, with what is said as subtitles, and write `to`/questions.jsonl. Raises UsageError."""
    from agentvid.media.render import Scene, render_video

    video_file, questions_file = _new_files(to, VIDEO, QUESTIONS)
    scenes = [
        Scene(
            picture.span.duration_seconds,
            colour=_SHOWN[picture.colour] if picture.colour else _PLAIN[number % len(_PLAIN)],
            title=picture.slide[0] if picture.slide else "",
            lines=picture.slide[1:],
        )
        for number, picture in enumerate(haystack.pictures)
    ]
    subtitles = [(span.start_seconds, span.end_seconds, text) for span, text in haystack.said]
    render_video(video_file, scenes, subtitles=subtitles, size=_SIZE, rate=_FRAMES_PER_SECOND, burn_time=False)
    questions = [replace(question, video=VIDEO) for question in haystack.questions]
    _write(questions_file, [question.to_json() for question in questions])
    return _document(haystack, video_file, questions_file)


def read_texts(file: Path) -> list[str]:
    """The "text" of every line of an import file, to be said between the needles. Raises UsageError."""
    hint = "name a JSONL file as `agentvid import` reads it"
    texts = [str(line["text"]) for _, line in read_jsonl(file, hint=hint) if line.get("text")]
    if not texts:
        raise UsageError(f"{file} holds no text; allowed: at least one line with a text", hint=hint)
    return texts


def _new_files(to: Path, *names: str) -> list[Path]:
    files = [to / name for name in names]
    for file in files:
        if file.exists():
            raise UsageError(f"{file} exists and stays as it is", hint="choose another --to, or delete it")
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{to} cannot be made: {error.strerror}", hint="choose another --to") from None
    return files


def _write(file: Path, lines: Sequence[Json]) -> None:
    try:
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", hint="choose another --to") from None


def _document(haystack: Haystack, file: Path, questions_file: Path) -> Json:
    return {
        "file": str(file),
        "questions_file": str(questions_file),
        "questions": len(haystack.questions),
        "seconds": haystack.seconds,
    }


def _place(at: int) -> Span:
    return Span(at * SENTENCE_SECONDS, at * SENTENCE_SECONDS + _SAID_SECONDS)


def _sentences(chance: random.Random, texts: Sequence[str]) -> Iterator[str]:
    """The given texts over and over, or invented sentences that name no needle."""
    at = 0
    while True:
        if texts:
            yield texts[at % len(texts)]
        else:
            parts = (chance.choice(_SUBJECTS), chance.choice(_VERBS), chance.choice(_OBJECTS), chance.choice(_ENDINGS))
            sentence = " ".join(parts)
            yield f"{sentence[0].upper()}{sentence[1:]}."
        at += 1


@dataclass(frozen=True, slots=True)
class _Asked:
    is_reworded: bool

    def __call__(self, task: str, about: str = "") -> str:
        return _WORDINGS[task][self.is_reworded].format(about)


def _facts(chance: random.Random, each: int, ask: _Asked) -> list[_Planted]:
    """A secret word of each of some things; the wrong options are secret words as well."""
    planted = []
    for thing in chance.sample(_NAMES, each):
        right, *wrong = chance.sample(_CODES, CHOICES)
        needle = f"Remember that the secret word of the {thing} is {right}."
        planted.append(
            _Planted((needle,), _question(ask("fact", thing), _shuffled(chance, [right, *wrong]), right, "retrieval"))
        )
    return planted


def _orders(chance: random.Random, each: int, ask: _Asked) -> list[_Planted]:
    """Four animals that are seen: which first, or in what order; the options are the animals, or other orders."""
    planted = []
    names = chance.sample([f"{colour} {animal}" for colour in _COLOURS for animal in _ANIMALS], each * CHOICES)
    for number in range(each):
        seen = names[number * CHOICES : (number + 1) * CHOICES]
        if number % 2:
            question = _question(ask("first"), _shuffled(chance, seen), seen[0], "order")
        else:
            listed, right = sorted(seen), ", ".join(seen)
            asked = ask("order", f"{', the '.join(listed[:-1])} and the {listed[-1]}")
            orders = {right}
            while len(orders) < CHOICES:
                orders.add(", ".join(_shuffled(chance, seen)))
            question = _question(asked, _shuffled(chance, sorted(orders)), right, "order")
        planted.append(_Planted(tuple(f"Somebody has just seen the {name}." for name in seen), question))
    return planted


def _counts(chance: random.Random, each: int, ask: _Asked) -> list[_Planted]:
    """Signals that are given two to six times."""
    planted = []
    for number, thing in enumerate(chance.sample(_NAMES, each)):
        times = 2 + number % 5
        question = _question(ask("count", thing), _numbers(chance, times), str(times), "count")
        planted.append(_Planted((f"Once more the {thing} signal is given.",) * times, question))
    return planted


def _pictures(chance: random.Random, each: int, hours: float, ask: _Asked) -> tuple[list[Picture], list[Question]]:
    """Scenes of one length: slides with a word to read, and colours that come back two to four times, among plain ones.

    Every second scene stays plain, so that no two of a colour follow each other.
    """
    scenes = int(hours * 3600 / SCENE_SECONDS)
    counts = {colour: chance.randint(2, 4) for colour in _SHOWN}
    slides = chance.sample(_NAMES, each)
    shown = [*slides, *(colour for colour, times in counts.items() for _ in range(times))]
    places = [2 * at + 1 for at in range((scenes - 1) // 2)]
    if len(shown) > len(places):
        raise UsageError(
            f"{len(shown)} slides and coloured scenes do not fit into {hours:g} hours; allowed: at most {len(places)}",
            hint="take more --hours or fewer --each",
        )
    pictures = [Picture(Span(at * SCENE_SECONDS, (at + 1) * SCENE_SECONDS)) for at in range(scenes)]
    questions = []
    times_of: dict[str, list[Span]] = {colour: [] for colour in _SHOWN}
    for name, at in zip(shown, chance.sample(places, len(shown)), strict=True):
        span = pictures[at].span
        if name in _SHOWN:
            pictures[at] = Picture(span, colour=name)
            times_of[name].append(span)
            continue
        right, *wrong = chance.sample(_CODES, CHOICES)
        pictures[at] = Picture(span, slide=(name.upper(), right.upper()))
        question = _question(ask("slide", name), _shuffled(chance, [right, *wrong]), right, "slide")
        questions.append(replace(question, spans=(span,)))
    for colour, spans in times_of.items():
        question = _question(ask("colour count", colour), _numbers(chance, len(spans)), str(len(spans)), "colour count")
        questions.append(replace(question, spans=tuple(sorted(spans))))
    first = min(times_of, key=lambda colour: min(times_of[colour]))
    last = max(times_of, key=lambda colour: max(times_of[colour]))
    for word, right in (("first", first), ("last", last)):
        question = _question(ask(f"{word} colour"), _shuffled(chance, sorted(_SHOWN)), right, "colour order")
        span = min(times_of[right]) if word == "first" else max(times_of[right])
        questions.append(replace(question, spans=(span,)))
    return pictures, questions


def _numbers(chance: random.Random, right: int) -> list[str]:
    """The right number among others from 1 to 8."""
    wrong = chance.sample([number for number in range(1, 9) if number != right], CHOICES - 1)
    return [str(number) for number in _shuffled(chance, [right, *wrong])]


def _question(text: str, choices: Sequence[str], right: str, kind: str) -> Question:
    return Question(text, NAME, choices=tuple(choices), choice=right, kind=kind)


def _shuffled(chance: random.Random, items: Sequence[Item]) -> list[Item]:
    return chance.sample(list(items), len(items))
