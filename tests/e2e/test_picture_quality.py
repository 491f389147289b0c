"""Videos with one fault each, from the file to the answer: what was wrong is told, and of a good one nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream

from agentvid import Library
from agentvid.config import Settings
from agentvid.media.types import Image

SIZE, RATE, SECONDS = (320, 192), 20, 5
RNG = np.random.default_rng(4)
#: What is filmed: shapes with crisp borders over soft light.
WIDE = np.ascontiguousarray(np.tile(np.linspace(60, 200, 640)[None, :, None], (SIZE[1], 1, 3)).astype(np.uint8))
for _ in range(140):
    left, top = (int(value) for value in RNG.integers(0, (600, 170)))
    corner = (left + int(RNG.integers(5, 60)), top + int(RNG.integers(5, 40)))
    cv2.rectangle(WIDE, (left, top), corner, [int(value) for value in RNG.integers(30, 200, 3)], -1, cv2.LINE_AA)
PAGE = np.full((*SIZE[::-1], 3), 255, np.uint8)
cv2.putText(PAGE, "white as paper", (20, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (20, 20, 20), 2, cv2.LINE_AA)


def pan(at: int) -> Image:
    return WIDE[:, 2 * at : 2 * at + SIZE[0]]


def noisy(at: int, sigma: float = 18) -> Image:
    grain = np.random.default_rng(at).normal(0, sigma, SIZE[::-1])
    return np.clip(pan(at) + grain[..., None], 0, 255).astype(np.uint8)


def brighter(image: Image, gain: float, by: float) -> Image:
    return np.asarray(cv2.convertScaleAbs(image, alpha=gain, beta=by), np.uint8)


#: Name -> what is shown, the encoder's lowest quality or not, and the fault that a clip's fact tells.
VIDEOS: dict[str, tuple[Callable[[int], Image], bool, str]] = {
    "good.mp4": (pan, False, ""),
    "page.mp4": (lambda at: PAGE, False, ""),
    "soft.mp4": (lambda at: np.asarray(cv2.GaussianBlur(pan(at), (0, 0), 4), np.uint8), False, "blurred picture"),
    "grain.mp4": (noisy, False, "noisy picture"),
    "starved.avi": (lambda at: noisy(at, 8), True, "visible blocks"),
    "glare.mp4": (lambda at: brighter(pan(at), 1.5, 70), False, "overexposed"),
    "lamp.mp4": (lambda at: brighter(pan(at), 1, 14 * (at % 2)), False, "flickering light"),
}
FAULTS = {fault: name for name, (_, _, fault) in VIDEOS.items() if fault}


def write(path: Path, shown: Callable[[int], Image], *, is_starved: bool) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4" if path.suffix == ".avi" else "libx264", rate=Fraction(RATE))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"qmin": "31", "qmax": "31"} if is_starved else {"crf": "14"}
        for at in range(SECONDS * RATE):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(shown(at)), "rgb24")))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("quality")
    files = [write(folder / name, shown, is_starved=starved) for name, (shown, starved, _) in VIDEOS.items()]
    settings = Settings(library=folder / "library", cache=folder, embed=False, ocr=False, index="numpy")
    with Library.open(folder / "library", settings=settings) as opened:
        opened.add(files)
        yield opened


@pytest.mark.parametrize("name", VIDEOS)
def test_the_fact_of_a_clip_tells_its_fault_and_no_other(library: Library, name: str) -> None:
    (video,) = (one for one in library.catalogue.videos() if one.name.endswith(name))
    facts = [row for row in library.catalogue.observations(video.id) if row.attributes.get("kind") == "clip"]
    told = [fault for fault in FAULTS if all(fault in fact.text for fact in facts)]
    assert told == [VIDEOS[name][2]] if VIDEOS[name][2] else not told
    for fact in facts:
        assert set(fact.attributes["quality"]) == {"blur", "noise", "blocks", "dark", "bright", "blown", "flicker"}


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        ("When is the picture blurred?", "blurred picture"),
        ("Which scenes are grainy?", "noisy picture"),
        ("Where is the picture pixelated?", "visible blocks"),
        ("Is the picture ever overexposed?", "overexposed"),
        ("Which parts flicker?", "flickering light"),
    ],
)
def test_what_is_asked_for_is_found_in_the_video_that_has_it(library: Library, question: str, fault: str) -> None:
    answer = library.ask(question)
    assert {Path(item.video).name for item in answer.evidence} == {FAULTS[fault]}
    assert all(fault in item.quote for item in answer.evidence)


def test_how_good_the_picture_is(library: Library) -> None:
    faulty = library.ask("How is the picture quality?", videos=["soft.mp4"])
    assert "blurred picture" in faulty.text
    good = library.ask("How is the picture quality?", videos=["good.mp4"])
    assert "sharp picture, little noise, no visible blocks, well exposed, steady light" in good.text
    at_once = library.ask("Is the picture blurred at 0:02?", videos=["soft.mp4"])
    assert "blurred picture" in at_once.text
    assert at_once.evidence[0].span.duration_seconds == pytest.approx(1.0)
    everywhere = library.ask("How is the picture quality?")
    assert {Path(item.video).name for item in everywhere.evidence} == set(FAULTS.values())
