"""Index jobs of the doors that stay open: queued, run one after the other in the background, stopped when asked.

There is one writer, so there is one thread. What a stopped job had finished stays in the library; the file that it was
reading is as it was before, and is read from its beginning the next time.
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from agentvid.adding import STOPPED
from agentvid.budget import Cancel
from agentvid.errors import AgentvidError, NotFound, UsageError
from agentvid.library import Library
from agentvid.reports import IndexReport
from agentvid.text import clean_text

log = logging.getLogger("agentvid.jobs")
State = Literal["queued", "running", "done", "failed", "stopped"]
#: So many jobs wait, and so many that are over are remembered.
MOST_WAITING, MOST_KNOWN = 100, 1_000


@dataclass(frozen=True, slots=True)
class Job:
    """Files to index: `files_done` are over, `stage` has done `seconds_done` of `seconds_total` of `file`.

    `report` tells what came of the files once the job is done or stopped, `error` why it failed as a whole.
    """

    id: str
    files: tuple[Path, ...]
    state: State = "queued"
    files_done: int = 0
    file: Path | None = None
    stage: str = ""
    seconds_done: float = 0.0
    seconds_total: float = 0.0
    report: IndexReport | None = None
    error: AgentvidError | None = None

    @property
    def is_over(self) -> bool:
        return self.state not in ("queued", "running")


class IndexJobs:
    """Indexes into one library; safe between threads. Its thread begins with the first job, ends with the process."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._cancels: dict[str, Cancel] = {}
        self._waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None

    def start(self, files: Sequence[Path]) -> Job:
        """Queue files. Raises UsageError if too many jobs wait."""
        job = Job(secrets.token_hex(8), tuple(files))
        with self._lock:
            if self._waiting.qsize() >= MOST_WAITING:
                raise UsageError(f"{MOST_WAITING} jobs wait already", hint="wait until some are done, or stop some")
            for old in [known.id for known in self._jobs.values() if known.is_over][:-MOST_KNOWN]:
                del self._jobs[old], self._cancels[old]
            self._jobs[job.id], self._cancels[job.id] = job, Cancel()
            self._waiting.put(job.id)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="agentvid-index", daemon=True)
                self._worker.start()
        return job

    def get(self, job_id: str) -> Job:
        """Raises NotFound."""
        with self._lock:
            return self._known(job_id)

    def all(self) -> list[Job]:
        """Those that run or wait, and those that are remembered; the newest first."""
        with self._lock:
            return [*reversed(self._jobs.values())]

    def stop(self, job_id: str) -> Job:
        """End a job soon, one that waits at once; one that is over stays as it is. Raises NotFound."""
        with self._lock:
            job = self._known(job_id)
            self._cancels[job_id].set()
            if job.state == "queued":
                job = self._jobs[job_id] = replace(job, state="stopped")
            return job

    def stop_all(self) -> None:
        for job in self.all():
            self.stop(job.id)

    def _known(self, job_id: str) -> Job:
        if job_id not in self._jobs:
            hint = "jobs end with the server; what they indexed is in the library"
            raise NotFound(f"no job {clean_text(job_id, limit=40)!r}", hint=hint)
        return self._jobs[job_id]

    def _work(self) -> None:
        while True:
            job_id = self._waiting.get()
            with self._lock:
                job = self._jobs.get(job_id)
                if job is None or job.is_over:
                    continue
                self._jobs[job_id] = replace(job, state="running")
            try:
                self._index(job, self._cancels[job_id])
            except AgentvidError as error:
                self._change(job_id, state="failed", error=error)
            except Exception as error:
                log.exception("job %s failed", job_id)
                self._change(job_id, state="failed", error=AgentvidError(f"unexpected {type(error).__name__}"))

    def _index(self, job: Job, cancel: Cancel) -> None:
        begun: dict[str, None] = {}

        def progress(path: str, stage: str, done: float, total: float) -> None:
            begun[path] = None
            told = {"file": Path(path), "stage": stage, "seconds_done": done, "seconds_total": total}
            self._change(job.id, files_done=len(begun) - 1, **told)

        report = self._library.add(job.files, progress=progress, cancel=cancel)
        left = sum(item["reason"] == STOPPED for item in report.skipped)
        state = "stopped" if left else "done"
        self._change(job.id, state=state, stage="", files_done=len(job.files) - left, report=report)

    def _change(self, job_id: str, **values: Any) -> None:
        with self._lock:
            self._jobs[job_id] = replace(self._jobs[job_id], **values)
