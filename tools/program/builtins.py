"""The builtins: total functions of the language, each with its signature as planners and docs read it.

A signature may hold `T`, one of number, bool, text, moment, the same wherever it stands; `M`, a moment or a list of
moments; and texts in quotes, of which the argument must be one. Where a list of moments is asked for, one moment is a
list of one. Nothing (None) never reaches a function but where a list would be: there it is the empty list.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

from agentvid.errors import ProgramError
from agentvid.text import parse_timestamp
from agentvid.tools import intervals, words
from agentvid.tools.base import Parameter, Tool
from agentvid.tools.program.values import Outcome, Scalar, Value, key
from agentvid.tools.scope import resolve_video
from agentvid.tools.words import normalised, phrase_counter
from agentvid.types import Moment, Span, Video
from agentvid.words import NUMBER_WORDS

BUILTINS: dict[str, Tool] = {}
#: Builtins that look up videos; they get the run's scope as their first argument.
SCOPED: set[str] = set()
#: Builtins that count to the n-th of their items: nothing comes of them where there are fewer.
COUNTING = frozenset({"nth", "nth_in_each"})
#: Builtins whose cost grows with the length of the texts.
READING: set[str] = set()

_MOST_PARTS, _MOST_EXACT = 1_000, 2**53
_CLOCK, _FIGURES = r"\d{1,9}(?::[0-5]\d){1,2}", r"-?\d{1,300}(?:,\d{3}(?!\d))*(?:\.\d{1,300})?"
#: 1:02:15, -3, 1,250.5 or a word; no part of a longer number or word.
_NUMBER = re.compile(
    rf"(?<![\w.:,])(?:{_CLOCK}|{_FIGURES}|{'|'.join(NUMBER_WORDS)})(?![\w:]|\.\d)", re.IGNORECASE | re.ASCII
)

Moments = tuple[Moment, ...]
Scope = Mapping[str, Video]
T = TypeVar("T", bound=Scalar)
Function = TypeVar("Function", bound=Callable[..., Value])


def builtin(signature: str, *, scoped: bool = False, reading: bool = False) -> Callable[[Function], Function]:
    """Register a function under `name(parameter: type = default, ...) -> type`."""
    (definition,) = ast.parse(f"def {signature}: ...").body
    assert isinstance(definition, ast.FunctionDef)
    arguments, defaults = definition.args.args, definition.args.defaults
    required: list[ast.expr | None] = [None] * (len(arguments) - len(defaults))
    parameters = tuple(
        Parameter(
            name=argument.arg,
            type=ast.unparse(argument.annotation) if argument.annotation else "",
            required=default is None,
            default=ast.literal_eval(default) if default else None,
        )
        for argument, default in zip(arguments, [*required, *defaults], strict=True)
    )

    def register(function: Function) -> Function:
        summary = " ".join((function.__doc__ or "").split())
        returns = ast.unparse(definition.returns) if definition.returns else ""
        BUILTINS[definition.name] = Tool(definition.name, summary, parameters, returns, function)
        if scoped:
            SCOPED.add(definition.name)
        if reading:
            READING.add(definition.name)
        return function

    return register


# -- lists ------------------------------------------------------------------------------------------------------------


@builtin("count(items: list[T]) -> number")
def count(items: Sequence[Scalar]) -> float:
    """How many items there are."""
    return float(len(items))


@builtin("len(items: list[T]) -> number")
def len_(items: Sequence[Scalar]) -> float:
    """The same as count."""
    return float(len(items))


@builtin("exists(items: list[T]) -> bool")
def exists(items: Sequence[Scalar]) -> bool:
    """True if there is at least one item."""
    return len(items) > 0


@builtin("first(items: list[T]) -> T")
def first(items: Sequence[T]) -> T | None:
    """The head of the list as it is ordered; sort by start for the first in time."""
    return items[0] if items else None


@builtin("last(items: list[T]) -> T")
def last(items: Sequence[T]) -> T | None:
    """The end of the list as it is ordered."""
    return items[-1] if items else None


@builtin("nth(items: list[T], n: number) -> T")
def nth(items: Sequence[T], n: float) -> T | None:
    """The n-th item, counted from 1; from the end if n is negative."""
    if not n.is_integer() or not 1 <= abs(n) <= len(items):
        return None
    return items[int(n) - 1 if n > 0 else int(n)]


@builtin("unique(items: list[T]) -> list[T]", reading=True)
def unique(items: Sequence[T]) -> tuple[T, ...]:
    """Without repeats: of equal texts, numbers and places in a video the first stays."""
    kept: dict[object, T] = {}
    for item in items:
        kept.setdefault(_identity(item), item)
    return tuple(kept.values())


@builtin("contains(items: list[T], item: T) -> bool")
def contains(items: Sequence[T], item: T) -> bool:
    """True if the list holds an item equal to this one."""
    return key(item) in {key(other) for other in items}


@builtin(
    "sort(items: list[T], by: 'start' | 'end' | 'score' | 'duration' = 'start', descending: bool = False) -> list[T]"
)
def sort(items: Sequence[T], by: str = "start", descending: bool = False) -> tuple[T, ...]:
    """In order of `by`, which counts for moments only; equals stay in their order."""
    return tuple(sorted(items, key=lambda item: _measure(item, by), reverse=descending))


@builtin("sort_by(items: list[T], values: list[number], descending: bool = False) -> list[T]")
def sort_by(items: Sequence[T], values: Sequence[float], descending: bool = False) -> tuple[T, ...]:
    """In order of the values, which stand beside the items one by one; equals stay in their order."""
    _check_lengths("sort_by", items, values)
    order = sorted(range(len(items)), key=values.__getitem__, reverse=descending)
    return tuple(items[at] for at in order)


@builtin("index_of(items: list[T], item: T) -> number")
def index_of(items: Sequence[T], item: T) -> float | None:
    """The place of the first item equal to this one, counted from 1; nothing if there is none."""
    return next((float(at) for at, other in enumerate(items, 1) if key(other) == key(item)), None)


@builtin("most_common(items: list[T]) -> T", reading=True)
def most_common(items: Sequence[T]) -> T | None:
    """The item that is there most often, texts by their words; of equals the first in the list."""
    counts = Counter(map(_identity, items))
    return max(items, key=lambda item: counts[_identity(item)], default=None)


@builtin("longest(items: list[moment]) -> moment")
def longest(items: Moments) -> Moment | None:
    """The moment that lasts longest; of equals the first in the list."""
    return max(items, key=_seconds, default=None)


@builtin("shortest(items: list[moment]) -> moment")
def shortest(items: Moments) -> Moment | None:
    """The moment that lasts least; of equals the first in the list."""
    return min(items, key=_seconds, default=None)


@builtin("argmax(items: list[T], values: list[number]) -> T")
def argmax(items: Sequence[T], values: Sequence[float]) -> T | None:
    """The item with the largest of the values, which stand beside the items one by one."""
    _check_lengths("argmax", items, values)
    return items[max(range(len(items)), key=values.__getitem__)] if items else None


@builtin("argmin(items: list[T], values: list[number]) -> T")
def argmin(items: Sequence[T], values: Sequence[float]) -> T | None:
    """The item with the smallest of the values, which stand beside the items one by one."""
    _check_lengths("argmin", items, values)
    return items[min(range(len(items)), key=values.__getitem__)] if items else None


@builtin("any(items: list[bool]) -> bool")
def any_(items: Sequence[bool]) -> bool:
    """True if at least one item is true."""
    return any(items)


@builtin("all(items: list[bool]) -> bool")
def all_(items: Sequence[bool]) -> bool:
    """True if no item is false."""
    return all(items)


# -- numbers ----------------------------------------------------------------------------------------------------------


@builtin("sum(items: list[number]) -> number")
def sum_(items: Sequence[float]) -> float:
    """The sum; 0 for an empty list."""
    return sum(items, 0.0)


@builtin("min(items: list[number]) -> number")
def min_(items: Sequence[float]) -> float | None:
    """The smallest number."""
    return min(items, default=None)


@builtin("max(items: list[number]) -> number")
def max_(items: Sequence[float]) -> float | None:
    """The largest number."""
    return max(items, default=None)


@builtin("round(x: number, digits: number = 0) -> number")
def round_(x: float, digits: float = 0.0) -> float:
    """Rounded to that many decimal places, 0 to 6; halves go to the even neighbour."""
    return float(round(x, int(max(0.0, min(digits, 6.0)))))


@builtin("abs(x: number) -> number")
def abs_(x: float) -> float:
    """Without its sign."""
    return abs(x)


@builtin("floor(x: number) -> number")
def floor(x: float) -> float:
    """The largest whole number that is not larger."""
    return float(math.floor(x))


# -- moments: what they are -------------------------------------------------------------------------------------------


@builtin("span(start: number, end: number, video: text = None) -> moment", scoped=True)
def span(scope: Scope, start: float, end: float, video: str | None = None) -> Moment | None:
    """The stretch from start to end in seconds, cut to the video; `video` may be left out if there is only one."""
    chosen = resolve_video(scope, video)
    clamped = _clamped(chosen, start, end)
    if start < end and clamped is None:
        raise ProgramError(
            f"{start:g}..{end:g} s lies outside {chosen.title!r}; allowed: 0..{chosen.duration_seconds:g} s",
            fragment=f"span(start={start:g}, end={end:g})",
            allowed=f"0..{chosen.duration_seconds:g}",
        )
    return Moment(chosen.id, clamped) if clamped else None


@builtin("whole_videos() -> list[moment]", scoped=True)
def whole_videos(scope: Scope) -> Moments:
    """Every video of the question from its start to its end, without words."""
    return tuple(Moment(video.id, video.span) for video in scope.values())


@builtin("start(m: list[moment]) -> number")
def start(m: Moments) -> float | None:
    """Seconds from the video's start to the moment, of several to the earliest; nothing if of different videos."""
    return min(moment.span.start_seconds for moment in m) if same_video(m, m) else None


@builtin("end(m: list[moment]) -> number")
def end(m: Moments) -> float | None:
    """Seconds from the video's start to the moment's end, of several to the latest; nothing if of different videos."""
    return max(moment.span.end_seconds for moment in m) if same_video(m, m) else None


@builtin("duration(m: list[moment]) -> number")
def duration(m: Moments) -> float:
    """Seconds covered; where moments overlap, once."""
    groups = intervals.by_video(m).values()
    return float(sum(intervals.total_seconds(moment.span for moment in group) for group in groups))


@builtin("total_duration(items: list[moment]) -> number")
def total_duration(items: Moments) -> float:
    """The sum of the moments' seconds; where they overlap, as often as they do."""
    return sum((moment.span.duration_seconds for moment in items), 0.0)


@builtin("text(m: list[moment]) -> text", reading=True)
def text(m: Moments) -> str | None:
    """The words of the moment, of several one after the other, at most 4,096 characters."""
    return " ".join(moment.text for moment in m if moment.text)[: intervals.MAX_TEXT_CHARACTERS] if m else None


@builtin("score(m: list[moment]) -> number")
def score(m: Moments) -> float | None:
    """How well it fits what was searched, of several the best; comparable within one result only."""
    return max((moment.score for moment in m), default=None)


@builtin("track(m: list[moment]) -> text")
def track(m: Moments) -> str | None:
    """speech, ocr, caption...; nothing if the moments come from different tracks."""
    return m[0].track if m and len({moment.track for moment in m}) == 1 else None


@builtin("video(m: list[moment]) -> text")
def video(m: Moments) -> str | None:
    """The id of the video; nothing if the moments are of different videos."""
    return m[0].video_id if m and same_video(m, m) else None


@builtin("title(m: text | list[moment]) -> text", scoped=True)
def title(scope: Scope, m: str | Moments) -> str | None:
    """The title of a moment's video, or of a video by its id."""
    video_id = m if isinstance(m, str) else video(m)
    return scope[video_id].title if video_id and video_id in scope else None


@builtin("same_video(a: list[moment], b: list[moment]) -> bool")
def same_video(a: Moments, b: Moments) -> bool:
    """True if all of the moments are of one video."""
    return bool(a and b) and len({moment.video_id for moment in (*a, *b)}) == 1


# -- moments: order ---------------------------------------------------------------------------------------------------
# A reference of several moments stands for the stretch from the first start to the last end, in each video apart.


@builtin("before(items: list[moment], than: list[moment], seconds: number = None) -> list[moment]")
def before(items: Moments, than: Moments, seconds: float | None = None) -> Moments:
    """Items that end when `than` starts or earlier, in its video; of several, the first; at most `seconds` earlier."""
    return tuple(intervals.before(items, than, at_most_seconds=math.inf if seconds is None else seconds))


@builtin("after(items: list[moment], than: list[moment], seconds: number = None) -> list[moment]")
def after(items: Moments, than: Moments, seconds: float | None = None) -> Moments:
    """Items that start when `than` ends or later, in its video; of several, the last; at most `seconds` later."""
    return tuple(intervals.after(items, than, at_most_seconds=math.inf if seconds is None else seconds))


@builtin("between(items: list[moment], first: list[moment], second: list[moment]) -> list[moment]")
def between(items: Moments, first: Moments, second: Moments) -> Moments:
    """Items after the one and before the other, whichever of the two comes first."""
    return tuple(intervals.between(items, first, second))


@builtin("during(items: list[moment], container: list[moment]) -> list[moment]")
def during(items: Moments, container: Moments) -> Moments:
    """Items that lie wholly inside the time that `container` covers."""
    return tuple(intervals.inside(items, container))


@builtin("overlapping(items: list[moment], others: list[moment]) -> list[moment]")
def overlapping(items: Moments, others: Moments) -> Moments:
    """Items that happen while one of the others does: they share time in the same video."""
    return tuple(intervals.overlapping(items, others))


@builtin("within(items: list[moment], of: list[moment], seconds: number) -> list[moment]")
def within(items: Moments, of: Moments, seconds: float) -> Moments:
    """Items at most so many seconds away from one of `of`, before or after it, in the same video."""
    return tuple(intervals.near(items, of, seconds))


@builtin("overlaps(a: list[moment], b: list[moment]) -> bool")
def overlaps(a: Moments, b: Moments) -> bool:
    """True if the two share time in the same video."""
    return bool(intervals.overlapping(a, b))


@builtin("relation(a: moment, b: moment) -> text")
def relation(a: Moment, b: Moment) -> str | None:
    """Allen's relation of a to b: before, meets, overlaps, starts, during, finishes, equals and their converses."""
    return intervals.relation(a.span, b.span) if a.video_id == b.video_id else None


@builtin(
    f"related(items: list[moment], how: {' | '.join(map(repr, intervals.CONVERSE))}, to: list[moment]) -> list[moment]"
)
def related(items: Moments, how: intervals.Relation, to: Moments) -> Moments:
    """Items that stand in this one of Allen's relations to at least one of `to`, in its video."""
    return tuple(intervals.related(items, how, to))


@builtin("nth_in_each(items: list[moment], n: number) -> list[moment]")
def nth_in_each(items: Moments, n: float) -> Moments:
    """The n-th moment in time of every video that has so many, counted from 1; from the end if n is negative."""
    return tuple(intervals.nth_in_each(items, int(n))) if n.is_integer() else ()


@builtin("seconds_between(a: moment, b: moment) -> number")
def seconds_between(a: Moment, b: Moment) -> float | None:
    """Seconds between the nearer ends; 0 if they overlap, nothing if they are of different videos."""
    return intervals.distance_seconds(a.span, b.span) if a.video_id == b.video_id else None


@builtin("nearest(items: list[moment], to: list[moment]) -> moment")
def nearest(items: Moments, to: Moments) -> Moment | None:
    """The item with the fewest seconds between it and one of `to`, in its video; of equals the first in the list."""
    others = intervals.by_video(to)
    apart = {
        at: min(intervals.distance_seconds(item.span, other.span) for other in others[item.video_id])
        for at, item in enumerate(items)
        if item.video_id in others
    }
    return items[min(apart, key=apart.__getitem__)] if apart else None


# -- moments: sets of time --------------------------------------------------------------------------------------------


@builtin("union(items: list[moment]) -> list[moment]")
def union(items: Moments) -> Moments:
    """The same time without overlaps: moments that overlap or touch become one."""
    return tuple(intervals.merge(items))


@builtin("merge(items: list[moment], gap: number) -> list[moment]")
def merge(items: Moments, gap: float) -> Moments:
    """Like union, and moments at most `gap` seconds apart become one too."""
    return tuple(intervals.merge(items, gap_seconds=max(0.0, gap)))


@builtin("count_events(items: list[moment], gap: number = 2) -> number")
def count_events(items: Moments, gap: float = 2.0) -> float:
    """How many separate events: moments of one video that overlap or lie at most `gap` seconds apart count once."""
    return float(len(merge(items, gap)))


@builtin("hull(items: list[moment]) -> moment")
def hull(items: Moments) -> Moment | None:
    """The stretch from the first start to the last end; nothing if the moments are of different videos."""
    return intervals.join(sorted(items, key=intervals.time_key)) if same_video(items, items) else None


@builtin("intersect(a: list[moment], b: list[moment]) -> list[moment]")
def intersect(a: Moments, b: Moments) -> Moments:
    """The stretches of time that both cover, without words."""
    others = intervals.by_video(b)
    return tuple(
        Moment(video_id, shared)
        for video_id, group in intervals.by_video(a).items()
        for shared in intervals.intersection(
            [moment.span for moment in group], [moment.span for moment in others.get(video_id, [])]
        )
    )


@builtin("gaps(items: list[moment], of: list[moment]) -> list[moment]")
def gaps(items: Moments, of: Moments) -> Moments:
    """The stretches of `of` that no item covers, without words."""
    taken = intervals.by_video(items)
    return tuple(
        Moment(video_id, free)
        for video_id, group in intervals.by_video(of).items()
        for place in intervals.union(moment.span for moment in group)
        for free in intervals.gaps([moment.span for moment in taken.get(video_id, [])], place)
    )


@builtin("shift(m: M, seconds: number) -> M", scoped=True)
def shift(scope: Scope, m: Moment | Moments, seconds: float) -> Value:
    """Moved later, or earlier if negative, cut to the video, without words; nothing if that is outside."""
    return _moved(scope, m, seconds, seconds)


@builtin("pad(m: M, seconds: number) -> M", scoped=True)
def pad(scope: Scope, m: Moment | Moments, seconds: float) -> Value:
    """Longer on both sides, or shorter if negative, cut to the video, without words."""
    return _moved(scope, m, -seconds, seconds)


@builtin("split(m: moment, n: number) -> list[moment]")
def split(m: Moment, n: float) -> Moments:
    """`n` equal stretches of the moment in the order of time, without words; nothing unless n is whole, 1 to 1,000."""
    if not n.is_integer() or not 1 <= n <= _MOST_PARTS:
        return ()
    step = m.span.duration_seconds / n
    ends = [*(m.span.start_seconds + step * part for part in range(int(n))), m.span.end_seconds]
    return tuple(Moment(m.video_id, Span(first, last)) for first, last in pairwise(ends) if first < last)


# -- texts ------------------------------------------------------------------------------------------------------------


@builtin("text_contains(m: text | list[moment], phrase: text) -> bool", reading=True)
def text_contains(m: str | Moments, phrase: str) -> bool:
    """True if the words of the text or of one of the moments hold the phrase: whole words, any case."""
    counter = phrase_counter(phrase)
    return any(counter(words) for words in _texts(m))


@builtin("mentions(m: text | list[moment], phrase: text) -> number", reading=True)
def mentions(m: str | Moments, phrase: str) -> float:
    """How often the phrase stands in the words, in all moments together: whole words, any case."""
    return float(sum(map(phrase_counter(phrase), _texts(m))))


@builtin("same_text(a: text, b: text) -> bool", reading=True)
def same_text(a: str, b: str) -> bool:
    """True if the two have the same words; case and punctuation do not count."""
    return normalised(a) == normalised(b)


@builtin("join(items: list[T], separator: text = ' ') -> text", reading=True)
def join(items: Sequence[Scalar], separator: str = " ") -> str:
    """One text of all items: texts as they are, numbers in digits, moments by their words."""
    return separator.join(map(_written, items))


@builtin("number_in(m: text | list[moment]) -> number", reading=True)
def number_in(m: str | Moments) -> float | None:
    """The first number in the words, in digits or, up to twenty, in a word; a clock time such as 1:15 in seconds."""
    for text in _texts(m):
        if match := _NUMBER.search(text):
            found = match.group().lower()
            return float(NUMBER_WORDS[found]) if found.isalpha() else _number_of(found)
    return None


@builtin("seconds_in(t: text) -> number", reading=True)
def seconds_in(t: str) -> float | None:
    """The seconds of a text's first time: "1:15", "75 s", "two minutes"; a bare number is seconds."""
    return words.seconds_in(t)


# -- the answer -------------------------------------------------------------------------------------------------------


@builtin(
    "answer(value: number | bool | text | list[number] | list[bool] | list[text] = None, "
    "evidence: list[moment] = [], kind: text = '') -> answer"
)
def answer(value: Any = None, evidence: Moments = (), kind: str = "") -> Outcome:
    """What the program answers: a value, or only the moments that show it. No evidence means: not found."""
    return outcome_of(value, kind=kind, evidence=tuple(evidence))


def outcome_of(value: Value, *, kind: str = "", evidence: Moments = ()) -> Outcome:
    """The outcome of a value; a kind that is not named is moments, number, bool, text or list, by the value."""
    if isinstance(value, Outcome):
        return value
    if isinstance(value, Moment):
        value = (value,)
    if isinstance(value, tuple) and value and isinstance(value[0], Moment):
        return Outcome(kind or "moments", None, tuple(m for m in value if isinstance(m, Moment)))
    names = {type(None): "moments", bool: "bool", float: "number", str: "text", tuple: "list"}
    return Outcome(kind or names[type(value)], value, evidence)


# -- shared -----------------------------------------------------------------------------------------------------------


def _seconds(moment: Moment) -> float:
    return moment.span.duration_seconds


def _measure(item: Scalar, by: str) -> Any:
    if not isinstance(item, Moment):
        return item
    place = item.span
    measures = {
        "start": (place.start_seconds, place.end_seconds),
        "end": (place.end_seconds, place.start_seconds),
        "score": item.score,
        "duration": _seconds(item),
    }
    return measures[by]


def _identity(item: Scalar) -> object:
    """Equal for items that count as the same: texts by their words."""
    return normalised(item) if isinstance(item, str) else key(item)


def _written(item: Scalar) -> str:
    if isinstance(item, float):
        return str(int(item)) if item.is_integer() and abs(item) < _MOST_EXACT else repr(item)
    return item.text if isinstance(item, Moment) else str(item)


def _number_of(found: str) -> float | None:
    number = parse_timestamp(found) if ":" in found else float(found.replace(",", ""))
    return number if math.isfinite(number) else None


def _texts(m: str | Moments) -> list[str]:
    return [m] if isinstance(m, str) else [moment.text for moment in m]


def _check_lengths(name: str, items: Sequence[Scalar], values: Sequence[float]) -> None:
    if len(items) != len(values):
        raise ProgramError(
            f"{name} got {len(items)} items and {len(values)} values; allowed: one value for each item",
            fragment=name,
            allowed="lists of equal length; what cannot be computed is left out of a list",
        )


def _clamped(chosen: Video, start_seconds: float, end_seconds: float) -> Span | None:
    start_seconds, end_seconds = max(0.0, start_seconds), min(chosen.duration_seconds, end_seconds)
    return Span(start_seconds, end_seconds) if start_seconds < end_seconds else None


def _moved(scope: Scope, m: Moment | Moments, start_by: float, end_by: float) -> Value:
    """`m` with its ends moved by so many seconds; a moment that is left without time is dropped."""
    moments = (m,) if isinstance(m, Moment) else m
    moved = []
    for moment in moments:
        place = moment.span
        clamped = _clamped(scope[moment.video_id], place.start_seconds + start_by, place.end_seconds + end_by)
        if clamped:
            moved.append(replace(moment, span=clamped, text="", track="", observation_ids=()))
    return (moved[0] if moved else None) if isinstance(m, Moment) else tuple(moved)
