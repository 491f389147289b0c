"""Two small videos in a real catalogue: their text is written here, so every true answer is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from agentvid.composers.base import Composer
from agentvid.composers.extractive import ExtractiveComposer
from agentvid.config import Settings
from agentvid.graph import AskContext
from agentvid.importer import read_import
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.retriever import Retriever
from agentvid.indexes.vectors import choose_backend
from agentvid.ingest import Pipeline, import_fingerprint, ingest_import
from agentvid.models.scripted import HashEmbedder
from agentvid.planners.base import Planner
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.tools.base import ToolContext

Row = tuple[str, float, float, str]

TALK: list[Row] = [
    ("speech", 0, 6, "Welcome to this lecture about photosynthesis in green plants."),
    ("ocr", 0, 12, "Photosynthesis: an introduction"),
    ("speech", 12, 18, "Chlorophyll absorbs red light and blue light."),
    ("speech", 30, 36, "The Calvin cycle fixes carbon dioxide into sugar."),
    ("ocr", 30, 48, "The Calvin cycle"),
    ("speech", 48, 54, "Rubisco is the enzyme that captures carbon dioxide."),
    ("speech", 70, 76, "A farmer waters the tomato field every morning."),
    ("caption", 70, 78, "A man in a straw hat waters tomato plants."),
    ("speech", 90, 96, "Remember: chlorophyll makes leaves look green."),
    ("speech", 110, 116, "Thank you for listening and goodbye."),
]
COOK: list[Row] = [
    ("speech", 0, 5, "Today we bake sourdough bread with rye flour."),
    ("speech", 20, 25, "Mix the flour with water and let it rest overnight."),
    ("caption", 40, 46, "A woman kneads dough on a wooden table."),
    ("speech", 60, 65, "Put the bread into the oven at 230 degrees for 45 minutes."),
]


def import_rows(catalogue: Catalogue, file: Path, rows: Mapping[str, Sequence[Row]], *, duration: float = 120) -> None:
    """Write rows as an import file and put the videos into the catalogue."""
    lines = [
        json.dumps({"video": name, "duration": duration, "track": track, "start": start, "end": end, "text": text})
        for name, texts in rows.items()
        for track, start, end, text in texts
    ]
    file.write_text("\n".join(lines), "utf-8")
    pipeline = Pipeline(Settings(), HashEmbedder(256))
    for video in read_import(file).videos:
        catalogue.put_video(ingest_import(video, import_fingerprint(video, pipeline), pipeline).record)


@pytest.fixture(scope="session")
def import_video() -> Callable[..., None]:
    return import_rows


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    folder = tmp_path_factory.mktemp("ask")
    with Catalogue.open(folder / "library") as opened:
        import_rows(opened, folder / "rows.jsonl", {"talk.mp4": TALK, "cook.mp4": COOK})
        yield opened


@pytest.fixture
def tools_for(catalogue: Catalogue) -> Callable[..., ToolContext]:
    """ToolContext over the named videos, all if none is named; `of` is another catalogue."""

    def make(*names: str, of: Catalogue = catalogue) -> ToolContext:
        retriever = Retriever(of, HashEmbedder(256), choose_backend("numpy"))
        scope = {video.id: video for video in of.videos() if not names or video.title in names}
        return ToolContext(of, retriever, scope)

    return make


@pytest.fixture
def context_for(tools_for: Callable[..., ToolContext]) -> Callable[..., AskContext]:
    """AskContext of the embedded planner and composer, lexical judgement only; keywords replace its parts."""

    def make(
        *names: str,
        of: Catalogue | None = None,
        planner: Planner | None = None,
        composer: Composer | None = None,
        settings: Settings | None = None,
        shortcut: Planner | None = None,
        library: Path | None = None,
    ) -> AskContext:
        tools = tools_for(*names, of=of) if of is not None else tools_for(*names)
        return AskContext(
            planner or ExemplarPlanner(),
            composer or ExtractiveComposer(),
            tools,
            settings or Settings(),
            shortcut=shortcut,
            library=library,
        )

    return make
