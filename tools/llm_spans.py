"""Spans that a chat model chooses among timestamped rows: it names times, everything else comes from the catalogue.

A search finds the places and a model that reads what stands around them names the window, as LifelongMemory (Wang et
al., arXiv 2312.05269) does with captions; LLM4VG (Feng et al., arXiv 2312.14206) measures how far models are from
reliable at it. So each span is checked against the rows that were shown, a faulty reply goes back with the text at
fault and what is allowed, and ends are snapped to rows. The rows are fenced, as in every prompt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from agentvid.errors import ModelError
from agentvid.indexes.base import Filter
from agentvid.prompts import render
from agentvid.text import parse_timestamp
from agentvid.tools.base import ToolContext
from agentvid.tools.chat import MAX_REPLY_CHARACTERS, lines, reply
from agentvid.tools.intervals import by_video, distance_seconds, hull, join, union
from agentvid.tools.rows import each_once, in_order, to_moment
from agentvid.types import Moment, Observation, Span, Video
from agentvid.untrusted import quoted
from agentvid.words import content_words

#: One prompt shows so many rows, from so many seconds around each place.
MAX_ROWS, AROUND_SECONDS = 120, 60.0
#: One call of the tool reads the videos of the surest places.
MAX_VIDEOS = 3
#: So many faulty replies are sent back.
MAX_REPAIRS = 2
MAX_SPANS, _QUERY_CHARACTERS, _SHOWN_CHARACTERS = 20, 1_000, 120
#: What the model's 3, 2 and 1 count for; a span without one has 1.
CERTAINTY = {1: 0.5, 2: 0.75, 3: 1.0}
#: Rows are shown to a tenth of a second: a time may lie so far beside its row.
_ROUNDING_SECONDS = 0.1

_SYSTEM = "You find when something happens in a video by reading timestamped lines. You reply with times only."
_AGAIN = """

Your last reply was not usable. At fault: {faults}
Allowed: lines `start-end confidence` with {start:.1f} <= start < end <= {end:.1f} in seconds and a confidence of 1, 2
or 3, or the one word none. Write the whole reply again."""

_TIME = r"\d{1,7}(?::\d{1,2}){0,2}(?:\.\d{1,6})?"
_DASH = r"\s?(?:-|–|—|\.\.|\bto\b)\s?"
_UNIT = r"(?:\s?(?:s|sec|seconds)\b)?"
_OBJECT = re.compile(r"\{[^{}]*\}")
_LIST = re.compile(rf'\[\s*"?({_TIME})"?\s*,\s*"?({_TIME})"?\s*(?:,\s*([\d.]+)\s*)?\]')
_IN_LINE = re.compile(
    rf"(?<![\d:.])({_TIME}){_UNIT}{_DASH}({_TIME})(?![\d:]){_UNIT}"
    rf"(?:[ ,;:=(\[|]{{0,4}}(?:confidence|conf)?[ :=(]{{0,4}}(\d+(?:\.\d+)?)(?![\d:]|{_DASH}\d))?",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"""\s*(?:```\w*)?[\s"'`(*]*(?:none\b|null\b|\[\s*\]|\{\s*(?:"\w+"\s*:\s*(?:\[\s*\]|null)\s*)?\})""", re.IGNORECASE
)
#: A row that the model repeats: its words are the video's and may look like times.
_REPEATED_TEXT = re.compile(r'\b[\w-]{1,40}: "(?:[^"\\]|\\.)*"?')


@dataclass(frozen=True, slots=True)
class Pick:
    """What the model chose; `confidence` is 1, 2 or 3."""

    span: Span
    confidence: int


def choose_spans(context: ToolContext, query: str, places: Sequence[Moment], where: Filter) -> list[Moment]:
    """The moments that `context.chat` chooses around `places`, best first; none where it sees nothing.

    `score` is the mean of the model's certainty (0.5, 0.75, 1) and the presence of the nearest place: what only one of
    them believes in must have all of its belief to reach 0.5. Text and rows are the catalogue's; similarity and ranks
    those of the place that shares time with it. If the model fails, or gives no usable reply, the places stay as they
    are, the ledger notes why, and the model is not asked again for this question.
    """
    found: list[Moment] = []
    for number, (video_id, near) in enumerate(by_video(places).items()):
        video = context.scope[video_id]
        rows = rows_around(context, query, video, near, where) if context.chat and number < MAX_VIDEOS else []
        try:
            picks = ask(context, query, video, rows) if rows else None
        except ModelError as error:
            why = f"{error} ({error.hint})" if error.hint else str(error)
            context.ledger.notes.append(f"ground: {why}; times are those of the search, no model narrowed them")
            context.chat = picks = None
        found += near if picks is None else _moments(context, video, picks, rows, near, where)
    return sorted(found, key=lambda moment: -moment.score)


def rows_around(
    context: ToolContext, query: str, video: Video, places: Sequence[Moment], where: Filter
) -> list[Observation]:
    """At most MAX_ROWS rows around the places of one video, each once, in time order.

    Of more, those inside of a place come first, then those that share most words with the query, then the nearest.
    """
    allowed = video.span.intersection(where.within) if where.within else video.span
    wide = [_widened(place.span).intersection(allowed) for place in places] if allowed else []
    found: dict[int, Observation] = {}
    for span in union(span for span in wide if span):
        found |= {row.id: row for row in context.catalogue.observations(video.id, within=span, tracks=where.tracks)}
    rows = each_once(found.values())
    if len(rows) > MAX_ROWS:
        wanted = set(content_words(query))

        def relevance(row: Observation) -> tuple[bool, int, float]:
            apart = min(distance_seconds(row.span, place.span) for place in places)
            return apart > 0, -len(wanted & set(content_words(row.text))), apart

        rows = in_order(sorted(rows, key=relevance)[:MAX_ROWS])
    return rows


def ask(context: ToolContext, query: str, video: Video, rows: Sequence[Observation]) -> list[Pick]:
    """What the model chooses among `rows` (at least one). Raises ModelError if it fails, or for its last bad reply."""
    shown = hull([row.span for row in rows])
    find, title = quoted(query, limit=_QUERY_CHARACTERS), quoted(video.title, limit=_SHOWN_CHARACTERS)
    about = [f"find: {find}", f"video: {title}, {video.duration_seconds:.1f} seconds long"]
    fence = context.fence
    prompt = render("ground", rows=fence.wrap([*about, *lines(rows)]), most=str(MAX_SPANS), marker=fence.marker)
    picks, faults = parse(reply(context, _SYSTEM, prompt), shown)
    for _ in range(MAX_REPAIRS):
        if not faults:
            break
        again = _AGAIN.format(faults="; ".join(faults[:3]), start=shown.start_seconds, end=shown.end_seconds)
        better, faults = parse(reply(context, _SYSTEM, prompt + again), shown)
        picks = better if better or not faults else picks
    name = context.chat.name if context.chat else ""
    if faults and not picks:
        raise ModelError(f"{name} gave no usable times: {faults[0]}")
    if faults:
        context.ledger.notes.append(f"ground: {name} gave times that cannot be used and were left out: {faults[0]}")
    return picks


def parse(reply: str, shown: Span) -> tuple[list[Pick], list[str]]:
    """The usable spans of a reply, and for everything else the text at fault with what is wrong with it.

    JSON objects with start and end, JSON lists of numbers, or lines; seconds or M:SS. "none" has neither.
    """
    reply = reply[:MAX_REPLY_CHARACTERS]
    picks: list[Pick] = []
    faults: list[str] = []
    for text, start, end, confidence in _entries(reply):
        try:
            picks.append(_pick(start, end, confidence, shown))
        except ValueError as error:
            faults.append(f"{quoted(text, limit=_SHOWN_CHARACTERS)}: {error}")
    if not picks and not faults and not _NONE.match(reply):
        faults.append(f"{quoted(reply, limit=_SHOWN_CHARACTERS)}: it names no time and is not the word none")
    return picks[:MAX_SPANS], faults


def _entries(reply: str) -> Iterator[tuple[str, str, str, str]]:
    """(text, start, end, confidence) as written, of the first notation that the reply uses."""
    objects = [text for text in _OBJECT.findall(reply) if re.search(r'"start"\s*:', text)]
    if objects:
        yield from map(_object_entry, objects)
    elif _LIST.search(reply):
        yield from ((match.group(), match[1], match[2], match[3] or "1") for match in _LIST.finditer(reply))
    else:
        for line in reply.splitlines():
            text = _REPEATED_TEXT.sub("", " ".join(line.split()))
            matches = list(_IN_LINE.finditer(text))
            yield from ((match.group(), match[1], match[2], match[3] or "1") for match in matches)
            # Words around the times are only talk; other numbers may be times that nobody could read.
            if not matches and re.search(r"\d", text):
                yield text, "", "", ""


def _object_entry(text: str) -> tuple[str, str, str, str]:
    try:
        data = json.loads(text)
    except ValueError:
        return text, "", "", ""
    return text, str(data["start"]), str(data.get("end", "")), str(data.get("confidence", 1))


def _pick(start: str, end: str, confidence: str, shown: Span) -> Pick:
    """Raises ValueError that says what is wrong; a span that reaches over `shown` is cut."""
    if not start or not end:
        raise ValueError("it holds no start and end that can be read")
    first, last = parse_timestamp(start.rstrip(" s")), parse_timestamp(end.rstrip(" s"))
    if first > last:
        raise ValueError("the start is after the end")
    if last < shown.start_seconds - _ROUNDING_SECONDS or first > shown.end_seconds + _ROUNDING_SECONDS:
        raise ValueError("it lies outside of the lines shown")
    if confidence not in {form for number in CERTAINTY for form in (f"{number}", f"{number}.0")}:
        raise ValueError(f"the confidence {confidence[:20]} is not 1, 2 or 3")
    # A point is the row that it lies in.
    least = 0.0 if last > first else _ROUNDING_SECONDS
    span = Span(max(0.0, first - least), last + least).intersection(_widened(shown, _ROUNDING_SECONDS))
    if span is None:
        raise ValueError("it lies outside of the lines shown")
    return Pick(span, int(float(confidence)))


def snap(span: Span, rows: Iterable[Observation]) -> Span | None:
    """From the first to the last row that lies at least half in `span`; of rows that all reach far beyond it, the one
    that holds most of it. None if it covers no row.
    """
    shares = [(row.span, shared.duration_seconds) for row in rows if (shared := row.span.intersection(span))]
    inside = [whole for whole, seconds in shares if seconds >= whole.duration_seconds / 2]
    if inside:
        return hull(inside)
    around = min(shares, key=lambda pair: (-pair[1], pair[0].duration_seconds), default=None)
    return around[0] if around else None


def merged(picks: Iterable[Pick]) -> list[Pick]:
    """In time order; those that share time become one, as sure as the surest of them."""
    found: list[Pick] = []
    for pick in sorted(picks, key=lambda pick: pick.span):
        if found and found[-1].span.overlaps(pick.span):
            last = found.pop()
            pick = Pick(last.span.hull(pick.span), max(last.confidence, pick.confidence))
        found.append(pick)
    return found


def _moments(
    context: ToolContext,
    video: Video,
    picks: Iterable[Pick],
    rows: Sequence[Observation],
    places: Sequence[Moment],
    where: Filter,
) -> list[Moment]:
    """The picks as moments; one that covers no row has nothing to show and is left out."""
    snapped = merged([Pick(span, pick.confidence) for pick in picks if (span := snap(pick.span, rows))])
    found = []
    for pick in snapped:
        span, inside = pick.span.intersection(video.span), _rows_in(context, video, pick.span, where)
        if span is None or not inside:
            continue
        near = min(places, key=lambda place: (distance_seconds(place.span, span), -place.score))
        shares = near.span.overlaps(span)
        moment = replace(
            join([to_moment(video.id, [row]) for row in inside]),
            span=span,
            score=(CERTAINTY[pick.confidence] + near.score) / 2,
            similarity=near.similarity if shares else None,
            ranks=near.ranks if shares else {},
        )
        found.append(moment)
    return found


def _rows_in(context: ToolContext, video: Video, span: Span, where: Filter) -> list[Observation]:
    """The rows that lie wholly in a snapped span, also those that were not shown: a quote must not skip any."""
    rows = context.catalogue.observations(video.id, within=span, tracks=where.tracks)
    return each_once(row for row in rows if row.span.hull(span) == span)


def _widened(span: Span, seconds: float = AROUND_SECONDS) -> Span:
    return Span(max(0.0, span.start_seconds - seconds), span.end_seconds + seconds)
