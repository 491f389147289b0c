"""`Library`: what every door calls. It owns the catalogue, the indexes and the models, and opens each when needed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from agentvid.budget import NEVER, Cancel, Stopped
from agentvid.config import STAGES, Settings, go_offline, load_settings, stay_off_hubs, with_verify
from agentvid.egress import errand, outlet_of, read_log
from agentvid.errors import (
    AgentvidError,
    LibraryDamaged,
    LibraryError,
    LibraryTooNew,
    MissingDependency,
    NotFound,
    UsageError,
)
from agentvid.events import Event, counted, stage
from agentvid.indexes.base import Filter
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.levels import MOMENTS_PER_SECTION, MOST_MOMENTS, lift
from agentvid.indexes.place_file import publish_places
from agentvid.indexes.ranking import shared_out
from agentvid.indexes.vectors import Backend, choose_backend, publish
from agentvid.media.limits import KEY_FRAME_SIDE, limits_of
from agentvid.media.read import frames_at, read_picture
from agentvid.reports import IndexReport, failure_json, search_json, summary_json, video_json
from agentvid.text import check_query, check_question, parse_timestamp, timestamp
from agentvid.trace import new_trace_id
from agentvid.types import LEVELS, Answer, Hit, Json, Level, Moment, Span, Video

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler

    from agentvid.budget import Budget, Price
    from agentvid.estimate import Estimate
    from agentvid.graph import AskContext
    from agentvid.indexes.explain import Explanation
    from agentvid.indexes.retriever import Retriever
    from agentvid.indexes.spelling import Respelling
    from agentvid.ingest import Ingested, Pipeline
    from agentvid.models.base import ChatModel, Embedder, FrameEmbedder, Image, Reranker
    from agentvid.models.cassette import Cassette
    from agentvid.planners.exemplar import ExampleBank, Form
    from agentvid.replay import Replay
    from agentvid.tools.base import ToolContext, Vision
    from agentvid.tools.program import Run

MAX_HITS = 1000
EMPTY_DIRECTORY = "no video in this directory"
STOPPED = "stopped"
_CHOOSE_MODEL = "set it, as in AGENTVID_MODEL=openai:NAME, or leave digests = 'rows'"
_CHOOSE = "choose one, as in --model openai:NAME"
#: Later than any video ends: an open `--to`.
_FOREVER_SECONDS = 1e9

#: (path or name, stage, seconds done, seconds in all)
Progress = Callable[[str, str, float, float], None]


class Library:
    """A directory holding one catalogue and its indexes.

    with Library.open("films") as library:
        library.add(["talk.mp4"])
        print(library.ask("When is the launch date mentioned?").text)
    """

    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        self.catalogue = catalogue
        self.settings = settings
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
        from agentvid.discover import find_videos

        started = time.monotonic()
        report = IndexReport()
        _ = self._pipeline.tracks  # a model that is not there is told once, not for every file
        found = find_videos(paths)
        for problem in found.problems:
            report.add_failed(str(problem.path), problem.error, problem.hint)
        for path in found.empty:
            report.add_skipped(str(path), EMPTY_DIRECTORY)
        with self._publishing():
            run = f"index-{new_trace_id()}"
            for path in found.videos:
                try:
                    self._add_file(path, report, progress, run, cancel or NEVER)
                except Stopped:
                    report.add_skipped(str(path), STOPPED)
        report.seconds = time.monotonic() - started
        return report

    def _add_file(self, path: Path, report: IndexReport, progress: Progress | None, run: str, cancel: Cancel) -> None:
        from agentvid.identity import hash_file, video_id_from_hash
        from agentvid.indexes.known import NOTHING, read_known
        from agentvid.ingest import ingest_file

        def told(stage: str, done: float, total: float) -> None:
            cancel.check()
            if progress:
                progress(str(path), stage, done, total)

        pipeline = self._pipeline
        content_hash = None
        cancel.check()
        try:
            status = path.stat()
            content_hash = hash_file(path)
            known = self.catalogue.find_hash(content_hash)
            if known and not self._is_stale(known, path):
                report.add_skipped(str(path), self._note_path(path, known))
                return
            space = pipeline.embedder.space if pipeline.embedder else None
            with errand(run, [video_id_from_hash(content_hash)]):
                ingested = ingest_file(
                    path,
                    content_hash,
                    pipeline,
                    told,
                    read_known(self.catalogue, known, space) if known else NOTHING,
                    status,
                    cancel,
                )
        except (LibraryError, MissingDependency):
            raise
        except (AgentvidError, OSError) as error:
            hint = getattr(error, "hint", "")
            self.catalogue.record_failure(str(path), content_hash, type(error).__name__, str(error), hint)
            report.add_failed(str(path), str(error), hint)
            return
        self._commit(ingested, report)

    def _is_stale(self, known: Video, path: Path) -> bool:
        """Whether something about a video that is known would now be made from something else."""
        from agentvid.perceive.stages import stale_stages

        if self.catalogue.fingerprint(known.id) != self._pipeline.fingerprint:
            return True
        keys = self._pipeline.stage_keys(path, known.content_hash)
        return bool(stale_stages(keys, self.catalogue.stages(known.id)))

    def _note_path(self, path: Path, known: Video) -> str:
        """The content is known: remember this path for it. Says why nothing else was done."""
        if str(path) in known.paths:
            return "unchanged"
        gone = [old for old in known.paths if not Path(old).exists()]
        if gone:
            self.catalogue.move_path(gone[0], str(path))
            return f"moved from {gone[0]}"
        self.catalogue.add_path(known.id, str(path))
        return f"same content as {known.name}"

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
        from agentvid.importer import read_import
        from agentvid.ingest import import_fingerprint, ingest_import

        started = time.monotonic()
        report = IndexReport()
        batch = read_import(file)
        name = str(file) if isinstance(file, str | Path) else "-"
        for problem in batch.problems:
            report.add_failed(problem.video or name, problem.error, problem.hint)
        by_name = {video.title: video.id for video in self.catalogue.videos() if video.kind == "import"}
        with self._publishing():
            for number, imported in enumerate(batch.videos, 1):
                if progress:
                    progress(imported.name, "import", number, len(batch.videos))
                known = self.catalogue.find_hash(imported.content_hash)
                fingerprint = import_fingerprint(imported, self._pipeline)
                if known and self.catalogue.fingerprint(known.id) == fingerprint:
                    report.add_skipped(imported.name, "unchanged")
                    continue
                older = [by_name[imported.name]] if imported.name in by_name else []
                self._commit(ingest_import(imported, fingerprint, self._pipeline), report, replaces=older)
        report.seconds = time.monotonic() - started
        return report

    def _commit(self, ingested: Ingested, report: IndexReport, *, replaces: Sequence[str] = ()) -> None:
        record = ingested.record
        self.catalogue.put_video(record, replaces=replaces)
        report.add_indexed(record, ingested.warnings, ingested.tracks)
        report.add_partial(record.video.name, ingested.gaps)

    @contextmanager
    def _publishing(self) -> Iterator[None]:
        """Afterwards, failed or not, put the indexes of what was committed beside the catalogue.

        Not after Ctrl-C: who presses it does not want to wait, and the next search makes what is missing.
        """
        try:
            yield
        except Exception:
            self._publish()
            raise
        self._publish()

    def _publish(self) -> None:
        spaces = self.catalogue.spaces()
        for space in [*spaces, *self.catalogue.spaces("frames")]:
            publish(self.catalogue, space, self._backend)
        for wanted in spaces or (None,):
            publish_places(self.catalogue, wanted)

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
                self._frames_note or "no video of the library has vectors of frames", hint="" if held else hint
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

    def remove(self, reference: str) -> Video:
        """Remove a video from the library, its file stays. Raises UnknownVideo, AmbiguousVideo, LibraryBusy."""
        video = self.catalogue.find_video(reference)
        with self._publishing():
            self.catalogue.remove_video(video.id)
        return video

    def notes(self) -> list[str]:
        """What the user should know about how this library searches, e.g. that FAISS is not installed."""
        told = [self._backend.note] if self.settings.embed and self._backend.note else []
        return told + ([self._frames_note] if self._frames_note else [])

    @property
    def _frames_note(self) -> str:
        """Why frames that the library has are not searched, or ""."""
        if self._frame_embedder:
            from agentvid.indexes.frames import FrameSearch

            return FrameSearch(self.catalogue, self._frame_embedder, self._backend).note
        held = self.catalogue.spaces("frames")
        if not held:
            return ""
        return f"frames are not searched: no frame embedder is set; AGENTVID_FRAME_EMBEDDER={held[-1].model}"

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

    @cached_property
    def bank(self) -> ExampleBank:
        """The shipped examples, and before them those of the file that the setting `examples` names.

        Raises UsageError for a file that is wrong.
        """
        from agentvid.planners.example_files import joined, read_examples
        from agentvid.planners.exemplar import load_bank

        own = self.settings.examples
        return joined(load_bank(), read_examples(Path(own).expanduser())) if own else load_bank()

    # -- parts, opened when first needed ------------------------------------------------------------------------

    def open_parts(self) -> None:
        """Open what search and ask share. Who calls them from several threads calls this once before.

        A part that two threads open at once is opened twice, and one of the two is lost; what is open is safe to share.
        """
        _ = self.retriever, self.bank, self._vision, self._frame_embedder

    @cached_property
    def _embedder(self) -> Embedder | None:
        from agentvid.models import load_embedder

        settings = self.settings
        outlet = outlet_of(settings, "downloads")
        return load_embedder(settings.embedder, settings.cache, outlet) if settings.embed else None

    @cached_property
    def _frame_embedder(self) -> FrameEmbedder | None:
        from agentvid.models import load_frame_embedder

        name = self.settings.frame_embedder
        outlet = outlet_of(self.settings, "downloads")
        return load_frame_embedder(name, self.settings.cache, outlet) if name else None

    @cached_property
    def _reranker(self) -> Reranker | None:
        from agentvid.models import load_reranker

        name = self.settings.reranker
        return load_reranker(name, outlet_of(self.settings, "downloads")) if name else None

    @cached_property
    def _vision(self) -> Vision | None:
        """The model that looks at frames; loading it sends nothing. Raises as `load_vision`."""
        from agentvid.models import load_vision
        from agentvid.tools.base import Vision

        settings = self.settings
        if not settings.vision:
            return None
        model = load_vision(settings.vision, settings.model_timeout_seconds, outlet_of(settings, "vision"))
        return Vision(model, settings.vision_layout, settings.vision_image_tokens)

    @cached_property
    def _backend(self) -> Backend:
        return choose_backend(self.settings.index)

    @cached_property
    def retriever(self) -> Retriever:
        from agentvid.indexes.frames import FrameSearch
        from agentvid.indexes.retriever import Retriever

        frames = FrameSearch(self.catalogue, self._frame_embedder, self._backend) if self._frame_embedder else None
        most = self.settings.most_of_one_video
        return Retriever(self.catalogue, self._embedder, self._backend, self._reranker, frames, most_of_one_video=most)

    @cached_property
    def _pipeline(self) -> Pipeline:
        from agentvid.ingest import Pipeline

        return Pipeline(self.settings, self._embedder, self._digest_writer(), results=self.catalogue.results)

    def _digest_writer(self) -> ChatModel | None:
        """The model that tells chapters in its own words, None if rows do."""
        from agentvid.models import load_chat

        if self.settings.digests == "rows":
            return None
        if not self.settings.model:
            raise UsageError("digests = 'model' needs a model and none is chosen", hint=_CHOOSE_MODEL)
        outlet = outlet_of(self.settings, "digests")
        return load_chat(self.settings.model, self.settings.model_timeout_seconds, outlet=outlet)

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
        from agentvid.composers.extractive import ExtractiveComposer
        from agentvid.graph import AskContext
        from agentvid.planners.exemplar import ExemplarPlanner

        embedded = ExemplarPlanner(self._embedder, bank or self.bank)
        tools = self._tool_context(videos)
        context = AskContext(
            planner=embedded,
            composer=ExtractiveComposer(),
            tools=tools,
            settings=with_verify(self.settings, verify),
            embedder=self._embedder,
            library=self.catalogue.directory,
            budget=budget or self.settings.budget,
            chosen=tuple(tools.scope) if videos else (),
            trace_id=new_trace_id(),
        )
        context = replace(context, deepen=self._deepen_with(context.tools, context.budget))
        name = model or (self.settings.model if cassette is None or cassette.is_recording else cassette.model)
        if not name:
            if cassette and cassette.is_recording:
                raise UsageError(f"{cassette.path}: no model is chosen, so there is nothing to record", hint=_CHOOSE)
            return context
        from agentvid.budgeted import BudgetedChat
        from agentvid.composers.llm import LLMComposer
        from agentvid.models import load_chat
        from agentvid.models.cassette import RecordingChat
        from agentvid.planners.llm import LLMPlanner

        ledger = context.tools.ledger
        ledger.price = self._price(name, context.budget)

        def load() -> ChatModel:
            settings = self.settings
            outlet = outlet_of(settings, "model")
            return load_chat(name, settings.model_timeout_seconds, settings.structured_output, outlet)

        recorder = RecordingChat(cassette.chat(name, load) if cassette else load(), context.calls)
        chat = BudgetedChat(recorder, ledger)
        shown = bank
        if shown is None:
            from agentvid.planners.learned import with_learned

            before = learned_before if cassette else None
            shown = with_learned(self.bank, self.catalogue.directory, before=before)
        return replace(
            context,
            planner=LLMPlanner(chat, embedder=self._embedder, bank=shown),
            composer=LLMComposer(chat),
            tools=replace(context.tools, chat=chat),
            shortcut=embedded,
            model=name,
            learns=self.settings.learn and cassette is None,
        )

    def _price(self, model: str, budget: Budget | None) -> Price | None:
        price = self.settings.price(model)
        if price is None and budget and budget.money is not None:
            known = ", ".join(self.settings.prices) or "none"
            raise UsageError(
                f"a budget of {budget.money:g} money needs the price of {model!r}; prices are set for: {known}",
                hint=f'set it, as in AGENTVID_PRICES="{model}=1.25/10": of a million tokens read and written',
            )
        return price

    def _deepen_with(self, tools: ToolContext, budget: Budget | None) -> Callable[[str], int] | None:
        """What makes captions where a question lands; None unless the setting `captions` is "lazy"."""
        if self.settings.captions != "lazy":
            return None
        from agentvid.deepening import Deepening
        from agentvid.models import IN_PROCESS
        from agentvid.perceive.caption import captions_model

        name = captions_model(self.settings)
        if budget and budget.money is not None and not self.settings.price(name) and not name.startswith(IN_PROCESS):
            tools.ledger.notes.append(f"captions: none made: the budget of money needs the price of {name!r}")
            return None
        deepening = Deepening(name, self.settings, self._embedder)

        def deepen(question: str) -> int:
            if made := deepening.deepen(question, tools):
                with suppress(LibraryError):  # the next search makes what is missing
                    self._publish()
            return made

        return deepen

    def _tool_context(self, videos: Sequence[str]) -> ToolContext:
        from agentvid.tools.base import ToolContext

        return ToolContext(
            self.catalogue,
            self.retriever,
            self._scope(videos),
            vision=self._vision,
            limits=limits_of(self.settings),
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
