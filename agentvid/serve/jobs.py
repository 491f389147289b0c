"""Indexing files below the folders that the user named. One job at a time: there is one writer."""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from agentvid.discover import find_videos
from agentvid.errors import AgentvidError
from agentvid.serve import documents as d
from agentvid.serve.context import Context
from agentvid.serve.errors import Refused, refusal_of
from agentvid.serve.names import plain_line
from agentvid.types import Json

log = logging.getLogger("agentvid.serve")
#: So many finished jobs are remembered.
_REMEMBERED = 50


class _Stopped(BaseException):
    """The server ends: the job is left where it is. No error, so that nothing takes it for one of a file."""


class Inbox:
    """The video files below the folders that are not in the library, by an id that says nothing of where they lie."""

    def __init__(self, context: Context) -> None:
        self._catalogue = context.library.catalogue
        self._roots = [folder.resolve() for folder in context.options.folders]
        self._secret = secrets.token_bytes(16)

    def files(self) -> dict[str, Path]:
        known = {os.path.realpath(path) for video in self._catalogue.videos() for path in video.paths}
        found = {}
        for path in find_videos(self._roots).videos:
            real = path.resolve()
            # A link may lead out of the folder, and what is there was not offered.
            if str(real) not in known and any(real.is_relative_to(root) for root in self._roots):
                found[self._id(real)] = path
        return found

    def _id(self, path: Path) -> str:
        return hmac.new(self._secret, os.fsencode(path), "sha256").hexdigest()[:16]


class Jobs:
    """Runs jobs in a thread of their own; safe between threads."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, d.Job] = OrderedDict()

    def start(self, files: list[Path]) -> str:
        """Returns the id. Raises Refused with 409 while another job runs."""
        with self._lock:
            running = next((job for job in self._jobs.values() if job.state == "running"), None)
            if running:
                raise Refused(409, f"job {running.job_id} is running, and one runs at a time", "wait until it is done")
            job = d.Job(
                job_id=secrets.token_hex(8),
                state="running",
                stage="",
                file="",
                done=0,
                total=len(files),
                seconds_done=0.0,
                seconds_total=0.0,
                error="",
                hint="",
                report=None,
            )
            self._jobs[job.job_id] = job
            while len(self._jobs) > _REMEMBERED:
                self._jobs.popitem(last=False)
        threading.Thread(target=self._run, args=(job.job_id, files), name="agentvid-job", daemon=True).start()
        return job.job_id

    def get(self, job_id: str) -> d.Job:
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None:
            raise Refused(404, f"no job {job_id!r}", "POST /api/jobs starts one")
        return job

    def _update(self, job_id: str, **changes: Any) -> None:
        with self._lock:
            self._jobs[job_id] = self._jobs[job_id].model_copy(update=changes)

    def _run(self, job_id: str, files: list[Path]) -> None:
        seen: list[str] = []

        def progress(path: str, stage: str, done: float, total: float) -> None:
            if self._context.stopping.is_set():
                raise _Stopped
            if path not in seen:
                seen.append(path)
            self._update(
                job_id,
                file=Path(path).name,
                stage=stage,
                done=len(seen) - 1,
                seconds_done=round(done, 3),
                seconds_total=round(total, 3),
            )

        try:
            report = self._context.library.add(files, progress=progress)
            self._update(job_id, state="done", stage="", done=len(files), report=_report_json(report.to_json()))
        except _Stopped:
            self._update(job_id, state="stopped", stage="")
        except AgentvidError as error:
            told = refusal_of(error)
            self._update(job_id, state="failed", stage="", error=told.error, hint=told.hint)
        except Exception as error:
            log.exception("job %s failed", job_id)
            self._update(job_id, state="failed", stage="", error=f"unexpected {type(error).__name__}")


def routes(context: Context, jobs: Jobs) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["jobs"])
    inbox = Inbox(context)

    @router.get("/inbox")
    def waiting() -> d.Inbox:
        """Files below the folders of `serve --media` that are not in the library."""
        files = []
        for file_id, path in inbox.files().items():
            try:
                files.append(d.WaitingFile(file_id=file_id, name=plain_line(path.name), bytes=path.stat().st_size))
            except OSError:
                continue  # it has just gone
        return d.Inbox(files=files)

    @router.post("/jobs", status_code=202)
    def start(request: d.JobRequest) -> d.JobStarted:
        """Index files of the inbox."""
        files = inbox.files()
        unknown = [file_id for file_id in request.files if file_id not in files]
        if unknown:
            raise Refused(404, f"no file {unknown[0]!r} waits in the inbox", "GET /api/inbox lists them")
        return d.JobStarted(job_id=jobs.start([files[file_id] for file_id in dict.fromkeys(request.files)]))

    @router.get("/jobs/{job_id}")
    def job(job_id: str) -> d.Job:
        """How far a job is, and when it is done what it did."""
        return jobs.get(job_id)

    return router


def _report_json(report: Json) -> Json:
    """As docs/json.md, with `name` for `path`."""
    items = {
        part: [
            {("name" if key == "path" else key): _clean(value) for key, value in item.items()} for item in report[part]
        ]
        for part in ("indexed", "skipped", "partial", "failed")
    }
    return items | {"warnings": [plain_line(warning) for warning in report["warnings"]], "seconds": report["seconds"]}


def _clean(value: Any) -> Any:
    return plain_line(value) if isinstance(value, str) else value
