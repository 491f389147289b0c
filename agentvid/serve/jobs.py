"""Indexing files below the folders that the user named."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from agentvid.discover import find_videos
from agentvid.errors import UsageError
from agentvid.jobs import Job
from agentvid.serve import documents as d
from agentvid.serve.context import Context
from agentvid.serve.errors import Refused, refusal_of
from agentvid.serve.names import plain_line
from agentvid.types import Json


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


def routes(context: Context) -> APIRouter:
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
        """Index files of the inbox, after the jobs that wait."""
        files = inbox.files()
        unknown = [file_id for file_id in request.files if file_id not in files]
        if unknown:
            raise Refused(404, f"no file {unknown[0]!r} waits in the inbox", "GET /api/inbox lists them")
        try:
            return d.JobStarted(
                job_id=context.jobs.start([files[file_id] for file_id in dict.fromkeys(request.files)]).id
            )
        except UsageError as error:
            raise Refused(503, str(error), error.hint) from None

    @router.get("/jobs")
    def jobs() -> d.Jobs:
        """The jobs of this server that run or wait, the oldest first."""
        return d.Jobs(jobs=[_document(job) for job in reversed(context.jobs.all()) if not job.is_over])

    @router.get("/jobs/{job_id}")
    def job(job_id: str) -> d.Job:
        """How far a job is, and when it is over what it did."""
        return _document(context.jobs.get(job_id))

    @router.post("/jobs/{job_id}/stop")
    def stop(job_id: str) -> d.Job:
        """Stop a job soon: what it indexed stays, the file that it reads is left as it was. Harmless if it is over."""
        return _document(context.jobs.stop(job_id))

    return router


def _document(job: Job) -> d.Job:
    told = refusal_of(job.error) if job.error else None
    return d.Job(
        job_id=job.id,
        state=job.state,
        stage=job.stage,
        file=plain_line(job.file.name) if job.file else "",
        done=job.files_done,
        total=len(job.files),
        seconds_done=round(job.seconds_done, 3),
        seconds_total=round(job.seconds_total, 3),
        error=told.error if told else "",
        hint=told.hint if told else "",
        report=_report_json(job.report.to_json()) if job.report else None,
    )


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
