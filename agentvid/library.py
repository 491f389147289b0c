"""`Library`: what every door calls."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from agentvid.budget import NEVER, Cancel
from agentvid.config import STAGES, Settings, go_offline, load_settings, stay_off_hubs
from agentvid.egress import outlet_of, read_log
from agentvid.errors import LibraryDamaged, LibraryTooNew, NotFound, UnknownVideo, UsageError
from agentvid.events import Event, counted, stage
from agentvid.indexes.base import Filter
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.levels import MOMENTS_PER_SECTION, MOST_MOMENTS, lift
from agentvid.indexes.ranking import shared_out
from agentvid.indexes.vectors import choose_backend
from agentvid.media.limits import KEY_FRAME_SIDE, limits_of
from agentvid.media.read import frames_at, read_picture
from agentvid.parts import Parts
from agentvid.reports import IndexReport, failure_json, search_json, summary_json, video_json
from agentvid.text import check_query, check_question, parse_timestamp, timestamp
from agentvid.types import LEVELS, Answer, Hit, Json, Level, Moment, Span, Video

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler

    from agentvid.adding import Progress
    from agentvid.budget import Budget
    from agentvid.estimate import Estimate
    from agentvid.graph import AskContext
    from agentvid.indexes.explain import Explanation
    from agentvid.indexes.retriever import Retriever
    from agentvid.indexes.spelling import Respelling
    from agentvid.models.base import Image
    from agentvid.models.cassette import Cassette
    from agentvid.planners.bank import ExampleBank, Form
    from agentvid.replay import Replay
    from agentvid.tools.program import Run

MAX_HITS = 1000
#: Later than any video ends: an open `--to`.
_FOREVER_SECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Removed:
    """What `Library.remove` took out: a video, or with the id "" a file that could not be indexed."""

    id: str
    name: str


class Library:
    """A directory holding one catalogue and its indexes.

    with Library.open("films") as library:
        library.add(["talk.mp4"])
        print(library.ask("When is the launch date mentioned?").text)
    """

    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        self.catalogue = catalogue
        self.parts = Parts(catalogue, settings)
        kept = outlet_of(settings, "model").kept
        if settings.offline or kept.issuperset(STAGES):
            go_offline()
        elif "downloads" in kept:
            stay_off_hubs()

    @classmethod
    def open(
        cls, directory: str | Path | None = None, *, settings: Settings | None = None, create: bool = True
    ) -> Library:
        """Open or create a library.

        Raises UsageError for bad settings, NotFound if `create` is False and there is none, LibraryTooNew,
        LibraryDamaged.
        """
        settings = settings or load_settings().settings
        if directory:
            settings = settings.model_copy(update={"library": Path(directory)})
        return cls(Catalogue.open(settings.library, create=create), settings)

    @property
    def settings(self) -> Settings:
        """Others may be set: for what is opened from then on. Parts that are open stay as they are."""
        return self.parts.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.parts.settings = settings

    def close(self) -> None:
        self.catalogue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # -- path 1: index ------------------------------------------------------------------------------------------

    def add(
        self, paths: Sequence[str | Path], *, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> IndexReport:
        """Index video files, and directories of them. A file that fails becomes a failed row; the others go on.

        Once `cancel` is set, the file that is being read is left as it was, and it and the rest are skipped as STOPPED.
        Raises LibraryBusy if another process writes, LibraryError if the library cannot be written.
        """
        from agentvid.adding import Adding

        return Adding(self.parts, progress, cancel or NEVER).add(paths)

    def estimate(self, paths: Sequence[str | Path]) -> Estimate:
        """What `add` would spend on captions of these files; nothing is sent to a provider, nothing is stored.

        Raises UsageError if captions are wanted and no model is set.
        """
        from agentvid.estimate import estimate

        return estimate(paths, self.settings, self.catalogue.results)

    def import_file(self, file: str | Path | Iterable[bytes], *, progress: Progress | None = None) -> IndexReport:
        """Import text-only videos from a JSONL file, or from its lines; a bad line fails its own video only.

        Raises UsageError if the file cannot be read.
        """
        from agentvid.adding import Adding

        return Adding(self.parts, progress).import_file(file)

    # -- search -------------------------------------------------------------------------------------------------

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        videos: Sequence[str] = (),
        tracks: Sequence[str] = (),
        start: float | None = None,
        end: float | None = None,
        level: Level | None = None,
    ) -> list[Hit]:
        """The best moments for `query`, at most `k`, best first; with `level` the chapters, or videos, that hold them.

        Raises UsageError for an empty or over-long query, k < 1, reversed times or another level; UnknownVideo,
        AmbiguousVideo; with a reranker, MissingDependency and ModelError.
        """
        check_query(query, "query", hint="write the query in quotes")
        where = self._where(k, videos, tracks, start, end)
        names: dict[str, str] = {}
        hits = []
        for moment in self._found(query, k, where, level):
            if moment.video_id not in names:
                names[moment.video_id] = self.catalogue.video(moment.video_id).name
            hits.append(Hit(names[moment.video_id], moment))
        return hits

    def spelling(self, query: str) -> tuple[Respelling, ...]:
        """The words of `query` that `search` looks for in another spelling, since no passage has them as they are."""
        return self.retriever.respelt(query).changes

    def search_picture(
        self,
        image: str | Path = "",
        *,
        frame: str = "",
        k: int = 10,
        videos: Sequence[str] = (),
        start: float | None = None,
        end: float | None = None,
    ) -> list[Hit]:
        """The moments whose frames look like a picture file, or like the frame "VIDEO@TIME" of the library.

        Raises UsageError unless one of the two is given and the library can search frames, for another form of
        `frame` and for k and times what `search` raises; MediaError for what cannot be decoded, UnknownVideo,
        AmbiguousVideo, MissingDependency, ModelError.
        """
        if bool(str(image)) == bool(frame):
            raise UsageError("give a picture or a frame", hint="image='photo.jpg', or frame='talk.mp4@1:23'")
        where = self._where(k, videos, (), start, end)
        frames = self.retriever.frames
        if frames is None:
            held = self.catalogue.spaces("frames")
            hint = "index videos with the setting frame_embedder, as in AGENTVID_FRAME_EMBEDDER=NAME"
            raise UsageError(
                self.parts.frames_note or "no video of the library has vectors of frames", hint="" if held else hint
            )
        pixels = self._frame_of(frame) if frame else read_picture(Path(image).expanduser(), limits_of(self.settings))
        vector = frames.embedder.encode([pixels])[0]
        return [
            Hit(self.catalogue.video(moment.video_id).name, moment)
            for moment in frames.search(vector, k=k, where=where, most=self.retriever.most_of_one_video(where))
        ]

    def _frame_of(self, reference: str) -> Image:
        """The pixels of the frame "VIDEO@TIME", as indexing sees them."""
        name, at, time = reference.rpartition("@")
        if not at or not name:
            raise UsageError(f"{reference!r} is no frame; allowed: VIDEO@TIME", hint="as in talk.mp4@1:23")
        video = self.catalogue.find_video(name)
        try:
            seconds = parse_timestamp(time)
        except ValueError as error:
            raise UsageError(str(error), hint="as in talk.mp4@1:23") from None
        if seconds >= video.duration_seconds:
            raise UsageError(f"{time} is not in {video.name!r}; allowed: before {video.duration_seconds:g} s")
        path = next((path for path in video.paths if Path(path).exists()), None)
        if path is None:
            raise NotFound(f"the file of {video.name!r} is not there", hint="a frame is read from the file itself")
        return frames_at(Path(path), [seconds], max_side=KEY_FRAME_SIDE, limits=limits_of(self.settings))[0].image

    def _found(self, query: str, k: int, where: Filter, level: Level | None) -> list[Moment]:
        if level is None:
            return self.retriever.search(query, k=k, where=where)
        if level not in LEVELS:
            raise UsageError(f"level = {level!r} is not allowed; allowed: {', '.join(LEVELS)}")
        moments = self.retriever.search(query, k=max(k, min(MOMENTS_PER_SECTION * k, MOST_MOMENTS)), where=where)
        found = lift(moments, self.catalogue.sections, level, k=max(k, MOST_MOMENTS))
        most = self.retriever.most_of_one_video(where)
        if most is not None:
            found = [found[at] for at in shared_out([section.video_id for section in found], most)]
        return found[:k]

    def explain(
        self,
        query: str,
        *,
        k: int = 10,
        videos: Sequence[str] = (),
        tracks: Sequence[str] = (),
        start: float | None = None,
        end: float | None = None,
        expected: tuple[str, Span] | None = None,
    ) -> Explanation:
        """The hits of `search`, and why each ranks where it does; of an expected (video, span), what became.

        Reranking is no part of it: with a reranker these are the hits, and the order, before it.

        Raises what `search` raises, and UsageError if the expected span begins after its video's end.
        """
        check_query(query, "query", hint="write the query in quotes")
        where = self._where(k, videos, tracks, start, end)
        wanted = self._in_video(*expected) if expected else None
        return self.retriever.explain(query, k=k, where=where, expected=wanted)

    def _where(
        self, k: int, videos: Sequence[str], tracks: Sequence[str], start: float | None, end: float | None
    ) -> Filter:
        """The filter of a search for `k` hits. Raises UsageError, UnknownVideo, AmbiguousVideo."""
        if not 1 <= k <= MAX_HITS:
            raise UsageError(f"k = {k} is not allowed; allowed: 1 to {MAX_HITS}")
        return Filter(
            video_ids=tuple(self.catalogue.find_video(reference).id for reference in videos),
            tracks=tuple(tracks),
            within=_window(start, end),
        )

    def _in_video(self, reference: str, span: Span) -> tuple[str, Span]:
        video = self.catalogue.find_video(reference)
        if span.start_seconds >= video.duration_seconds:
            # Seconds, not a clock: the clock cuts fractions, and 0:30 would not be before 0:30.
            asked = f"{span.start_seconds:g}-{span.end_seconds:g} s"
            raise UsageError(f"{asked} is not in {video.name!r}; allowed: a start before {video.duration_seconds:g} s")
        return video.id, span

    def search_batch(
        self,
        file: str | Path,
        *,
        k: int = 10,
        videos: Sequence[str] = (),
        tracks: Sequence[str] = (),
        start: float | None = None,
        end: float | None = None,
    ) -> Iterator[Json]:
        """One document per line of a JSONL file of {"query", "video"?}, in order.

        A bad line yields {"line", "error"} instead of hits and the others go on. Raises UsageError for an
        unreadable file, and for k, videos and times what `search` raises.
        """
        self._where(k, videos, tracks, start, end)
        for number, line in enumerate(_read_lines(file), 1):
            if not line.strip():
                continue
            try:
                query, video = _parse_batch_line(line)
                chosen = [video] if video is not None else videos
                hits = self.search(query, k=k, videos=chosen, tracks=tracks, start=start, end=end)
                yield search_json(query, self.spelling(query), hits)
            except (UsageError, NotFound) as error:
                yield {"line": number, "error": str(error), "hint": error.hint, "hits": []}

    # -- the library's content ----------------------------------------------------------------------------------

    def list_videos(self) -> list[Json]:
        """Every video, and every file that failed, as `agentvid ls --json` prints them."""
        videos = [summary_json(summary) for summary in self.catalogue.summaries()]
        return videos + [failure_json(failure) for failure in self.catalogue.failures()]

    def describe_video(self, reference: str, *, track: str | None = None) -> Json:
        """One video with its shots, clips, observations and stale stages, as `agentvid show --json` prints it."""
        from agentvid.ingest import Pipeline
        from agentvid.stale import stale_of

        video = self.catalogue.find_video(reference)
        (summary,) = self.catalogue.summaries(video.id)
        return video_json(
            summary,
            self.catalogue.shots(video.id),
            self.catalogue.clips(video.id),
            self.catalogue.gaps([video.id]),
            self.catalogue.sections(video.id),
            self.catalogue.observations(video.id, tracks=(track,) if track else ()),
            [stale.to_json() for stale in stale_of(self.catalogue, [video], Pipeline(self.settings, None))],
        )

    def egress(self, *, since: datetime | None = None) -> list[Json]:
        """What left this machine for this library, the oldest first, as `agentvid egress --json` prints it."""
        return read_log(self.catalogue.directory, since=since)

    def tracks(self) -> list[str]:
        """The tracks that at least one video has."""
        return sorted(self.catalogue.track_holders([video.id for video in self.catalogue.videos()]))

    def check_sync(self, videos: Sequence[str] = ()) -> Json:
        """How the subtitles of videos fit their sound, as `agentvid doctor sync --json` prints it; all without any.

        Raises UnknownVideo, AmbiguousVideo.
        """
        from agentvid.perceive.sync_files import check_files

        chosen = [self.catalogue.find_video(video) for video in videos] or self.catalogue.videos()
        return check_files(chosen, limits_of(self.settings))

    def remove(self, reference: str) -> Removed:
        """Remove a video from the library, or what is known of a file that could not be indexed; files themselves stay.

        Raises UnknownVideo, AmbiguousVideo, LibraryBusy.
        """
        from agentvid.adding import publishing

        try:
            video = self.catalogue.find_video(reference)
        except UnknownVideo:
            failure = self.catalogue.find_failure(reference)
            if failure is None:
                raise
            self.catalogue.forget_path(failure.path)
            return Removed("", failure.path)
        with publishing(self.parts):
            self.catalogue.remove_video(video.id)
        return Removed(video.id, video.name)

    def notes(self) -> list[str]:
        """What the user should know about how this library searches, e.g. that FAISS is not installed."""
        told = [self.parts.backend.note] if self.settings.embed and self.parts.backend.note else []
        return told + ([self.parts.frames_note] if self.parts.frames_note else [])

    # -- path 2: ask --------------------------------------------------------------------------------------------

    def ask(
        self,
        question: str,
        *,
        videos: Sequence[str] | None = None,
        choices: Sequence[str] = (),
        model: str = "",
        budget: Budget | None = None,
        verify: str = "",
        cassette: Cassette | None = None,
        thread: str = "",
        callbacks: Sequence[BaseCallbackHandler] = (),
        keep_trace: bool = True,
        cancel: Cancel | None = None,
    ) -> Answer:
        """Answer from evidence or abstain.

        `videos` limit the scope; None takes those of the thread, or all. `choices` make it multiple choice, `model` is
        "provider:name" for an LLM, `verify` is "standard" or "strict", `budget` replaces the limits of the settings:
        when one is reached, the best answer so far says so in `stopped`. What is not given is as in the settings.
        `cassette` records the model's calls or replays them; then nothing is sent and no key is needed. `thread` names
        a conversation: "and after that?" goes on with what was asked before in it, and `understood` tells how.
        `callbacks` are LangChain's: they see every node and every model call, as those of OpenTelemetry and LangSmith
        do. Without `keep_trace` no record is written. `cancel.set()`, from a thread or a signal handler, ends the run
        soon with the best answer so far; `stopped` is then "interrupted".
        Raises UsageError for an empty or over-long question, and for a budget that no run can keep; UnknownVideo,
        MissingDependency, ModelError, CassetteMiss.
        """
        from agentvid.graph import ask

        kept = self._kept(thread) if videos is None else ()
        context = self.ask_context(videos or kept, model, budget, cassette, verify=verify)
        context = replace(context, thread=thread, callbacks=callbacks, cancel=cancel, is_scope_kept=bool(kept))
        return ask(question, context if keep_trace else replace(context, library=None), choices=tuple(choices))

    def stream(
        self,
        question: str,
        *,
        videos: Sequence[str] | None = None,
        choices: Sequence[str] = (),
        model: str = "",
        budget: Budget | None = None,
        verify: str = "",
        cassette: Cassette | None = None,
        thread: str = "",
        callbacks: Sequence[BaseCallbackHandler] = (),
        cancel: Cancel | None = None,
    ) -> Iterator[Event | Answer]:
        """Like `ask`, but yields what happens while it happens (docs/json.md), and the Answer last.

        Who closes the iterator before its end ends the run: no answer, turn of a thread or trace is kept.
        """
        check_question(question)
        scope = self._scope(videos or ())
        seconds = sum(video.duration_seconds for video in scope.values())

        def events() -> Iterator[Event | Answer]:
            # Before the graph, the models and the indexes are there: that takes longer than most answers.
            looked_at = f"{counted(len(scope), 'video')}, {timestamp(seconds)}"
            yield stage("start", f"thread {thread}" if thread and videos is None else looked_at)
            from agentvid.graph import stream

            kept = self._kept(thread) if videos is None else ()
            context = self.ask_context(videos or kept, model, budget, cassette, verify=verify)
            context = replace(context, thread=thread, callbacks=callbacks, cancel=cancel, is_scope_kept=bool(kept))
            yield from stream(question, context, choices=tuple(choices))

        return events()

    def _kept(self, thread: str) -> Sequence[str]:
        """The videos that the last question of a thread was limited to, if they are still there; none for all."""
        if not thread:
            return ()
        from agentvid.threads import last_turn

        known = {video.id for video in self.catalogue.videos()}
        turn = last_turn(self.catalogue.directory, thread)
        return [video_id for video_id in (turn or {}).get("videos", ()) if video_id in known]

    def use_model(self, name: str) -> None:
        """From now on plan and compose with the LLM `name`, "provider:name", where a question names none; "" for none.

        Raises UsageError, MissingDependency or ModelError for a model that cannot be opened; the one before then stays.
        """
        if name:
            from agentvid.models import load_chat

            settings = self.settings
            outlet = outlet_of(settings, "model")
            load_chat(name, settings.model_timeout_seconds, settings.structured_output, outlet)
        self.settings = self.settings.model_copy(update={"model": name})

    def trace(self, reference: str) -> Json:
        """The record of one run, by its id or the beginning of it. Raises UsageError, NotFound, LibraryError."""
        from agentvid.trace import read_trace

        return read_trace(self.catalogue.directory, reference)

    def why(self, reference: str, *, claim: int | None = None) -> Json:
        """What stands behind the answer of a trace, or one claim of it: see `agentvid.why`. Raises as `trace`."""
        from agentvid.why import why

        return why(self.trace(reference), claim)

    def threads(self) -> list[Json]:
        """`{"thread", "turns", "question", "asked_at"}`: the last question of each, the thread asked last first.

        `asked_at`: ISO 8601, UTC.
        """
        from agentvid.threads import list_threads

        return list_threads(self.catalogue.directory)

    def thread(self, name: str) -> list[Json]:
        """The turns of a thread, as `agentvid thread show --json` prints them. Raises NotFound."""
        from agentvid.threads import read_thread

        return read_thread(self.catalogue.directory, name)

    def remove_thread(self, name: str) -> None:
        """Forget a thread; traces of its questions stay. Raises NotFound."""
        from agentvid.threads import remove_thread

        remove_thread(self.catalogue.directory, name)

    def question_context(self, *, model: str = "", bank: ExampleBank | None = None) -> AskContext:
        """What `ask` gives the graph for one question about all videos, without a trace; raises as `ask`.

        `bank` replaces that of the library; nothing is learned from what is asked.
        """
        return replace(self.ask_context((), model, bank=bank or self.bank), library=None, learns=False)

    def run_program(self, source: str, *, videos: Sequence[str] = (), model: str = "") -> Run:
        """Check and run a program; its tools ask the LLM `model`, or that of the settings, where there is one.

        Raises ProgramError, ToolError, and as `ask` for the model's name.
        """
        from agentvid.tools import load_tools
        from agentvid.tools.program import check_program, run_program

        return run_program(check_program(source, load_tools()), self.ask_context(videos, model).tools)

    def examples(self) -> list[Form]:
        """The examples that this library learned from questions whose programs had to be repaired, the oldest first."""
        from agentvid.planners.learned import read_learned

        return read_learned(self.catalogue.directory)

    def remove_example(self, reference: str) -> str:
        """Forget the learned example whose id begins so; returns the id. Raises NotFound, UsageError."""
        from agentvid.planners.learned import forget

        return forget(self.catalogue.directory, reference)

    @property
    def bank(self) -> ExampleBank:
        """The shipped examples, and before them those of the file that the setting `examples` names.

        Raises UsageError for a file that is wrong.
        """
        return self.parts.bank

    @property
    def retriever(self) -> Retriever:
        return self.parts.retriever

    def open_parts(self) -> None:
        """Open what search and ask share. Who calls them from several threads calls this once before."""
        self.parts.open_shared()

    def _scope(self, videos: Sequence[str]) -> Mapping[str, Video]:
        chosen = [self.catalogue.find_video(reference) for reference in videos] or self.catalogue.videos()
        return {video.id: video for video in chosen}

    def replay(self, reference: str) -> Replay:
        """Run a stored question again without any model or network, and compare.

        Raises UsageError for text that is no trace id, NotFound, LibraryError if the trace is damaged or too old.
        """
        from agentvid.replay import replay

        return replay(self, reference)

    def ask_context(
        self,
        videos: Sequence[str] = (),
        model: str = "",
        budget: Budget | None = None,
        cassette: Cassette | None = None,
        *,
        verify: str = "",
        bank: ExampleBank | None = None,
        learned_before: str = "",
    ) -> AskContext:
        """Embedded planner and composer, or, with a model, an LLM for both and the embedded one for look-ups.

        An LLM is shown the examples of `bank`; without one those of the library and what it learned. With a cassette
        only what was learned before the trace `learned_before`: a recording must not depend on later questions.
        """
        from agentvid.ask_context import ask_context

        return ask_context(
            self.parts,
            self._scope(videos),
            is_chosen=bool(videos),
            model=model,
            budget=budget,
            cassette=cassette,
            verify=verify,
            bank=bank,
            learned_before=learned_before,
        )


def check_library(settings: Settings, *, repair: bool = False) -> Json:
    """What is wrong with a library, and with `repair` what was mended, as `agentvid doctor --json` prints it.

    Works on a library that `Library.open` refuses. Raises NotFound if there is none.
    """
    from agentvid.indexes import doctor

    backend = choose_backend(settings.index)
    repaired = doctor.repair(settings.library, backend=backend) if repair else []
    problems = doctor.examine(settings.library, backend=backend)
    return {
        "ok": not problems,
        "problems": [{"what": problem.what, "hint": problem.hint} for problem in problems],
        "stale": _stale(settings),
        "repaired": repaired,
        "notes": [backend.note] if backend.note else [],
    }


def _stale(settings: Settings) -> list[Json]:
    """What `agentvid index` would make again; nothing where the library cannot be opened, which is a problem itself."""
    from agentvid.ingest import Pipeline
    from agentvid.stale import stale_of

    try:
        with Catalogue.open(settings.library, create=False) as catalogue:
            found = stale_of(catalogue, catalogue.videos(), Pipeline(settings, None))
    except (LibraryDamaged, LibraryTooNew):
        return []
    return [stale.to_json() for stale in found]


def _window(start: float | None, end: float | None) -> Span | None:
    if start is None and end is None:
        return None
    return Span(start or 0.0, _FOREVER_SECONDS if end is None else end)


def _parse_batch_line(line: str) -> tuple[str, str | None]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError("not a JSON object", hint='a line is {"query": text, "video": name?}') from None
    query = document.get("query") if isinstance(document, dict) else None
    video = document.get("video") if isinstance(document, dict) else None
    if not isinstance(query, str) or not isinstance(video, str | None):
        raise UsageError("no query text", hint='a line is {"query": text, "video": name?}')
    return query, video


def _read_lines(file: str | Path) -> list[str]:
    try:
        text = Path(file).read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", hint="name a JSONL file") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: byte {error.start}", hint="name a JSONL file") from None
    # Only at line feeds: JSON may hold other line separators as they are.
    return text.split("\n")
