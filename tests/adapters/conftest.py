"""A library of texts whose every row is known, and one of a rendered video with subtitles and burnt-in times."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from agentvid import Library
from agentvid.config import Settings
from agentvid.media.render import Scene, render_video

Row = tuple[str, float, float, str]

BREAD: list[Row] = [
    ("speech", 0, 4, "Welcome back to my kitchen."),
    ("speech", 4, 9, "Today we bake bread, as my grandmother did."),
    ("speech", 10, 15, "First, mix the flour and the water."),
    ("ocr", 10, 20, "500 g flour"),
    ("speech", 16, 20, "Then add the salt."),
    ("speech", 24, 28, "Knead the dough for ten minutes."),
    ("caption", 24, 30, "A woman kneads dough on a wooden table."),
    ("speech", 40, 45, "After that, let it rest for an hour."),
    ("speech", 50, 55, "Now preheat the oven."),
    ("speech", 60, 66, "Finally, bake it for half an hour."),
    ("speech", 70, 75, "It smells wonderful."),
]
LECTURE: list[Row] = [("speech", 4.0 * n, 4.0 * n + 3.5, f"Stream cipher number {n} uses a key.") for n in range(200)]
RENDERED = "harbour.mp4"
SUBTITLES = ((0.4, 2.8, "Good morning from the harbour."), (3.2, 5.6, "The blue ferry carries the mail."))


def import_rows(library: Library, rows: Mapping[str, Sequence[Row]], *, duration: float = 900) -> None:
    """Import rows as videos without files."""
    library.import_file(
        json.dumps(
            {"video": name, "duration": duration, "track": track, "start": start, "end": end, "text": text}
        ).encode()
        for name, texts in rows.items()
        for track, start, end, text in texts
    )


@pytest.fixture(scope="session")
def quick_settings() -> Settings:
    """No model is loaded and nothing is read but subtitles."""
    return Settings(embed=False, ocr=False)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, quick_settings: Settings) -> Iterator[Library]:
    """Two text-only videos; tests only read it."""
    with Library.open(tmp_path_factory.mktemp("texts") / "library", settings=quick_settings) as opened:
        import_rows(opened, {"bread": BREAD, "lecture": LECTURE})
        opened.open_parts()
        yield opened


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one rendered video of 6 s and nothing else."""
    folder = tmp_path_factory.mktemp("films-of-ann")
    scenes = (Scene(3.0, (30, 60, 120)), Scene(3.0, (200, 200, 180), motion="pan"))
    render_video(folder / RENDERED, scenes, size=(320, 180), subtitles=SUBTITLES, audio="tone")
    return folder


@pytest.fixture(scope="session")
def film_library(tmp_path_factory: pytest.TempPathFactory, films: Path, quick_settings: Settings) -> Iterator[Library]:
    """The rendered video, indexed; tests only read it."""
    with Library.open(tmp_path_factory.mktemp("filmed") / "library", settings=quick_settings) as opened:
        report = opened.add([films])
        assert not report.failed, report.failed
        opened.open_parts()
        yield opened
