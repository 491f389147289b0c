"""Models are found by name; plug-ins are real installed distributions in a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentvid.errors import UsageError
from agentvid.models import load_embedder
from agentvid.models.minilm import MiniLM
from agentvid.models.sentence_transformer import SentenceTransformerEmbedder

PLUGIN = """
from agentvid.models.scripted import HashEmbedder

def tiny(cache):
    return HashEmbedder(len(cache.name))

def broken(cache):
    raise RuntimeError("no licence")
"""

PROGRAM = """
import sys
from pathlib import Path
from agentvid.errors import AgentvidError
from agentvid.models import load_embedder
try:
    embedder = load_embedder(sys.argv[1], Path("four"))
    sys.stdout.write(f"{type(embedder).__name__} {embedder.space.key if sys.argv[1] == 'tiny' else ''}")
except AgentvidError as error:
    sys.stdout.write(f"{type(error).__name__}: {error} | {error.hint}")
"""


def install(folder: Path, name: str, lines: str) -> None:
    """What pip leaves behind: a module and its metadata."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / f"{name}.py").write_text(PLUGIN, "utf-8")
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
    (metadata / "entry_points.txt").write_text(f"[agentvid.embedders]\n{lines}\n", "utf-8")


def load_in_process(folder: Path, name: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
    )
    return done.stdout


def test_minilm_by_name() -> None:
    assert isinstance(load_embedder("minilm", Path("unused")), MiniLM)


def test_any_other_name_is_a_sentence_transformers_model_not_loaded_yet() -> None:
    assert isinstance(load_embedder("BAAI/bge-small-en-v1.5", Path("unused")), SentenceTransformerEmbedder)


@pytest.mark.parametrize("name", ["", "  "])
def test_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="has no name"):
        load_embedder(name, Path("unused"))


@pytest.mark.parametrize("name", ["./missing/model", "/missing/model", "~/missing-model-of-agentvid"])
def test_a_path_that_is_no_folder_is_refused_at_once(name: str) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        load_embedder(name, Path("unused"))


def test_a_plugin_is_found_and_gets_the_cache(tmp_path: Path) -> None:
    install(tmp_path, "good_plugin", "tiny = good_plugin:tiny")
    assert load_in_process(tmp_path, "tiny") == "HashEmbedder hash@1/4"


def test_plugins_can_be_switched_off(tmp_path: Path) -> None:
    install(tmp_path, "good_plugin", "tiny = good_plugin:tiny\nother = good_plugin:tiny")
    assert load_in_process(tmp_path, "other").startswith("HashEmbedder")
    assert load_in_process(tmp_path, "other", AGENTVID_PLUGINS="off").startswith("SentenceTransformerEmbedder")


@pytest.mark.parametrize("target", ["bad_plugin:broken", "bad_plugin:absent", "nowhere:tiny"])
def test_a_failing_plugin_is_named(tmp_path: Path, target: str) -> None:
    install(tmp_path, "bad_plugin", f"bad = {target}")
    shown = load_in_process(tmp_path, "bad")
    assert shown.startswith("ModelError: the embedder plug-in 'bad' of bad_plugin failed: ")
    assert shown.endswith("set AGENTVID_PLUGINS=off")


def test_two_plugins_of_one_name_are_both_named(tmp_path: Path) -> None:
    install(tmp_path, "first_plugin", "tiny = first_plugin:tiny")
    install(tmp_path, "second_plugin", "tiny = second_plugin:tiny")
    assert "offered by first_plugin, second_plugin" in load_in_process(tmp_path, "tiny")


def test_a_plugin_cannot_take_the_place_of_minilm(tmp_path: Path) -> None:
    install(tmp_path, "bold_plugin", "minilm = bold_plugin:tiny")
    assert load_in_process(tmp_path, "minilm").startswith("MiniLM")
