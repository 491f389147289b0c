"""`agentvid search`, `ask` and `program`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from agentvid.cli import completing
from agentvid.cli.explaining import expected_lines, hit_lines, parse_expected, put_off_lines
from agentvid.cli.interrupts import cancel_on_interrupt
from agentvid.cli.limits import MaxFrames, MaxLlmCalls, MaxMoney, MaxSeconds, MaxSteps, MaxTokens, MaxToolCalls
from agentvid.cli.output import note, print_json, print_line, print_text, shorten
from agentvid.cli.state import AsJson, Model, Reranker, Thread, Verify, Videos, Vision
from agentvid.cli.steps import ask_showing_steps
from agentvid.errors import EXIT_INTERRUPTED, EXIT_NOTHING_FOUND, EXIT_SOME_FAILED, UsageError
from agentvid.text import parse_timestamp, shown_name, time_range, timestamp

if TYPE_CHECKING:
    from agentvid.indexes.explain import Explanation
    from agentvid.models.cassette import Cassette
    from agentvid.types import Answer, Evidence, Hit, Level, Span

#: So many gaps an answer prints; `--json` has all.
_SHOWN_GAPS = 5
#: A score below is 0.000 on the screen.
_LEAST_SCORE = 0.0005
#: In a thread, `--video` holds for the questions after it; this takes it back.
EVERY_VIDEO = "all"


def search(
    context: typer.Context,
    query: Annotated[str | None, typer.Argument(metavar="QUERY", show_default=False)] = None,
    k: Annotated[int, typer.Option("-k", metavar="N", help="At most N hits.")] = 10,
    videos: Videos = None,
    tracks: Annotated[
        list[str] | None,
        typer.Option(
            "--track",
            metavar="TRACK",
            help="Only this track; may repeat.",
            show_default=False,
            autocompletion=completing.tracks,
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From this time: seconds or M:SS.", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Up to this time: seconds or M:SS.", show_default=False)
    ] = None,
    batch: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl", help="One query per line; prints one JSON line each.", show_default=False),
    ] = None,
    level: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="Find each chapter, or each video, that holds moments.", show_default=False),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Find frames that look like this picture.", show_default=False),
    ] = None,
    frame: Annotated[
        str | None,
        typer.Option(metavar="VIDEO@TIME", help="Find frames that look like this one.", show_default=False),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say of every hit why it ranks where it does.")] = False,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="START-END",
            help="With --explain and one --video: why these seconds were found or missed.",
            show_default=False,
        ),
    ] = None,
    reranker: Reranker = None,
    as_json: AsJson = False,
) -> None:
    """Find moments by meaning and by words.

    Example: agentvid search "launch date" --track speech --to 1:00

    Example: agentvid search "the budget" --video talk.mp4 -k 3 --json
    """
    if sum(given is not None for given in (query, batch, image, frame)) != 1:
        raise UsageError(
            "give one of QUERY, --batch FILE.jsonl, --image FILE and --frame VIDEO@TIME",
            hint="agentvid search --help shows examples",
        )
    by_picture = image is not None or frame is not None
    if by_picture and (explain or level is not None or tracks):
        raise UsageError("--image and --frame do not go with --explain, --level or --track", hint="leave it out")
    if level is not None and (explain or batch is not None):
        raise UsageError("--level does not go with --explain or --batch", hint="leave one of them out")
    span = _expected_span(expect, videos or (), is_explained=explain, is_batch=batch is not None)
    window = {"start": _seconds("--from", start), "end": _seconds("--to", end)}
    with context.obj.open(flags={"reranker": reranker}) as library:
        if batch is not None:
            is_any_bad = False
            for document in library.search_batch(batch, k=k, videos=videos or (), tracks=tracks or (), **window):
                print_json(document, indent=None)
                is_any_bad = is_any_bad or "error" in document
            if is_any_bad:
                raise typer.Exit(EXIT_SOME_FAILED)
            return
        explanation = None
        if by_picture:
            query = frame or str(image)
            hits = library.search_picture(image or "", frame=frame or "", k=k, videos=videos or (), **window)
        elif query is None:
            raise AssertionError("one of four is given")
        elif explain:
            expected = (videos[0], span) if videos and span else None
            explanation = library.explain(
                query, k=k, videos=videos or (), tracks=tracks or (), **window, expected=expected
            )
            hits = [explained.hit for explained in explanation.hits]
            if library.settings.reranker:
                note("--explain shows the hits before reranking, which is no part of the explanation")
        else:
            chosen = cast("Level | None", level)  # `Library.search` says what is allowed
            hits = library.search(query, k=k, videos=videos or (), tracks=tracks or (), **window, level=chosen)
        spelling = () if by_picture else library.spelling(query)
        notes = [*library.notes(), *map(str, spelling)]
        known = library.tracks() if tracks and not hits else []
    for line in notes:
        note(line)
    if as_json:
        from agentvid.reports import search_json

        print_json(explanation.to_json() if explanation else search_json(query, spelling, hits))
    else:
        shown = hits if explanation else worth_showing(hits)
        _print_hits(shown, explanation)
        if left_out := len(hits) - len(shown):
            note(f"{left_out} more {'hits add' if left_out > 1 else 'hit adds'} next to nothing; --json has them")
    if not hits:
        note(_nothing_found(tracks or (), known))
        raise typer.Exit(EXIT_NOTHING_FOUND)


def _nothing_found(tracks: Sequence[str], known: Sequence[str]) -> str:
    """With the way out where a --track is one that no video has."""
    unknown = [repr(track) for track in tracks if track not in known]
    if not unknown:
        return "nothing found"
    return f"nothing found: no video has the track {' or '.join(unknown)}; tracks here: {', '.join(known) or 'none'}"


def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    videos: Videos = None,
    choices: Annotated[
        list[str] | None,
        typer.Option("--choice", metavar="TEXT", help="One option of a multiple choice; repeat.", show_default=False),
    ] = None,
    model: Model = None,
    vision: Vision = None,
    verify: Verify = None,
    reranker: Reranker = None,
    max_steps: MaxSteps = None,
    max_tool_calls: MaxToolCalls = None,
    max_llm_calls: MaxLlmCalls = None,
    max_tokens: MaxTokens = None,
    max_money: MaxMoney = None,
    max_frames: MaxFrames = None,
    max_seconds: MaxSeconds = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the LLM's calls to this cassette.", show_default=False),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the LLM's replies from this cassette.", show_default=False),
    ] = None,
    thread: Thread = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question; every claim cites seconds, or the answer abstains (exit code 3).

    In a thread, --video holds for the next questions too; `--video all` takes it back.

    At the first limit that is reached the best answer so far is printed, and which limit it was. So does Ctrl-C; a
    second one ends at once.

    Example: agentvid ask "When is the launch date mentioned?" --video talk.mp4

    Example: agentvid ask "What is said about the budget?" --thread launch --json
    """
    flags = {
        "model": model,
        "vision": vision,
        "reranker": reranker,
        "verify": verify,
        "max_steps": max_steps,
        "max_tool_calls": max_tool_calls,
        "max_llm_calls": max_llm_calls,
        "max_tokens": max_tokens,
        "max_money": max_money,
        "max_frames": max_frames,
        "max_seconds": max_seconds,
    }
    with (
        context.obj.open(flags=flags) as library,
        _cassette(record, replay) as cassette,
        cancel_on_interrupt() as cancel,
    ):
        answer = ask_showing_steps(
            library,
            question,
            videos=[] if videos == [EVERY_VIDEO] else videos,
            choices=choices or (),
            model=model or "",
            cassette=cassette,
            thread=thread or "",
            cancel=cancel,
        )
        notes = library.notes()
        videos_of_gaps = library.catalogue.videos() if answer.coverage.gaps else []
    for line in notes:
        note(line)
    if as_json:
        print_json(answer.to_json())
    else:
        _print_answer(answer, {video.id: shown_name(video.name) for video in videos_of_gaps})
    if cancel.is_set:
        raise typer.Exit(EXIT_INTERRUPTED)
    if answer.abstained:
        raise typer.Exit(EXIT_NOTHING_FOUND)


def program(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A program; - is stdin.")],
    check: Annotated[bool, typer.Option("--check", help="Parse and type-check only.")] = False,
    videos: Videos = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="PROVIDER:NAME", help="Let tools that can ask this LLM.", show_default=False),
    ] = None,
    vision: Vision = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON is all it prints, also without this.")] = False,
) -> None:
    """Run a program of the planner's language and print its typed value and steps as JSON.

    Example: agentvid program plan.txt --check

    Example: echo 'search(query="launch date")' | agentvid program -
    """
    source = _read_source(file)
    if check:
        from agentvid.tools import load_tools
        from agentvid.tools.program import check_program

        print_json({"ok": True, "type": check_program(source, load_tools()).type})
        return
    with context.obj.open(flags={"model": model, "vision": vision}) as library:
        run = library.run_program(source, videos=videos or ())
    for line in run.notes:
        note(line)
    print_json(run.to_json())


def _cassette(record: Path | None, replay: Path | None) -> AbstractContextManager[Cassette | None]:
    if record and replay:
        raise UsageError("--record and --replay exclude each other", hint="record first, then replay the file")
    if not record and not replay:
        return nullcontext()
    from agentvid.models.cassette import Cassette

    return Cassette.recording(record) if record else Cassette.replaying(replay or "")


def _read_source(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read as a program: {error}") from None


def _seconds(flag: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def _expected_span(expect: str | None, videos: Sequence[str], *, is_explained: bool, is_batch: bool) -> Span | None:
    """The span of --expect. Raises UsageError if it is none, or if the other options do not go with it."""
    if is_explained and is_batch:
        raise UsageError(
            "--explain cannot be used with --batch; allowed: one QUERY", hint="explain one query at a time"
        )
    if expect is None:
        return None
    if not is_explained:
        raise UsageError("--expect needs --explain", hint="add --explain")
    if len(videos) != 1:
        raise UsageError(f"--expect needs exactly one --video, got {len(videos)}", hint="name the video of that span")
    return parse_expected(expect)


def worth_showing(hits: Sequence[Hit]) -> Sequence[Hit]:
    """`hits` up to the last one that has a score at all; all of them if none has."""
    scored = [number for number, hit in enumerate(hits, 1) if hit.moment.score >= _LEAST_SCORE]
    return hits[: scored[-1]] if scored else hits


def _print_hits(hits: Sequence[Hit], explanation: Explanation | None) -> None:
    for number, hit in enumerate(hits, 1):
        span, moment = hit.moment.span, hit.moment
        place = f"{shown_name(hit.video)}  {time_range(span.start_seconds, span.end_seconds)}"
        score = f"{moment.score:.3f}" if moment.score >= _LEAST_SCORE else "< 0.001"
        ranks = ", ".join(f"{channel} {rank}" for channel, rank in moment.ranks.items())
        print_text(f"{number:2}  {place}  [{moment.track}]  score {score} ({ranks})")
        print_text(f"    {shorten(moment.text, 300)}")
        for line in hit_lines(explanation.hits[number - 1], number) if explanation else ():
            print_text(f"      {line}")
    for line in put_off_lines(explanation) if explanation else ():
        print_text(line)
    if explanation and explanation.expected:
        print_text()
        for line in expected_lines(explanation.expected):
            print_text(line)


def _print_answer(answer: Answer, names: Mapping[str, str]) -> None:
    """`names`: video id -> what to call the videos of gaps."""
    if answer.understood:
        print_text(f"({answer.understood})")
    print_text(answer.text)
    if answer.evidence:
        print_text()
        print_text("nearest moments:" if answer.abstained else "evidence:")
    for item in answer.evidence:
        print_text(f"  [{item.id}] {_place(item)} {item.track}: {shorten(item.quote, 300)}")
    print_text()
    print_text(f"confidence {answer.confidence:.2f}; looked at {_coverage(answer)}")
    if answer.stopped:
        print_text(f"stopped: {answer.stopped}")
    for missing in answer.coverage.missing:
        print_line(f"missing: {missing}")
    for gap in answer.coverage.gaps[:_SHOWN_GAPS]:
        times = time_range(gap.span.start_seconds, gap.span.end_seconds)
        name = names.get(gap.video_id, gap.video_id)
        print_line(f"gap: {gap.track} was not read at {times} of {name}: {shorten(gap.reason, 300)}")
    if len(answer.coverage.gaps) > _SHOWN_GAPS:
        print_line(f"gap: and {len(answer.coverage.gaps) - _SHOWN_GAPS} more, as `agentvid show VIDEO --json` tells")
    if answer.trace_id:
        print_text(f"trace {answer.trace_id}: agentvid trace show {answer.trace_id}")
    else:
        print_text("no trace: the library cannot be written, or its disk is full")


def _place(item: Evidence) -> str:
    start, end = item.span.start_seconds, item.span.end_seconds
    return f"{shown_name(item.video)} {time_range(start, end)} ({start:.2f}-{end:.2f} s)"


def _coverage(answer: Answer) -> str:
    coverage = answer.coverage
    tracks = ", ".join(coverage.tracks) or "no track"
    return f"{coverage.videos} video(s), {timestamp(coverage.seconds)}, {tracks}"
