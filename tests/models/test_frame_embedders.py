"""What every frame embedder must do, and what is said of models that cannot be used. Models are made here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agentvid.errors import ModelError, UsageError
from agentvid.models import load_frame_embedder
from agentvid.models.base import FrameEmbedder
from agentvid.models.sentence_transformer_images import SentenceTransformerImages
from tests.frames.tiny_clip import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP that has learnt nothing."""
    return train(tmp_path_factory.mktemp("clip"), steps=0)


#: Name -> how it is opened from the folder of a model.
EMBEDDERS: dict[str, Callable[[Path], FrameEmbedder]] = {
    "scripted": lambda folder: load_frame_embedder("scripted:colours", folder),
    "sentence-transformers": lambda folder: load_frame_embedder(str(folder), folder),
}


@pytest.fixture(params=sorted(EMBEDDERS))
def embedder(request: pytest.FixtureRequest, folder: Path) -> FrameEmbedder:
    return EMBEDDERS[request.param](folder)


def test_pictures_and_words_lie_in_one_space(embedder: FrameEmbedder) -> None:
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 255, (height, 90, 3), np.uint8) for height in (40, 90, 40)]
    pictures[1][..., 2] = 0
    pictures[2] = pictures[0].copy()
    for vectors, count in ((embedder.encode(pictures), 3), (embedder.encode_query(["a red square", "caf\udce9"]), 2)):
        assert vectors.shape == (count, embedder.space.dimension)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    shown = embedder.encode(pictures)
    assert np.allclose(shown[0], shown[2], atol=1e-5)
    assert not np.allclose(shown[0], shown[1], atol=1e-3)


def test_nothing_to_embed(embedder: FrameEmbedder) -> None:
    assert embedder.encode([]).shape == embedder.encode_query([]).shape == (0, embedder.space.dimension)


def test_its_space_is_one_of_frames_and_known_by_name_and_revision(embedder: FrameEmbedder) -> None:
    space = embedder.space
    assert (space.kind, space.model, space.revision) == ("frames", embedder.name, embedder.revision)
    assert space.key.endswith(" frames")


def test_the_revision_follows_the_weights_and_loads_nothing(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "model")
    before = SentenceTransformerImages(str(tmp_path / "model")).revision
    assert before == SentenceTransformerImages(str(folder)).revision
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other")
    assert SentenceTransformerImages(str(tmp_path / "model")).revision != before


def _half(model: Path) -> None:
    weights = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights[: len(weights) // 2])


def _no_weights(model: Path) -> None:
    (model / "model.safetensors").unlink()


def _no_config(model: Path) -> None:
    (model / "config.json").unlink()


def _no_pictures(model: Path) -> None:
    (model / "processor_config.json").unlink()


def _code(model: Path) -> None:
    config = json.loads((model / "config.json").read_text("utf-8"))
    config |= {"model_type": "trap", "auto_map": {"AutoConfig": "trap.Trap", "AutoModel": "trap.Trap"}}
    (model / "config.json").write_text(json.dumps(config), "utf-8")
    (model / "trap.py").write_text(f"open({str(model / 'ran')!r}, 'w').close()\nclass Trap: ...\n", "utf-8")


@pytest.mark.parametrize("damage", [_half, _no_weights, _no_config, _no_pictures, _code])
def test_a_model_that_cannot_be_used_is_one_line_with_a_way_out(
    folder: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    shutil.copytree(folder, tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(ModelError, match="frame embedder") as caught:
        load_frame_embedder(str(tmp_path / "model"), tmp_path).encode([np.zeros((32, 32, 3), np.uint8)])
    assert "\n" not in f"{caught.value}{caught.value.hint}"
    assert caught.value.hint
    assert not (tmp_path / "model" / "ran").exists()


@pytest.mark.parametrize("name", ["", "  ", "./missing/model", "/missing/model"])
def test_a_name_of_nothing_is_refused_at_once(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no name|is not a folder"):
        load_frame_embedder(name, tmp_path)
