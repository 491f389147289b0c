"""`index --estimate`: numbers before anything is spent, and nothing spent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agentvid.config import load_settings
from agentvid.estimate import estimate
from agentvid.identity import hash_file
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.results import Result, ResultKey
from agentvid.models.base import Reply
from agentvid.perceive.captioner import Asking
from agentvid.types import Span


@pytest.fixture(scope="module")
def film(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "shapes.mp4"
    tiny.write_video(path, [(42.0, tiny.Scene("red", "square"))])
    return path


def settings(**values: Any) -> Any:
    return load_settings({"captions": "all", "captions_model": "openai:eyes", **values}).settings


def test_a_provider_is_not_asked_and_its_time_is_unknown(film: Path) -> None:
    os.environ["OPENAI_API_KEY"] = "sk-unused-key"
    found = estimate([film, film.parent / "nowhere.mp4"], settings(prices={"openai:eyes": (2.0, 8.0)}), None)
    assert found.seconds == pytest.approx(42, abs=0.1)
    assert (found.videos, found.calls) == (1, (3, 6, 21))
    assert found.input_tokens > 6 * 500
    assert found.money == pytest.approx((found.input_tokens * 2 + found.output_tokens * 8) / 1e6)
    assert found.caption_seconds is None
    assert found.failed[0][0].endswith("nowhere.mp4")
    assert estimate([film], settings(), None).money is None


def test_what_is_paid_for_is_not_counted(film: Path, tmp_path: Path) -> None:
    os.environ["OPENAI_API_KEY"] = "sk-unused-key"
    with Catalogue.open(tmp_path / "library") as catalogue:
        for start in (0.0, 15.0):
            key = ResultKey(hash_file(film), Span(start, start + 15), "openai:eyes", "", Asking.of(settings()).version)
            catalogue.results.put(key, Result(Reply("A square."), (start,), "0" * 64))
        found = estimate([film], settings(), catalogue.results)
    assert (found.known, found.calls) == (2, (1, 4, 19))


def test_a_model_in_this_process_is_tried(film: Path, untrained: Path) -> None:
    found = estimate([film], settings(captions_model=f"hf:{untrained}"), None)
    assert found.caption_seconds is not None
    assert found.caption_seconds > 0
    assert found.money == 0.0
    assert found.input_tokens > 0


@pytest.mark.parametrize("captions", ["none", "all"])
def test_the_command_prints_and_makes_no_library(film: Path, tmp_path: Path, captions: str) -> None:
    command = ["index", str(film), "--captions", captions, "--captions-model", "openai:eyes", "--estimate", "--json"]
    environment = {**os.environ, "OPENAI_API_KEY": "sk-unused-key", "AGENTVID_LIBRARY": str(tmp_path / "library")}
    done = subprocess.run(
        [sys.executable, "-m", "agentvid", *command], capture_output=True, env=environment, check=True
    )
    document = json.loads(done.stdout)
    assert document["calls"]["likely"] == (6 if captions == "all" else 0)
    assert not (tmp_path / "library").exists()
