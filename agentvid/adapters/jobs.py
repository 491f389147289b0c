"""`index_video`, `get_job` and `stop_job`: off unless the owner allows folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from agentvid.adapters.base import NOTICE, DoorTool, Input, Output, PathHider, one_line, words_of
from agentvid.discover import find_videos
from agentvid.errors import NotFound, UsageError
from agentvid.jobs import IndexJobs, Job, State
from agentvid.reports import IndexReport
from agentvid.text import clean_text

if TYPE_CHECKING:
    from agentvid.library import Library

_NAMES_SHOWN = 10


class AllowedFiles:
    """The videos below some folders, by their paths from there; links that lead out are left out."""

    def __init__(self, folders: Sequence[str | Path]) -> None:
        """Raises UsageError for what is no folder."""
        self.folders = [Path(folder).expanduser().resolve() for folder in folders]
        for folder in self.folders:
            if not folder.is_dir():
                raise UsageError(f"{str(folder)!r} is not a folder", hint="allow a folder that holds videos")

    def files(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in self.folders:
            for path in find_videos([folder]).videos:
                if path.resolve().is_relative_to(folder):
                    found.setdefault(path.relative_to(folder).as_posix(), path)
        return found

    def find(self, name: str) -> Path:
        """Raises NotFound with the names there are."""
        files = self.files()
        if name not in files:
            names = ", ".join(words_of(known, limit=120) for known in sorted(files)[:_NAMES_SHOWN])
            raise NotFound(
                f"no video {clean_text(name, limit=120)!r} in the allowed folders",
                hint=f"{len(files)} there: {names}" if files else "the allowed folders hold no video",
            )
        return files[name]

    def name_of(self, path: Path) -> str:
        return next(path.relative_to(one).as_posix() for one in self.folders if path.is_relative_to(one))


class IndexVideo(Input):
    """What `index_video` takes."""

    file: str = Field(min_length=1, max_length=1_000, description="A video's name as it lies in the allowed folders.")


class GetJob(Input):
    """What `get_job` and `stop_job` take."""

    job_id: str = Field(min_length=1, max_length=40, description="What index_video returned.")


class JobState(Output):
    """What all three return."""

    job_id: str
    file: str
    state: State = Field(description="queued, running, done, failed or stopped.")
    stage: str = Field(description="What is being done, as scan or ocr.")
    done: float = Field(description="Seconds of the video that this stage has done.")
    total: float = Field(description="Of so many.")
    video_id: str = Field(description="Once done: the id for the other tools; empty if nothing had to be done.")
    message: str = Field(description="Once done: what was found. If failed: why, and what would help.")
    notice: str = NOTICE


def _told(job: Job, name: str, hider: PathHider) -> JobState:
    """A job of one file."""
    message = one_line(job.error) if job.error else _outcome(job.report) if job.report else ""
    failed = job.state == "failed" or bool(job.report and job.report.failed)
    return JobState(
        job_id=job.id,
        file=words_of(name, limit=200),
        state="failed" if failed else job.state,
        stage=job.stage,
        done=round(job.seconds_done, 3),
        total=round(job.seconds_total, 3),
        video_id=job.report.indexed[0]["video_id"] if job.report and job.report.indexed else "",
        message=hider(message),
    )


def _outcome(report: IndexReport) -> str:
    for failed in report.failed:
        return words_of(f"{failed['error']}; {failed['hint']}" if failed["hint"] else failed["error"], limit=500)
    for skipped in report.skipped:
        return words_of(skipped["reason"], limit=500)
    counts = report.indexed[0]["observations"].items()
    return f"rows: {', '.join(f'{words_of(track, limit=20)} {count}' for track, count in counts) or 'none'}"


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
            "seconds until state is done, failed or stopped."
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
            "seconds), done (video_id and how many rows were found), failed (message says why and what would "
            "help) or stopped."
        ),
        input=GetJob,
        output=JobState,
        run=_off,
    ),
    DoorTool(
        name="stop_job",
        title="Stop an index job",
        description=(
            "Stop an index_video job that runs or waits. Nothing half-done stays in the library; the file can be "
            "indexed again later. A job that is over stays as it is. Returns its state, which becomes stopped soon: "
            "ask get_job."
        ),
        input=GetJob,
        output=JobState,
        run=_off,
        reads_only=False,
    ),
)


def index_tools(library: Library, folders: Sequence[str | Path]) -> tuple[DoorTool[Any, Any], ...]:
    """The three tools, for files of these folders. Raises UsageError for what is no folder."""
    allowed, jobs = AllowedFiles(folders), IndexJobs(library)

    def told(job: Job) -> JobState:
        return _told(job, allowed.name_of(job.files[0]), PathHider(library, *allowed.folders))

    def start(_: Library, asked: IndexVideo) -> JobState:
        return told(jobs.start([allowed.find(asked.file)]))

    def look(_: Library, asked: GetJob) -> JobState:
        return told(jobs.get(asked.job_id))

    def stop(_: Library, asked: GetJob) -> JobState:
        return told(jobs.stop(asked.job_id))

    index_video, get_job, stop_job = INDEX_TOOLS
    return replace(index_video, run=start), replace(get_job, run=look), replace(stop_job, run=stop)
