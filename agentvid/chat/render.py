"""How events, answers, hits and reasons look; what they say is untrusted and made safe where it is printed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from agentvid.chat.links import Watching
from agentvid.chat.session import Place
from agentvid.chat.terminal import Terminal, link
from agentvid.text import clean_text, shown_name, time_range, timestamp
from agentvid.types import Answer, Json, Span, Usage

#: More is to be had by /trace and --json.
_SHOWN_QUOTE, _SHOWN_PROGRAM_LINES, _SHOWN_GAPS = 300, 12, 5
_DIM = "dim"


def event_line(event: Mapping[str, Any]) -> str:
    """What happened, in one line."""
    if event["event"] == "tool":
        arguments = ", ".join(f"{name}={value!r}" for name, value in event["arguments"].items())
        outcome = event.get("error") or f"{event['found']} found"
        return f"{event['tool']}({shorten(arguments, 120)}) - {outcome}, {event['seconds']:.2f} s"
    return shorten(event["detail"], 200)


def print_event(terminal: Terminal, event: Mapping[str, Any]) -> None:
    """Programs, tool calls and notes stay on the screen; the rest is told by the status line alone."""
    kind = event.get("event")
    if kind == "program":
        lines = event["program"].strip().split("\n")
        for line in lines[:_SHOWN_PROGRAM_LINES]:
            terminal.print(line, indent=4, style=_DIM)
        if more := len(lines[_SHOWN_PROGRAM_LINES:]):
            terminal.print(f"... and {more} more lines: /program", indent=4, style=_DIM)
    elif kind == "tool":
        terminal.print(event_line(event), indent=2, style=_DIM)
    elif kind == "note":
        terminal.print(event_line(event), indent=2, style="yellow")


def print_answer(
    terminal: Terminal,
    answer: Answer,
    watching: Watching,
    *,
    known: Collection[str] = (),
    pictures: Mapping[int, RenderableType] | None = None,
) -> None:
    """The answer with numbers at its claims, what the numbers mean, and what is missing and not `known`."""
    terminal.print(_said(answer))
    if answer.evidence:
        terminal.print()
        if answer.abstained:
            terminal.print("nearest moments:", indent=2, style=_DIM)
        print_places(terminal, [Place.of(item) for item in answer.evidence], watching, pictures)
    terminal.print()
    told = [f"confidence {answer.confidence:.2f}", _coverage(answer), _cost(answer.usage)]
    terminal.print(" · ".join(told), indent=2, style=_DIM)
    if answer.stopped:
        terminal.print(f"stopped: {answer.stopped}", indent=2, style="yellow")
    for missing in answer.coverage.missing:
        if missing not in known:
            terminal.print(f"missing: {missing}", indent=2, style=_DIM)


def print_places(
    terminal: Terminal,
    places: Sequence[Place],
    watching: Watching,
    pictures: Mapping[int, RenderableType] | None = None,
) -> None:
    """Numbered moments; their times open the page where it runs, else a line says what plays them."""
    for number, place in enumerate(places, 1):
        line = Text.assemble((f"{number:>2}", "bold cyan"), "  ", place.name, "  ")
        line.append(link(times(place.span), watching.url(place), style="cyan"))
        if place.track:
            line.append(f"  {place.track}", style=_DIM)
        terminal.print(line, indent=2)
        if place.text:
            terminal.print(shorten(place.text, _SHOWN_QUOTE), indent=6)
        if pictures and number in pictures:
            terminal.show(pictures[number], indent=6)
        if command := watching.command(place):
            terminal.print(command, indent=6, style=_DIM)


def print_why(terminal: Terminal, told: Json) -> None:
    """What `Library.why` says."""
    if told["error"]:
        terminal.print(f"failed: {told['error']}")
    for claim in told["claims"]:
        terminal.print(Text.assemble((f"claim {claim['number']}", "bold"), f" {claim['verdict']}: {claim['text']}"))
        for item in claim["evidence"]:
            place = f"{shown_name(item['video'])} {item['start']:.2f}-{item['end']:.2f} s {item['track']}"
            terminal.print(f"{item['id']} {place}, score {item['score']:.3f}", indent=4)
            terminal.print(shorten(item["quote"], _SHOWN_QUOTE), indent=8, style=_DIM)
    for dropped in told["dropped"]:
        terminal.print(f"dropped, {dropped['verdict']}: {shorten(dropped['text'], _SHOWN_QUOTE)}", indent=2)
        terminal.print(dropped["reason"], indent=8, style=_DIM)
    for tried in told["programs"]:
        if tried["error"]:
            terminal.print(f"a program failed: {tried['error']}", indent=2)
    parts = [f"planned by {told['planner']}" if told["planner"] else "", told["form"]]
    parts.append(f"checked: {told['verify']}" if told["verify"] else "")
    if told["confidence"] is not None:
        parts.append(f"confidence {told['confidence']:.2f}")
    terminal.print(" · ".join(filter(None, parts)), indent=2, style=_DIM)
    if told["stopped"]:
        terminal.print(f"stopped: {told['stopped']}", indent=2)
    for missing in told["missing"]:
        terminal.print(f"missing: {missing}", indent=2)
    for gap in told["gaps"][:_SHOWN_GAPS]:
        span = f"{timestamp(gap['start'])}-{timestamp(gap['end'])}"
        terminal.print(
            f"gap: {gap['track']} was not read at {span} of {gap['video_id'][:12]}: {gap['reason']}", indent=2
        )
    if more := len(told["gaps"][_SHOWN_GAPS:]):
        terminal.print(f"gap: and {more} more", indent=2)


def print_error(terminal: Terminal, message: str, hint: str = "") -> None:
    """One line: what was wrong and, after the dash, the way out."""
    terminal.print(Text.assemble(("! ", "bold red"), clean_text(message + (f" - {hint}" if hint else ""))))


def times(span: Span) -> str:
    return time_range(span.start_seconds, span.end_seconds)


def shorten(value: object, limit: int) -> str:
    """At most so many characters, in one line."""
    text = clean_text(str(value), limit=limit + 1)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def usage_line(usage: Usage) -> str:
    """What questions cost, in words."""
    parts = [f"{usage.seconds:.1f} s", f"{usage.steps} steps", f"{usage.tool_calls} tool calls"]
    if usage.llm_calls:
        parts.append(f"{usage.llm_calls} model calls, {usage.input_tokens} + {usage.output_tokens} tokens")
    if usage.frames:
        parts.append(f"{usage.frames} frames")
    if usage.money is not None:
        parts.append(f"money {usage.money:.4f}")
    return ", ".join(parts)


def _said(answer: Answer) -> Text:
    """The answer; behind each claim the numbers of its evidence, where its words are those of the claims."""
    numbers = {item.id: number for number, item in enumerate(answer.evidence, 1)}
    text, rest = Text(), answer.text
    for claim in answer.claims:
        if text and rest.startswith(" "):
            text.append(" ")
            rest = rest[1:]
        if not rest.startswith(claim.text):
            return Text(answer.text)
        end = len(claim.text)
        end += rest[end : end + 1] == "."
        text.append(rest[:end])
        text.append("".join(f" [{numbers[name]}]" for name in claim.evidence), style="cyan")
        rest = rest[end:]
    return text.append(rest)


def _coverage(answer: Answer) -> str:
    coverage = answer.coverage
    videos = f"{coverage.videos} video{'' if coverage.videos == 1 else 's'}"
    return f"{videos}, {timestamp(coverage.seconds)}, {', '.join(coverage.tracks) or 'no track'}"


def _cost(usage: Usage) -> str:
    tokens = f", {usage.input_tokens + usage.output_tokens} tokens" if usage.llm_calls else ""
    return f"{usage.seconds:.1f} s{tokens}"
