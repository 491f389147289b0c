"""`index --captions` and what questions make of it: real files, and a scripted model behind a real server."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from agentvid.config import load_settings
from agentvid.errors import ModelError, UsageError
from agentvid.indexes.doctor import examine
from agentvid.library import Library, check_library
from agentvid.models.scripted_server import ScriptedServer
from agentvid.models.scripted_vision import Look, ScriptedVision

#: What `greys` gives and what a scripted model calls it.
NAMES = {30: "A red square stands in a dark room.", 60: "A blue ring lies on the floor.", 90: "A white triangle falls."}


@pytest.fixture(autouse=True)
def keys() -> Iterator[None]:
    before = dict(os.environ)
    os.environ["OPENAI_API_KEY"] = "sk-unused-key"
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def film(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shots of 5, 6, 4 and 6 s; the model tells them apart by the grey behind."""
    path = tmp_path_factory.mktemp("film") / "shapes.mp4"
    scenes = [(5.0, 90, "white"), (6.0, 30, "red"), (4.0, 60, "blue"), (6.0, 90, "white")]
    tiny.write_video(path, [(seconds, tiny.Scene(colour, "square", grey=grey)) for seconds, grey, colour in scenes])
    return path


def by_grey(look: Look) -> str:
    level = int(np.median(look.shown[0].image))
    nearest = min(NAMES, key=lambda grey: abs(grey - level))
    return json.dumps({"caption": NAMES[nearest], "objects": ["thing"]})


Open = Callable[..., Library]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens the same library under other settings; OCR off, to be quick."""
    held: list[Library] = []

    def open_library(**settings: Any) -> Library:
        flags = {"ocr": False, "captions": "all", "captions_model": "openai:eyes", "caption_batch": 1, **settings}
        held.append(Library.open(tmp_path / "library", settings=load_settings(flags).settings))
        return held[-1]

    yield open_library
    for library in held:
        library.close()


def captions_of(library: Library) -> list[Any]:
    return library.catalogue.observations(library.catalogue.videos()[0].id, tracks=("caption",))


def test_every_shot_gets_a_caption_that_can_be_found_and_cited(film: Path, opened: Open) -> None:
    eyes = ScriptedVision(by_grey)
    with ScriptedServer(eyes) as server, opened() as library:
        os.environ["OPENAI_BASE_URL"] = server.base_url
        report = library.add([film])
        rows = captions_of(library)
        assert [(row.span.start_seconds, row.span.end_seconds) for row in rows] == [
            pytest.approx(ends, abs=0.11) for ends in ((0, 5), (5, 11), (11, 15), (15, 21))
        ]
        assert [row.text for row in rows] == [NAMES[90], NAMES[30], NAMES[60], NAMES[90]]
        assert rows[0].attributes == {"objects": ["thing"]}
        assert rows[0].provenance.model == "openai:eyes"
        assert (report.partial, report.indexed[0]["observations"]["caption"]) == ([], 4)
        answer = library.ask("When does the red square stand in a dark room?")
        assert not answer.abstained
        cited = {item.id: item for item in answer.evidence}[answer.claims[0].evidence[0]]
        assert (cited.track, cited.quote) == ("caption", NAMES[30])
        assert cited.span.start_seconds == pytest.approx(5, abs=0.11)
        assert library.add([film]).skipped[0]["reason"] == "unchanged"
        assert len(eyes.looks) == 4


def test_a_model_that_fails_on_every_third_clip_leaves_gaps_that_the_next_index_fills(film: Path, opened: Open) -> None:
    calls: list[Look] = []

    def every_third(look: Look) -> str:
        calls.append(look)
        return "" if look.shown[0].seconds[0] > 10 and look.shown[0].seconds[0] < 14 else by_grey(look)

    with ScriptedServer(ScriptedVision(every_third)) as server, opened() as library:
        os.environ["OPENAI_BASE_URL"] = server.base_url
        report = library.add([film])
        assert [row.text for row in captions_of(library)] == [NAMES[90], NAMES[30], NAMES[90]]
        (gap,) = library.catalogue.gaps()
        assert gap.span.start_seconds == pytest.approx(11, abs=0.11)
        assert gap.track == "caption"
        assert "empty reply" in gap.reason
        assert report.partial[0]["track"] == "caption"
        assert library.list_videos()[0]["state"] == "partial"
        asked = len(calls)
    with ScriptedServer(ScriptedVision(by_grey)) as server, opened() as library:
        os.environ["OPENAI_BASE_URL"] = server.base_url
        library.add([film])
        assert len(captions_of(library)) == 4
        assert library.catalogue.gaps() == []
        assert len(server.requests) == 1  # the others were paid for
        assert asked >= 4


def test_an_index_that_was_killed_pays_for_nothing_twice(film: Path, opened: Open, tmp_path: Path) -> None:
    killed: list[subprocess.Popen[bytes]] = []
    seen: list[Look] = []

    def kills(look: Look) -> str:
        seen.append(look)
        if len(seen) == 3:
            killed[0].kill()
        return by_grey(look)

    with ScriptedServer(ScriptedVision(kills)) as server:
        where = {"AGENTVID_LIBRARY": str(tmp_path / "library"), "OPENAI_BASE_URL": server.base_url}
        where |= {"AGENTVID_CAPTION_BATCH": "1", "AGENTVID_OCR": "off"}
        command = ["index", str(film), "--captions", "all", "--captions-model", "openai:eyes"]
        killed.append(subprocess.Popen([sys.executable, "-m", "agentvid", *command], env={**os.environ, **where}))
        assert killed[0].wait(60) == -signal.SIGKILL
    with ScriptedServer(ScriptedVision(by_grey)) as server, opened() as library:
        os.environ["OPENAI_BASE_URL"] = server.base_url
        library.add([film])
        assert len(captions_of(library)) == 4
        assert len(server.requests) == 2


def test_without_a_model_captions_are_refused_at_once(film: Path, opened: Open) -> None:
    with opened(captions_model="") as library, pytest.raises(UsageError, match="needs a model") as caught:
        library.add([film])
    assert "--captions-model" in caught.value.hint


def test_a_model_that_is_not_there_is_one_line(film: Path, opened: Open, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    name = f"hf:{tmp_path / 'model'}"
    with opened(captions_model=name) as library:
        report = library.add([film])
    assert report.partial[0]["track"] == "caption"
    assert "cannot be loaded" in report.partial[0]["reason"]
    with opened(captions_model="hf:./nowhere") as library, pytest.raises(UsageError, match="is not a folder"):
        library.add([film])


def test_removing_the_video_removes_what_models_said_of_it(film: Path, opened: Open) -> None:
    with ScriptedServer(ScriptedVision(by_grey)) as server, opened() as library:
        os.environ["OPENAI_BASE_URL"] = server.base_url
        library.add([film])
        library.remove(str(film))
        with sqlite3.connect(library.catalogue.store.path) as database:
            assert database.execute("SELECT count(*) FROM model_results").fetchone() == (0,)


# -- lazy -------------------------------------------------------------------------------------------------------------


def test_lazy_captions_are_made_where_a_question_lands_and_stay(film: Path, opened: Open) -> None:
    eyes = ScriptedVision(by_grey)
    with ScriptedServer(eyes) as server, opened(captions="lazy") as library:
        os.environ["OPENAI_BASE_URL"] = server.base_url
        library.add([film])
        assert captions_of(library) == []
        assert server.requests == []
        generation = library.catalogue.generation
        answer = library.ask("When does the red square stand in a dark room?")
        rows = captions_of(library)
        assert rows
        assert library.catalogue.generation == generation + 1
        assert answer.usage.llm_calls == len(eyes.looks)
        assert answer.usage.frames > 0
        cited = {item.id: item for item in answer.evidence}[answer.claims[0].evidence[0]]
        assert (cited.track, cited.quote) == ("caption", NAMES[30])
        assert check_library(library.settings.model_copy(update={"library": library.catalogue.directory}))["ok"]
        made = len(eyes.looks)
        again = library.ask("When does the red square stand in a dark room?")
        assert again.text == answer.text
        if len(rows) == 4:
            assert len(eyes.looks) == made
        assert library.replay(answer.trace_id).is_same
    with ScriptedServer(ScriptedVision(by_grey)) as server, opened(captions="lazy", embed=False) as library:
        os.environ["OPENAI_BASE_URL"] = server.base_url
        library.add([film])  # read again: what was told before is taken over
        assert [row.text for row in captions_of(library)] == [row.text for row in rows]
        assert server.requests == []


def test_lazy_captions_stay_within_the_budget(film: Path, opened: Open) -> None:
    eyes = ScriptedVision(by_grey)
    with ScriptedServer(eyes) as server, opened(captions="lazy") as library:
        os.environ["OPENAI_BASE_URL"] = server.base_url
        library.add([film])
        budget = replace(library.settings.budget, llm_calls=4)
        library.ask("When does the red square stand in a dark room?", budget=budget)
        assert len(eyes.looks) == 2
        library.ask("Where is the ring?", budget=replace(library.settings.budget, frames=10))
        assert len(eyes.looks) == 2
        answer = library.ask("Where is the ring?", budget=replace(library.settings.budget, money=1.0))
        assert len(eyes.looks) == 2
        assert any("needs the price" in line for line in answer.coverage.missing)


def test_a_lazy_model_that_fails_is_told_and_the_question_is_answered(film: Path, opened: Open) -> None:
    def fails(look: Look) -> str:
        raise ModelError("out of order")

    with ScriptedServer(ScriptedVision(fails)) as server, opened(captions="lazy") as library:
        os.environ["OPENAI_BASE_URL"] = server.base_url
        library.add([film])
        answer = library.ask("When does the red square stand in a dark room?")
        assert any(line.startswith("captions: ") and "eyes" in line for line in answer.coverage.missing)
        assert captions_of(library) == []


# -- the trained model ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_model_in_this_process_captions_a_film_and_the_right_seconds_are_cited(
    trained: Path, tiny: ModuleType, opened: Open, tmp_path: Path
) -> None:
    scenes = [
        (6.0, tiny.Scene("blue", "ring", True, 20)),
        (5.0, tiny.Scene("red", "square", True, 80)),
        (4.0, tiny.Scene("green", "triangle", False, 40)),
        (7.0, tiny.Scene("white", "ring", True, 100)),
    ]
    path = tmp_path / "shapes.mp4"
    tiny.write_video(path, scenes)
    with opened(captions_model=f"hf:{trained}", caption_batch=2, caption_frames=4) as library:
        library.add([path])
        rows = captions_of(library)
        assert [row.text for row in rows] == [scene.caption for _, scene in scenes]
        assert len(rows[0].provenance.revision) == 12
        answer = library.ask("when does the red square appear?")
        cited = {item.id: item for item in answer.evidence}[answer.claims[0].evidence[0]]
        assert cited.quote == "a red square moves"
        assert cited.span.start_seconds == pytest.approx(6, abs=0.11)
        assert cited.span.end_seconds == pytest.approx(11, abs=0.11)
        assert examine(library.catalogue.directory, backend=library.parts.backend) == []
