"""One tiny CLIP, trained once per session, and a library of rendered videos without any word, indexed with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentvid import Library
from agentvid.config import Settings
from tests.frames.tiny_clip import draw, train

#: File -> (seconds, colour, shape) of its scenes; "" is an empty grey picture.
FILMS: dict[str, list[tuple[float, str, str]]] = {
    "one.mp4": [(6, "blue", "ring"), (5, "", ""), (7, "red", "square"), (6, "green", "cross")],
    "two.mp4": [(7, "yellow", "cross"), (6, "blue", "square"), (6, "red", "ring")],
    "three.mp4": [(5, "green", "ring"), (6, "yellow", "square"), (5, "", ""), (6, "blue", "cross")],
}


def truth(name: str, colour: str, shape: str) -> tuple[float, float]:
    """Seconds at which a scene of a film begins and ends."""
    begin = 0.0
    for seconds, *drawn in FILMS[name]:
        if drawn == [colour, shape]:
            return begin, begin + seconds
        begin += seconds
    raise LookupError(name, colour, shape)


def write_film(path: Path, scenes: list[tuple[float, str, str]], rate: int = 10) -> None:
    """Shapes that wander over a grey ground, one scene after the other."""
    import av

    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = 320, 192, "yuv420p"
        for number, (seconds, colour, shape) in enumerate(scenes):
            grey = 90 + 30 * (number % 4)
            for at in range(round(seconds * rate)):
                centre = (0.38 + 0.24 * at / (seconds * rate), 0.46 + 0.08 * (number % 2))
                radius = 0.32 if colour else 0.0
                image = draw(
                    colour or "red", shape or "square", centre=centre, radius=radius, grey=grey, size=(320, 192)
                )
                if not colour:
                    image[:] = grey
                out.mux(video.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(video.encode(None))


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, scenes in FILMS.items():
        write_film(folder / name, scenes)
    return folder


@pytest.fixture(scope="session")
def settings(tiny_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("library")
    return Settings(library=folder, cache=folder, frame_embedder=str(tiny_clip), ocr=False)


@pytest.fixture(scope="session")
def library(settings: Settings, films: Path) -> Library:
    library = Library.open(settings=settings)
    report = library.add([films])
    assert not report.to_json()["failed"]
    return library
