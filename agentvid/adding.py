"""Path 1 for many files: each is committed by itself, one that fails is a row of the report, the indexes come last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agentvid.budget import NEVER, Cancel, Stopped
from agentvid.egress import errand
from agentvid.errors import AgentvidError, LibraryError, MissingDependency
from agentvid.indexes.catalogue import Catalogue
from agentvid.parts import Parts
from agentvid.reports import IndexReport
from agentvid.trace import new_trace_id
from agentvid.types import Video

if TYPE_CHECKING:
    from agentvid.ingest import Ingested, Pipeline

EMPTY_DIRECTORY = "no video in this directory"
STOPPED = "stopped"
UNCHANGED = "unchanged"

#: (path or name, stage, seconds done, seconds in all)
Progress = Callable[[str, str, float, float], None]


@dataclass
class Adding:
    """One run of `index` or `import` into a library."""

    parts: Parts
    progress: Progress | None = None
    cancel: Cancel = NEVER
    report: IndexReport = field(default_factory=IndexReport)

    @property
    def catalogue(self) -> Catalogue:
        return self.parts.catalogue

    @property
    def pipeline(self) -> Pipeline:
        return self.parts.pipeline

    def add(self, paths: Sequence[str | Path]) -> IndexReport:
        """See `Library.add`."""
        from agentvid.discover import find_videos

        started = time.monotonic()
        _ = self.pipeline.tracks  # a model that is not there is told once, not for every file
        found = find_videos(paths)
        for problem in found.problems:
            self.report.add_failed(str(problem.path), problem.error, problem.hint)
        for path in found.empty:
            self.report.add_skipped(str(path), EMPTY_DIRECTORY)
        with publishing(self.parts):
            run = f"index-{new_trace_id()}"
            for path in found.videos:
                try:
                    self._add_file(path, run)
                except Stopped:
                    self.report.add_skipped(str(path), STOPPED)
        self.report.seconds = time.monotonic() - started
        return self.report

    def _add_file(self, path: Path, run: str) -> None:
        from agentvid.identity import hash_file, video_id_from_hash
        from agentvid.indexes.known import NOTHING, read_known
        from agentvid.ingest import ingest_file

        def told(stage: str, done: float, total: float) -> None:
            self.cancel.check()
            if self.progress:
                self.progress(str(path), stage, done, total)

        content_hash = None
        self.cancel.check()
        try:
            status = path.stat()
            content_hash = hash_file(path)
            known = self.catalogue.find_hash(content_hash)
            if known and not self._is_stale(known, path):
                self.report.add_skipped(str(path), self._note_path(path, known))
                return
            space = self.pipeline.embedder.space if self.pipeline.embedder else None
            with errand(run, [video_id_from_hash(content_hash)]):
                ingested = ingest_file(
                    path,
                    content_hash,
                    self.pipeline,
                    told,
                    read_known(self.catalogue, known, space) if known else NOTHING,
                    status,
                    self.cancel,
                )
        except (LibraryError, MissingDependency):
            raise
        except (AgentvidError, OSError) as error:
            hint = getattr(error, "hint", "")
            self.catalogue.record_failure(str(path), content_hash, type(error).__name__, str(error), hint)
            self.report.add_failed(str(path), str(error), hint)
            return
        self._commit(ingested)

    def _is_stale(self, known: Video, path: Path) -> bool:
        """Whether something about a video that is known would now be made from something else."""
        from agentvid.perceive.stages import stale_stages

        if self.catalogue.fingerprint(known.id) != self.pipeline.fingerprint:
            return True
        keys = self.pipeline.stage_keys(path, known.content_hash)
        return bool(stale_stages(keys, self.catalogue.stages(known.id)))

    def _note_path(self, path: Path, known: Video) -> str:
        """The content is known: remember this path for it. Says why nothing else was done."""
        if str(path) in known.paths:
            return UNCHANGED
        gone = [old for old in known.paths if not Path(old).exists()]
        if gone:
            self.catalogue.move_path(gone[0], str(path))
            return f"moved from {gone[0]}"
        self.catalogue.add_path(known.id, str(path))
        return f"same content as {known.name}"

    def import_file(self, file: str | Path | Iterable[bytes]) -> IndexReport:
        """See `Library.import_file`."""
        from agentvid.importer import read_import
        from agentvid.ingest import import_fingerprint, ingest_import

        started = time.monotonic()
        batch = read_import(file)
        name = str(file) if isinstance(file, str | Path) else "-"
        for problem in batch.problems:
            self.report.add_failed(problem.video or name, problem.error, problem.hint)
        by_name = {video.title: video.id for video in self.catalogue.videos() if video.kind == "import"}
        with publishing(self.parts):
            for number, imported in enumerate(batch.videos, 1):
                if self.progress:
                    self.progress(imported.name, "import", number, len(batch.videos))
                known = self.catalogue.find_hash(imported.content_hash)
                fingerprint = import_fingerprint(imported, self.pipeline)
                if known and self.catalogue.fingerprint(known.id) == fingerprint:
                    self.report.add_skipped(imported.name, UNCHANGED)
                    continue
                older = [by_name[imported.name]] if imported.name in by_name else []
                self._commit(ingest_import(imported, fingerprint, self.pipeline), replaces=older)
        self.report.seconds = time.monotonic() - started
        return self.report

    def _commit(self, ingested: Ingested, *, replaces: Sequence[str] = ()) -> None:
        record = ingested.record
        self.catalogue.put_video(record, replaces=replaces)
        self.report.add_indexed(record, ingested.warnings, ingested.efforts)
        self.report.add_partial(record.video.name, ingested.gaps)


@contextmanager
def publishing(parts: Parts) -> Iterator[None]:
    """Afterwards, failed or not, put the indexes of what was committed beside the catalogue.

    Not after Ctrl-C: who presses it does not want to wait, and the next search makes what is missing.
    """
    try:
        yield
    except Exception:
        parts.publish()
        raise
    parts.publish()
