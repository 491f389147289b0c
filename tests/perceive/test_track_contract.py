"""What every track promises, run over all of TRACKS: a new line there is a new column here."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest

from agentvid import media
from agentvid.config import Settings
from agentvid.identity import hash_file, video_id_from_hash
from agentvid.media.limits import DEFAULT
from agentvid.media.render import Scene, render_video
from agentvid.media.types import FrameBatch
from agentvid.perceive import TRACKS, load_tracks
from agentvid.perceive.base import PASSAGES, SHOTS, Reader, Reading, Source, Track, Watched
from agentvid.perceive.guarded import GuardedReader
from agentvid.perceive.overlap import OverlappedReader
from agentvid.types import Clip, Observation, Span

SCENES = (
    Scene(3.0, (28, 52, 84), title="Harbour report"),
    Scene(3.0, (96, 140, 176), motion="right"),
    Scene(3.0, (244, 240, 228), title="Ticket prices"),
)
SUBTITLES = ((0.4, 2.8, "Good morning from the harbour office."), (6.2, 8.5, "These are the ticket prices."))
SHOT_SPANS = [Span(0.0, 3.0), Span(3.0, 6.0), Span(6.0, 9.0)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("contract") / "harbour.mp4"
    render_video(path, SCENES, subtitles=SUBTITLES, burn_time=False)
    content_hash = hash_file(path)
    return Source(path, media.probe(path), content_hash, video_id_from_hash(content_hash), Settings(), DEFAULT)


@pytest.fixture(scope="module")
def batches(source: Source) -> list[FrameBatch]:
    return list(media.scan(source.path, key_frames=True))


@pytest.fixture(scope="module")
def loaded() -> dict[str, Track]:
    return {track.name: track for track in load_tracks()}


@pytest.fixture(params=sorted(TRACKS))
def track(request: pytest.FixtureRequest, loaded: dict[str, Track]) -> Track:
    track = loaded[request.param]
    if track.parameters(Settings()) is None:
        pytest.skip(f"{track.name} is off unless it is asked for; its own tests switch it on")
    return track


def watched() -> Watched:
    return Watched(9.0, SHOT_SPANS, [Clip(Span(0.0, 6.0), 0), Clip(Span(6.0, 9.0), 1)], [])


def read(reader: Reader, track: Track, batches: list[FrameBatch]) -> Reading:
    with closing(reader):
        for batch in batches if track.frames else ():
            text = batch.text_frames if "text_frames" in track.frames else ()
            key = batch.key_frames if "key_frames" in track.frames else ()
            reader.read(replace(batch, text_frames=text, key_frames=key))
        return reader.finish(watched())


def rows(reading: Reading) -> list[Observation]:
    return list(reading.observations)


@pytest.mark.parametrize("name", sorted(TRACKS))
def test_the_registry_and_the_track_agree(name: str, loaded: dict[str, Track]) -> None:
    track = loaded[name]
    assert track.name == name
    assert track.revision >= 1
    assert set(track.after) <= {SHOTS, PASSAGES, *TRACKS} - {name}


@pytest.mark.parametrize("name", sorted(TRACKS))
def test_what_decides_the_result_is_json_and_stays_equal(name: str, loaded: dict[str, Track], source: Source) -> None:
    track = loaded[name]
    settings = Settings()
    assert json.dumps(track.parameters(settings)) == json.dumps(track.parameters(Settings()))
    assert json.dumps(track.inputs(source.path)) == json.dumps(track.inputs(source.path))


def test_rows_are_of_the_track_in_the_video_and_tell_where_they_are_from(
    track: Track, source: Source, batches: list[FrameBatch]
) -> None:
    reading = read(GuardedReader(track, source), track, batches)
    assert reading.gaps == []
    assert reading.warnings == []
    assert len(reading.observations) >= 2
    for row in reading.observations:
        assert row.track == track.name
        assert row.provenance.stage == track.name
        assert row.provenance.model
        assert row.provenance.revision
        assert row.span.end_seconds <= 9.0
        json.dumps([dict(row.attributes), dict(row.provenance.parameters)])


def test_a_track_serves_several_videos_one_after_the_other(
    track: Track, source: Source, batches: list[FrameBatch]
) -> None:
    first = read(track.open(source), track, batches)
    assert rows(read(track.open(source), track, batches)) == rows(first)


def test_a_thread_of_its_own_changes_nothing(track: Track, source: Source, batches: list[FrameBatch]) -> None:
    alone = read(track.open(source), track, batches)
    assert rows(read(OverlappedReader(track.open(source)), track, batches)) == rows(alone)


def test_a_reader_may_be_closed_before_it_has_read_anything(track: Track, source: Source) -> None:
    reader = track.open(source)
    reader.close()


def test_a_video_of_one_clip_and_no_rows_before_is_enough(
    track: Track, source: Source, batches: list[FrameBatch]
) -> None:
    whole = Watched(9.0, [Span(0.0, 9.0)], [Clip(Span(0.0, 9.0), 0)], [])
    with closing(GuardedReader(track, source)) as reader:
        for batch in batches if track.frames else ():
            reader.read(batch)
        assert reader.finish(whole).gaps == []
