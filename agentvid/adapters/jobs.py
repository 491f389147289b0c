"""`index_video` and `get_job`: off unless the owner allows folders; one file at a time, in the background."""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from agentvid.adapters.base import NOTICE, DoorTool, Input, Output, PathHider, one_line, words_of
from agentvid.discover import find_videos
from agentvid.errors import AgentvidError, NotFound, UsageError
from agentvid.text import clean_text
from agentvid.types import Json

if TYPE_CHECKING:
    from agentvid.library import Library

State = Literal["queued", "running", "done", "failed"]
#: So many jobs wait, and so many are remembered.
MOST_WAITING, MOST_KNOWN = 100, 1_000
_NAMES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Job:
    """One file to index. `report` is what `index --json` prints, without paths, once the job is done."""

    id: str
    file: str
    path: Path
    state: State = "queued"
    stage: str = ""
    done_seconds: float = 0.0
    total_seconds: float = 0.0
    video_id: str = ""
    message: str = ""


class IndexJobs:
    """A queue of files of allowed folders that one thread indexes into a library, one after the other.

    The thread begins with the first job and ends with the process; a file that it was reading then is indexed from
    anew the next time, and nothing half-done stays in the library.
    """

    def __init__(self, library: Library, folders: Sequence[str | Path]) -> None:
        """Raises UsageError for what is no folder."""
        self._library = library
        self._folders = [Path(folder).expanduser().resolve() for folder in folders]
        for folder in self._folders:
            if not folder.is_dir():
                raise UsageError(f"{str(folder)!r} is not a folder", hint="allow a folder that holds videos")
        self._jobs: dict[str, Job] = {}
        self._waiting: queue.Queue[str] = queue.Queue()
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None

    def files(self) -> dict[str, Path]:
        """Every video below the allowed folders by its path from there; links that lead out are left out."""
        found: dict[str, Path] = {}
        for folder in self._folders:
            for path in find_videos([folder]).videos:
                if path.resolve().is_relative_to(folder):
                    found.setdefault(path.relative_to(folder).as_posix(), path)
        return found

    def start(self, file: str) -> Job:
        """Queue a file. Raises NotFound with the names there are, UsageError if too many wait."""
        files = self.files()
        if file not in files:
            names = ", ".join(words_of(name, limit=120) for name in sorted(files)[:_NAMES_SHOWN])
            raise NotFound(
                f"no video {clean_text(file, limit=120)!r} in the allowed folders",
                hint=f"{len(files)} there: {names}" if files else "the allowed folders hold no video",
            )
        with self._lock:
            if self._waiting.qsize() >= MOST_WAITING:
                raise UsageError(f"{MOST_WAITING} files wait already", hint="ask get_job until some are done")
            job = Job(secrets.token_hex(8), file, files[file])
            self._jobs[job.id] = job
            for old in [known for known in self._jobs.values() if known.state in ("done", "failed")][:-MOST_KNOWN]:
                del self._jobs[old.id]
            self._waiting.put(job.id)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="agentvid-index", daemon=True)
                self._worker.start()
        return job

    def get(self, job_id: str) -> Job:
        """Raises NotFound."""
        try:
            return self._jobs[job_id]
        except KeyError:
            raise NotFound(
                f"no job {clean_text(job_id, limit=40)!r}", hint="jobs end with the server; list_videos shows the rest"
            ) from None

    def _work(self) -> None:
        while True:
            self._index(self._jobs[self._waiting.get()])

    def _index(self, job: Job) -> None:
        def progress(_: str, stage: str, done: float, total: float) -> None:
            self._change(job.id, state="running", stage=stage, done_seconds=done, total_seconds=total)

        self._change(job.id, state="running")
        try:
            report = self._library.add([job.path], progress=progress).to_json()
            self._change(job.id, **self._outcome(report))
        except AgentvidError as error:
            self._change(job.id, state="failed", message=self._hidden(one_line(error)))
        except Exception as error:  # noqa: BLE001 - the queue goes on, and whoever asks for the job is told
            self._change(job.id, state="failed", message=f"unexpected {type(error).__name__}")

    def _outcome(self, report: Json) -> Json:
        for failed in report["failed"]:
            reason = f"{failed['error']}; {failed['hint']}" if failed["hint"] else failed["error"]
            return {"state": "failed", "message": self._hidden(words_of(reason, limit=500))}
        for skipped in report["skipped"]:
            return {"state": "done", "message": self._hidden(words_of(skipped["reason"], limit=500))}
        (indexed,) = report["indexed"]
        rows = ", ".join(f"{words_of(track, limit=20)} {count}" for track, count in indexed["observations"].items())
        return {"state": "done", "video_id": indexed["video_id"], "message": f"rows: {rows or 'none'}"}

    def _hidden(self, text: str) -> str:
        return PathHider(self._library, *self._folders)(text)

    def _change(self, job_id: str, **values: Any) -> None:
        with self._lock:
            self._jobs[job_id] = replace(self._jobs[job_id], **values)


class IndexVideo(Input):
    """What `index_video` takes."""

    file: str = Field(min_length=1, max_length=1_000, description="A video's name as it lies in the allowed folders.")


class GetJob(Input):
    """What `get_job` takes."""

    job_id: str = Field(min_length=1, max_length=40, description="What index_video returned.")


class JobState(Output):
    """What `index_video` and `get_job` return."""

    job_id: str
    file: str
    state: State = Field(description="queued, running, done or failed.")
    stage: str = Field(description="What is being done, as scan or ocr.")
    done: float = Field(description="Seconds of the video that this stage has done.")
    total: float = Field(description="Of so many.")
    video_id: str = Field(description="Once done: the id for the other tools; empty if nothing had to be done.")
    message: str = Field(description="Once done: what was found. If failed: why, and what would help.")
    notice: str = NOTICE


def _told(job: Job) -> JobState:
    return JobState(
        job_id=job.id,
        file=words_of(job.file, limit=200),
        state=job.state,
        stage=job.stage,
        done=round(job.done_seconds, 3),
        total=round(job.total_seconds, 3),
        video_id=job.video_id,
        message=job.message,
    )


def _off(_: Library, __: Input) -> JobState:
    raise UsageError("indexing is off", hint="its owner allows folders, as in `agentvid mcp --allow-index DIR`")


INDEX_TOOLS: tuple[DoorTool[Any, Any], ...] = (
    DoorTool(
        name="index_video",
        title="Index a video file",
        description=(
            "Add a video file to the library so that it can be searched and asked about. Only files in the folders "
            "that the owner of this server allowed; a wrong name is answered with names that are there. Returns at "
            "once with a job_id: the work takes from seconds to longer than the video lasts. Ask get_job every few "
            "seconds until state is done or failed."
        ),
        input=IndexVideo,
        output=JobState,
        run=_off,
        reads_only=False,
    ),
    DoorTool(
        name="get_job",
        title="State of an index job",
        description=(
            "Tell how far an index_video job is. Returns its state: queued, running (stage, done of total "
            "seconds), done (video_id and how many rows were found) or failed (message says why and what would "
            "help)."
        ),
        input=GetJob,
        output=JobState,
        run=_off,
    ),
)


def index_tools(jobs: IndexJobs) -> tuple[DoorTool[Any, Any], ...]:
    """The two tools that may write, for one server or agent."""

    def start(_: Library, asked: IndexVideo) -> JobState:
        return _told(jobs.start(asked.file))

    def look(_: Library, asked: GetJob) -> JobState:
        return _told(jobs.get(asked.job_id))

    index_video, get_job = INDEX_TOOLS
    return replace(index_video, run=start), replace(get_job, run=look)
