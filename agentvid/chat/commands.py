"""The slash commands: one table, from which help, completion and the suggestion for a wrong one are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, Literal

from agentvid.budget import Budget
from agentvid.chat.evidence import clip, export, play
from agentvid.chat.links import Watching
from agentvid.chat.render import print_places, print_why, shorten, usage_line
from agentvid.chat.session import Session
from agentvid.chat.terminal import Terminal
from agentvid.chat.words import split_words
from agentvid.config import VERIFY
from agentvid.errors import UsageError
from agentvid.text import printable_line, timestamp

#: What Tab offers behind a command.
Offer = Literal["", "videos", "moments", "claims", "formats", "verify", "budget", "threads", "commands"]
_SHOWN_TURNS = 3


class Quit(Exception):
    """The user wants to leave."""


@dataclass(frozen=True, slots=True)
class Command:
    """`run` gets what stands behind the name; it raises AgentvidError for what it does not take."""

    name: str
    arguments: str
    about: str
    run: Callable[[Session, Terminal, str], None]
    offers: Offer = ""


def run_command(session: Session, terminal: Terminal, line: str) -> None:
    """Run "/name rest". Raises UsageError with near names for one that is none, Quit, and what the command raises."""
    name, _, rest = line.removeprefix("/").partition(" ")
    command = COMMANDS.get(name.lower())
    if command is None:
        near = get_close_matches(name.lower(), COMMANDS, n=1, cutoff=0.5)
        hint = f"did you mean /{near[0]}?" if near else "/help lists the commands"
        raise UsageError(f"no command /{name[:40]}", hint=hint)
    command.run(session, terminal, rest.strip())


def show_help(session: Session, terminal: Terminal, rest: str) -> None:
    usages = {name: f"/{name} {command.arguments}".rstrip() for name, command in COMMANDS.items()}
    # In a narrow window, or one command alone, what it does has a line of its own.
    column = max(map(len, usages.values())) + 2
    is_wide = terminal.width >= column + 40
    chosen = [word.removeprefix("/") for word in split_words(rest)]
    for name, command in COMMANDS.items():
        if chosen and name not in chosen:
            continue
        if is_wide:
            terminal.print(f"{usages[name]:<{column}}{command.about}")
        else:
            terminal.print(usages[name])
            terminal.print(command.about, indent=2, style="dim")
    if not chosen:
        terminal.print()
        terminal.print(
            "Enter asks; Esc Enter, or a backslash before Enter, begins a new line; Tab completes.", style="dim"
        )
        terminal.print(
            "Ctrl-C ends an answer and keeps what it has, or clears the line; twice, or Ctrl-D, quits.", style="dim"
        )


def set_scope(session: Session, terminal: Terminal, rest: str) -> None:
    words = split_words(rest)
    if words:
        session.set_scope(() if words == ["all"] else words)
    terminal.print(f"scope: {', '.join(session.scope_names()) or 'all videos'}")


def show_why(session: Session, terminal: Terminal, rest: str) -> None:
    trace_id = session.last_answer().trace_id
    print_why(terminal, session.library.why(trace_id, claim=_number(rest) if rest else None))


def show_trace(session: Session, terminal: Terminal, rest: str) -> None:
    document = session.library.trace(rest or session.last_answer().trace_id)
    terminal.print(f"{document['trace_id']}  {document['question']}")
    for line in document["program"].strip().splitlines():
        terminal.print(line, indent=4)
    for step in document["steps"]:
        terminal.print(f"{step['name'] or 'result'}: {step['type']} = {shorten(step['value'], 200)}", indent=2)
    terminal.print(f"answer: {document['answer']}" if "answer" in document else f"failed: {document['error']}")
    terminal.print(f"again, offline: agentvid trace replay {document['trace_id']}", style="dim")


def show_program(session: Session, terminal: Terminal, rest: str) -> None:
    terminal.print(session.last_answer().program.strip() or "no program was run")


def set_model(session: Session, terminal: Terminal, rest: str) -> None:
    if rest:
        session.library.use_model("" if rest == "none" else rest)
    terminal.print(f"model: {session.model or 'none: the embedded planner'}")


def set_verify(session: Session, terminal: Terminal, rest: str) -> None:
    if rest and rest not in VERIFY:
        raise UsageError(f"verify = {rest!r:.40} is not allowed; allowed: {', '.join(VERIFY)}")
    session.verify = rest or session.verify
    terminal.print(f"verify: {session.verify or session.library.settings.verify}")


def set_budget(session: Session, terminal: Terminal, rest: str) -> None:
    for word in split_words(rest):
        session.budget = replace(session.budget, **_limit(word))
    limits = ((field.name, getattr(session.budget, field.name)) for field in fields(Budget))
    terminal.print(
        "budget: " + ", ".join(f"{name}={'none' if limit is None else f'{limit:g}'}" for name, limit in limits)
    )


def _limit(word: str) -> dict[str, Any]:
    name, equals, value = word.partition("=")
    known = [field.name for field in fields(Budget)]
    if not equals or name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}=...?" if near else "as in /budget seconds=30 tokens=none"
        raise UsageError(f"{word[:60]!r} is no limit; allowed: {', '.join(f'{one}=N' for one in known)}", hint=hint)
    if value == "none":
        return {name: None}
    try:
        number = float(value)
    except ValueError:
        raise UsageError(f"{name} = {value[:40]!r} is not a number", hint=f"as in {name}=10, or {name}=none") from None
    return {name: int(number) if number.is_integer() else number}


def set_choices(session: Session, terminal: Terminal, rest: str) -> None:
    words = [part.strip() for part in rest.split("|")] if "|" in rest else split_words(rest)
    if len(words) == 1 and words != ["none"]:
        raise UsageError(f"one choice, {words[0][:40]!r}, is none; allowed: 2 or more", hint='/choices red "dark blue"')
    if words:
        session.choices = () if words == ["none"] else tuple(words)
    terminal.print(f"choices: {' | '.join(session.choices) or 'none'}")


def list_threads(session: Session, terminal: Terminal, rest: str) -> None:
    threads = session.library.threads()
    for item in threads:
        mark = "*" if item["thread"] == session.thread else " "
        turns = f"{item['turns']} question{'' if item['turns'] == 1 else 's'}"
        terminal.print(f"{mark} {item['thread']}  {turns}: {shorten(item['question'], 80)}")
    if not threads:
        terminal.print("no thread yet: the first question begins one")


def resume(session: Session, terminal: Terminal, rest: str) -> None:
    if not rest:
        raise UsageError("/resume needs the name of a thread", hint="/threads lists them")
    show_turns(session, terminal, session.resume(rest))


def show_turns(session: Session, terminal: Terminal, turns: Sequence[Mapping[str, Any]]) -> None:
    """The end of a thread that is gone on with."""
    terminal.print(
        f"thread {session.thread}, {len(turns)} question{'' if len(turns) == 1 else 's'} so far", style="dim"
    )
    for turn in turns[-_SHOWN_TURNS:]:
        terminal.print(f"> {turn['question']}", style="bold")
        terminal.print(turn["answer"])
    if session.places:
        terminal.print()
        print_places(terminal, session.places, Watching.now(session.library.catalogue.directory))


def begin(session: Session, terminal: Terminal, rest: str) -> None:
    session.begin()
    terminal.print(f"thread {session.thread}", style="dim")


def find(session: Session, terminal: Terminal, rest: str) -> None:
    hits = session.find(rest)
    for change in session.library.spelling(rest):
        terminal.print(str(change))
    if not hits:
        terminal.print("nothing found")
    print_places(terminal, session.places, Watching.now(session.library.catalogue.directory))


def list_videos(session: Session, terminal: Terminal, rest: str) -> None:
    videos = session.library.list_videos()
    for video in videos:
        is_in = not session.scope or video["video_id"] in session.scope
        tracks = ", ".join(f"{track} {count}" for track, count in video["tracks"].items())
        length = timestamp(video["duration"]) if video["duration"] else "-"
        mark = "*" if is_in and video["video_id"] else " "
        terminal.print(f"{mark} {printable_line(video['path'])}  {length}  {tracks or video['state']}")
    if not videos:
        terminal.print("the library is empty: `agentvid index PATH` adds videos")


def show_usage(session: Session, terminal: Terminal, rest: str) -> None:
    if session.answer:
        terminal.print(f"last question: {usage_line(session.answer.usage)}")
    terminal.print(f"this session, {session.asked} questions: {usage_line(session.total)}")


def leave(session: Session, terminal: Terminal, rest: str) -> None:
    raise Quit


def _number(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"{text[:40]!r} is not a number", hint="as in /why 2")
    return int(text)


COMMANDS: Mapping[str, Command] = {
    command.name: command
    for command in (
        Command("help", "[COMMAND]", "list the commands", show_help, "commands"),
        Command("scope", "[VIDEO... | all]", "ask of these videos only", set_scope, "videos"),
        Command("videos", "", "list the videos; * marks those in scope", list_videos),
        Command("find", "QUERY", "search without asking; numbers the hits", find),
        Command("play", "[NUMBER]", "play a numbered moment", play, "moments"),
        Command("clip", "[NUMBER [FILE]]", "cut a numbered moment into an mp4", clip, "moments"),
        Command(
            "export", "[FORMAT [FILE]]", "write the last answer or hits; alone it lists formats", export, "formats"
        ),
        Command("why", "[CLAIM]", "evidence, verdicts and scores; what was dropped or missing", show_why, "claims"),
        Command("trace", "[ID]", "what the run of the last answer did, step by step", show_trace),
        Command("program", "", "the program behind the last answer", show_program),
        Command("model", "[PROVIDER:NAME | none]", "plan and compose with this LLM", set_model),
        Command("verify", "[standard | strict]", "how claims are checked", set_verify, "verify"),
        Command("budget", "[NAME=LIMIT...]", "what one question may use, as seconds=30", set_budget, "budget"),
        Command("choices", "[A | B... | none]", "make the next questions multiple choice", set_choices),
        Command("threads", "", "list the conversations; * marks this one", list_threads),
        Command("resume", "THREAD", "go on with an earlier conversation", resume, "threads"),
        Command("new", "", "begin a new conversation", begin),
        Command("usage", "", "what the last question and this session cost", show_usage),
        Command("quit", "", "leave; the conversation is kept", leave),
    )
}
