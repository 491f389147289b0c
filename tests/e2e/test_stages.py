"""`index` again reads what changed and keeps the rest: rows, vectors, and what a failure did not touch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentvid.config import Settings
from agentvid.errors import ModelError
from agentvid.identity import hash_file
from agentvid.indexes.base import VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.doctor import repair
from agentvid.indexes.known import NOTHING, read_known
from agentvid.indexes.vectors import Backend
from agentvid.ingest import Ingested, Pipeline, ingest_file
from agentvid.media.render import Scene, render_video
from agentvid.media.types import FrameBatch
from agentvid.models.base import Vectors
from agentvid.models.scripted import HashEmbedder
from agentvid.perceive.base import Frames, Reader, Reading, Source, Track, Watched, read_spans
from agentvid.perceive.fact import FactTrack
from agentvid.perceive.speech import SpeechTrack
from agentvid.stale import stale_of
from agentvid.types import Observation, Provenance, Span

SCENES = (Scene(5.0, (28, 52, 84)), Scene(5.0, (244, 240, 228)), Scene(5.0, (96, 140, 176)))
SUBTITLES = ((0.4, 3.0, "Good morning from the harbour."), (6.0, 9.0, "The ferry leaves at noon."))
SRT = "1\n00:00:11,000 --> 00:00:13,000\nThe mayor arrives.\n"


class Counting(HashEmbedder):
    """Notes every text that it embeds."""

    def __init__(self) -> None:
        super().__init__(16)
        self.texts: list[str] = []

    def encode_document(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return super().encode_document(texts)


class Caption(Track):
    """A model that can be changed, can fail, and needs what is said; notes how many batches it saw."""

    name = "caption"
    after = ("speech",)
    frames: tuple[Frames, ...] = ("images",)
    is_slow = True

    def __init__(self, model: str = "one", failing: tuple[int, ...] = ()) -> None:
        self.model, self.failing = model, failing

    def parameters(self, settings: Settings) -> dict[str, Any]:
        return {"model": self.model}

    def open(self, source: Source) -> Reader:
        return CaptionReader(self, source)


class CaptionReader(Reader):
    def __init__(self, track: Caption, source: Source) -> None:
        self.track, self.source, self.batches = track, source, 0

    def read(self, batch: FrameBatch) -> None:
        self.batches += 1

    def finish(self, watched: Watched) -> Reading:
        heard = sum(row.track == "speech" for row in watched.observations)

        def caption(span: Span) -> list[Observation]:
            number = int(span.start_seconds // 5)
            if number in self.track.failing:
                raise ModelError(f"the model said nothing of part {number}")
            text = f"part {number} by {self.track.model}, {heard} lines heard"
            return [Observation(span, "caption", text, Provenance("caption", self.track.model, "1"))]

        assert self.batches > 0
        return read_spans(self.source, "caption", [Span(at, at + 5.0) for at in (0.0, 5.0, 10.0)], caption)


class Place(Caption):
    """Rests on the captions and reads no frames."""

    name, after, frames, is_slow = "place", ("caption",), (), False

    def open(self, source: Source) -> Reader:
        return PlaceReader()


class PlaceReader(Reader):
    def finish(self, watched: Watched) -> Reading:
        seen = [row for row in watched.observations if row.track == "caption"]
        made = Provenance("place", "rules", "1")
        return Reading([Observation(row.span, "place", f"harbour, as {row.text} tells", made) for row in seen])


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("rendered") / "harbour.mp4"
    render_video(path, SCENES, subtitles=SUBTITLES, burn_time=False)
    return path.read_bytes()


@pytest.fixture
def video(rendered: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "harbour.mp4"
    path.write_bytes(rendered)
    return path


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(tmp_path / "library") as opened:
        yield opened


class Run:
    """What one `index` did."""

    def __init__(self, catalogue: Catalogue, video: Path, *tracks: Track, settings: Settings | None = None) -> None:
        self.embedder = Counting()
        self.stages: list[str] = []
        self.pipeline = Pipeline(
            settings or Settings(), self.embedder, all_tracks=(SpeechTrack(), FactTrack(), *tracks)
        )
        content_hash = hash_file(video)
        found = catalogue.find_hash(content_hash)
        known = read_known(catalogue, found, self.embedder.space) if found else NOTHING
        self.ingested: Ingested = ingest_file(
            video, content_hash, self.pipeline, lambda stage, *_: self.stages.append(stage), known
        )
        self.record: VideoRecord = self.ingested.record
        self.tracks = tuple(self.ingested.efforts)
        catalogue.put_video(self.record)

    @property
    def has_decoded(self) -> bool:
        return "decode" in self.stages

    def texts(self, track: str) -> list[str]:
        return [row.text for row in self.record.observations if row.track == track]


def rows(record: VideoRecord) -> list[tuple[Any, ...]]:
    return sorted(
        (row.track, row.span, row.text, row.language, str(dict(row.attributes))) for row in record.observations
    )


def test_nothing_changed_nothing_read_and_the_record_is_the_same(catalogue: Catalogue, video: Path) -> None:
    first = Run(catalogue, video, Caption())
    again = Run(catalogue, video, Caption())
    assert first.tracks == ("speech", "fact", "caption")
    assert again.tracks == ()
    assert not again.has_decoded
    assert again.embedder.texts == []
    assert rows(again.record) == rows(first.record)
    assert (again.record.shots, again.record.clips) == (first.record.shots, first.record.clips)
    assert [(one.span, one.track, one.text) for one in again.record.passages] == [
        (one.span, one.track, one.text) for one in first.record.passages
    ]
    assert again.record.stages == first.record.stages


def test_a_new_subtitle_file_reads_speech_only_and_embeds_new_texts_only(catalogue: Catalogue, video: Path) -> None:
    Run(catalogue, video)
    video.with_suffix(".en.srt").write_text(SRT, "utf-8")
    again = Run(catalogue, video)
    assert again.tracks == ("speech",)
    assert not again.has_decoded
    assert again.embedder.texts == ["The mayor arrives."]
    assert len(again.texts("speech")) == 3


def test_another_model_reads_its_track_and_what_rests_on_it(catalogue: Catalogue, video: Path) -> None:
    first = Run(catalogue, video, Caption(), Place())
    again = Run(catalogue, video, Caption("two"), Place())
    assert again.tracks == ("caption", "place")
    assert again.has_decoded
    assert again.texts("caption") == [f"part {number} by two, 2 lines heard" for number in range(3)]
    assert len(again.embedder.texts) == 6
    kept = [row for row in rows(again.record) if row[0] in ("speech", "fact")]
    assert kept == [row for row in rows(first.record) if row[0] in ("speech", "fact")]
    assert Run(catalogue, video, Caption("two"), Place("other")).tracks == ("place",)


def test_a_track_that_was_not_there_before_joins_the_others(catalogue: Catalogue, video: Path) -> None:
    Run(catalogue, video)
    stale = stale_of(catalogue, catalogue.videos(), Pipeline(Settings(), None, all_tracks=(SpeechTrack(), Caption())))
    assert [(one.stage, one.hint) for one in stale] == [("caption", f"agentvid index {video}")]
    again = Run(catalogue, video, Caption())
    assert again.tracks == ("caption",)
    assert {row.track for row in again.record.observations} == {"speech", "fact", "caption"}
    without = Run(catalogue, video)
    assert without.tracks == ()
    assert len(without.texts("caption")) == 3
    assert Run(catalogue, video, Caption()).tracks == ()


def test_clips_of_another_length_need_no_speech_and_no_captions(catalogue: Catalogue, video: Path) -> None:
    Run(catalogue, video, Caption())
    again = Run(catalogue, video, Caption(), settings=Settings(clip_min_seconds=2.0, clip_max_seconds=6.0))
    assert again.tracks == ("fact",)
    assert len(again.record.clips) == 3


def test_parts_that_fail_are_gaps_and_are_tried_again(catalogue: Catalogue, video: Path) -> None:
    partly = Run(catalogue, video, Caption(failing=(1,)), Place())
    (gap,) = partly.ingested.gaps
    assert (gap.track, gap.span, gap.reason) == ("caption", Span(5.0, 10.0), "the model said nothing of part 1")
    assert len(partly.texts("caption")) == 2
    assert catalogue.gaps() == [gap]
    assert catalogue.summaries()[0].state == "partial"
    assert set(catalogue.stages(gap.video_id)) == {"shots", "speech", "fact", "passages"}
    mended = Run(catalogue, video, Caption(), Place())
    assert mended.tracks == ("caption", "place")
    assert len(mended.texts("place")) == 3
    assert catalogue.gaps() == []
    assert catalogue.summaries()[0].state == "ready"


def test_a_model_that_fails_when_it_is_changed_costs_no_rows(catalogue: Catalogue, video: Path) -> None:
    first = Run(catalogue, video, Caption())
    failed = Run(catalogue, video, Caption("two", failing=(0, 1, 2)))
    assert failed.texts("caption") == first.texts("caption")
    assert len(failed.ingested.gaps) == 3
    assert Run(catalogue, video, Caption("two")).tracks == ("caption",)


def test_nothing_is_taken_over_from_rows_that_changed_on_the_disk(catalogue: Catalogue, video: Path) -> None:
    Run(catalogue, video, Caption())
    with catalogue.store.raw() as connection:
        connection.execute("UPDATE observations SET text = 'forged' WHERE track = 'caption'")
    assert any("marked" in line for line in repair(catalogue.directory, backend=Backend("numpy")))
    again = Run(catalogue, video, Caption())
    assert again.tracks == ("speech", "fact", "caption")
    assert "forged" not in again.texts("caption")
    assert len(again.embedder.texts) == len({one.text for one in again.record.passages})


def test_another_shot_detector_reads_what_rests_on_the_shots(catalogue: Catalogue, video: Path) -> None:
    first = Run(catalogue, video, Caption())
    again = Run(catalogue, video, Caption(), settings=Settings(shot_detector="adaptive"))
    assert again.has_decoded
    assert again.tracks == ("fact",)
    assert again.record.stages["shots"] != first.record.stages["shots"]
    assert [round(shot.start_seconds) for shot in again.record.shots] == [0, 5, 10]


def test_key_frames_alone_are_read_quickly_say_so_and_claim_no_motion(catalogue: Catalogue, video: Path) -> None:
    whole = Run(catalogue, video, Caption())
    fast = Run(catalogue, video, Caption(), settings=Settings(fast=True))
    assert fast.tracks == ("fact", "caption")
    assert [line for line in fast.ingested.warnings if line.startswith("fast: only key frames were decoded, ")]
    assert fast.record.video.duration_seconds == pytest.approx(whole.record.video.duration_seconds, abs=0.001)
    # A key frame follows a cut within two seconds in this file.
    assert [shot.start_seconds for shot in fast.record.shots] == pytest.approx([0, 5, 10], abs=2.0)
    assert whole.texts("fact") != fast.texts("fact")
    for row in fast.record.observations:
        assert "motion" not in row.text
        assert "still" not in row.text
        assert "change" not in row.attributes
    assert Run(catalogue, video, Caption()).tracks == ("fact", "caption")
