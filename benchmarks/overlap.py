"""B14: `ingest` with a slow captioner against the slower of the two, decoding and captioning, alone.

The captioner sleeps for every batch, as a process does that waits for a GPU or a server. Its whole work is swept from a
third to three times the time that the same ingest takes without it; one after the other they would take up to twice the
slower one.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agentvid.config import Settings
from agentvid.identity import hash_file
from agentvid.ingest import Pipeline, ingest_file
from agentvid.media.types import FrameBatch
from agentvid.perceive.base import Frames, Reader, Reading, Source, Track, Watched
from agentvid.perceive.fact import FactTrack
from agentvid.types import CAPTION, Json, Observation, Provenance
from benchmarks.ratio import measure
from benchmarks.videos import grainy_video

BAR = 1.08
#: Long enough for the start of the processes, which no pass can hide, to be what it is for users: little.
_MINUTES, _PAIRS = 8, 4
_SWEEP = (1 / 3, 2 / 3, 1.0, 1.5, 3.0)


class StubCaptions(Track):
    """Says of every clip that it is a clip; sleeps `seconds` for every batch."""

    name = CAPTION
    frames: tuple[Frames, ...] = ("images",)
    is_slow = True

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def parameters(self, settings: Settings) -> Json:
        return {"seconds": self.seconds}

    def open(self, source: Source) -> Reader:
        return StubReader(self.seconds)


class StubReader(Reader):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.batches = 0

    def read(self, batch: FrameBatch) -> None:
        time.sleep(self.seconds)
        self.batches += 1

    def finish(self, watched: Watched) -> Reading:
        made = Provenance(CAPTION, "stub", "1", {"batches": self.batches})
        return Reading([Observation(clip.span, CAPTION, "a clip", made) for clip in watched.clips])


def run() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        video = grainy_video(Path(folder), _MINUTES)
        content_hash = hash_file(video)

        def ingest(*tracks: Track) -> int:
            """How many batches the captioner got."""
            pipeline = Pipeline(Settings(ocr=False, embed=False), None, all_tracks=(FactTrack(), *tracks))
            rows = ingest_file(video, content_hash, pipeline, lambda *_: None).record.observations
            return next((int(row.provenance.parameters["batches"]) for row in rows if row.track == CAPTION), 0)

        batches = ingest(StubCaptions(0.0))
        started = time.perf_counter()
        ingest()
        decode_seconds = time.perf_counter() - started
        yield f"B14 file: 640x360 H.264 with grain, {60 * _MINUTES} s, {batches} batches, alone {decode_seconds:.1f} s"
        for factor in _SWEEP:
            caption_seconds = factor * decode_seconds

            def slower(seconds: float = caption_seconds) -> None:
                """As long as the slower of the two takes alone: a machine that slows down slows this one too."""
                started = time.perf_counter()
                ingest()
                time.sleep(max(0.0, seconds - (time.perf_counter() - started)))

            def overlapped(seconds: float = caption_seconds) -> None:
                ingest(StubCaptions(seconds / batches))

            name = f"B14 captioner {factor:.2f} x decoding: both / the slower one alone"
            yield measure(name, BAR, overlapped, slower, pairs=_PAIRS).line()
