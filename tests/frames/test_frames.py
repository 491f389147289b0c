"""Frames as a second space: a tiny CLIP trained here finds what no word tells, by words, by a picture, by a frame."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from agentvid import Library
from agentvid.config import Settings
from agentvid.errors import MediaError, UsageError
from agentvid.indexes import doctor, ranking
from agentvid.indexes.base import Filter
from agentvid.indexes.frames import POOLING, Pooling, moments
from agentvid.indexes.vectors import choose_backend
from agentvid.models import load_frame_embedder
from agentvid.types import FRAME, Moment, Span
from tests.frames.conftest import FILMS, truth
from tests.frames.tiny_clip import CLASSES, draw, random_scene

pytestmark = pytest.mark.slow

SCENES = [(name, colour, shape) for name, scenes in FILMS.items() for _, colour, shape in scenes if colour]


def test_pictures_it_never_saw_are_found_by_their_words(tiny_clip: Path) -> None:
    embedder = load_frame_embedder(str(tiny_clip), tiny_clip)
    random = np.random.default_rng(99)
    pictures = embedder.encode([random_scene(random, *one) for one in CLASSES for _ in range(20)])
    words = embedder.encode_query([f"a {colour} {shape}" for colour, shape in CLASSES])
    found = np.argmax(pictures @ words.T, axis=1)
    assert (found == np.repeat(np.arange(len(CLASSES)), 20)).mean() >= 0.95


def test_words_find_scenes_of_videos_without_any_text(library: Library) -> None:
    overlaps = []
    for name, colour, shape in SCENES:
        best = library.search(f"a {colour} {shape}", k=1)[0]
        is_right = Path(best.video).name == name and best.moment.track == FRAME
        overlaps.append(best.moment.span.iou(Span(*truth(name, colour, shape))) if is_right else 0.0)
    assert np.mean(np.array(overlaps) >= 0.5) >= 0.9, overlaps


def test_a_picture_and_a_frame_find_their_scene(library: Library, tmp_path: Path) -> None:
    picture = tmp_path / "square.png"
    Image.fromarray(draw("red", "square", centre=(0.58, 0.5), radius=0.31, grey=120)).save(picture)
    best = library.search_picture(picture, k=1)[0]
    assert Path(best.video).name == "one.mp4"
    assert best.moment.span.iou(Span(*truth("one.mp4", "red", "square"))) >= 0.5
    again = library.search_picture(frame="two.mp4@9.5", k=1)[0]
    assert Path(again.video).name == "two.mp4"
    assert again.moment.span.iou(Span(*truth("two.mp4", "blue", "square"))) >= 0.5


@pytest.mark.parametrize("question", ["When does the red square appear?", "Where is the red square?"])
def test_an_answer_cites_the_frames(library: Library, question: str) -> None:
    answer = library.ask(question)
    assert not answer.abstained
    cited = answer.evidence[0]
    assert cited.track == FRAME
    assert Path(cited.video).name == "one.mp4"
    scene = Span(*truth("one.mp4", "red", "square"))
    assert all(item.span.overlaps(scene) for item in answer.evidence)
    assert max(item.span.iou(scene) for item in answer.evidence) >= 0.5
    # what is quoted is what is known: when a frame is shown, not what it shows
    assert cited.quote.startswith("frame at 0:")


@pytest.mark.parametrize(
    "question",
    [
        "When does the accountant explain the tax return?",
        "What comes first, the red square or the tax return?",
        "Does the red square come before the tax return?",
    ],
)
def test_what_no_frame_shows_is_not_claimed(library: Library, question: str) -> None:
    assert library.ask(question).abstained


def test_ground_ends_where_the_scene_ends(library: Library) -> None:
    run = library.run_program('ground(query="a yellow square")')
    assert isinstance(run.value, tuple)
    best = run.value[0]
    assert isinstance(best, Moment)
    assert best.span.iou(Span(*truth("three.mp4", "yellow", "square"))) >= 0.5


def test_the_mean_finds_where_scenes_end_better_than_other_poolings(library: Library) -> None:
    frames = library.retriever.frames
    assert frames is not None
    overlap = {}
    for pooling in get_args(Pooling):
        found = []
        for name, colour, shape in SCENES:
            runs = frames.runs(frames.embedder.encode_query([f"a {colour} {shape}"])[0], Filter(), pooling)
            best = moments(runs, ranking.choose(runs.windows, runs.score, 1))[0]
            is_right = Path(library.catalogue.video(best.video_id).name).name == name
            found.append(best.span.iou(Span(*truth(name, colour, shape))) if is_right else 0.0)
        overlap[pooling] = float(np.mean(found))
    assert overlap["mean"] >= 0.8
    assert overlap[POOLING] == max(overlap.values())


def test_the_vectors_are_kept_and_whole(library: Library, films: Path) -> None:
    assert not list(doctor.examine(library.settings.library, backend=choose_backend("auto")))
    (space,) = library.catalogue.spaces("frames")
    held = sum(len(ids) for ids, _ in library.catalogue.iter_vectors(space))
    rows = [row for video in library.catalogue.videos() for row in library.catalogue.observations(video.id)]
    assert held == sum(row.track == FRAME for row in rows) > 0
    assert library.add([films]).to_json()["indexed"] == []


def test_frames_stay_when_another_stage_is_read_again(settings: Settings, library: Library, films: Path) -> None:
    (space,) = library.catalogue.spaces("frames")
    before = np.concatenate([vectors for _, vectors in library.catalogue.iter_vectors(space)])
    longer = settings.model_copy(update={"embed": False})
    with Library.open(settings=longer) as other:
        assert len(other.add([films]).to_json()["indexed"]) == len(FILMS)
        after = np.concatenate([vectors for _, vectors in other.catalogue.iter_vectors(space)])
    assert np.array_equal(before, after)
    assert library.search("a red square", k=1)[0].moment.track == FRAME


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(64), b"\xff\xd8\xff\xe0" + bytes(40)]
)
def test_what_is_no_picture_is_told_in_one_line(library: Library, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(MediaError, match="bad") as caught:
        library.search_picture(path)
    assert "\n" not in str(caught.value)


def test_a_picture_of_too_many_pixels_is_refused(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(MediaError, match="pixels"):
        library.search_picture(path)


@pytest.mark.parametrize("frame", ["two.mp4", "@3", "two.mp4@soon", "two.mp4@9:00"])
def test_a_frame_that_is_none(library: Library, frame: str) -> None:
    with pytest.raises(UsageError):
        library.search_picture(frame=frame)
