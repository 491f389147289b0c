"""Any sentence-transformers model: prompts kept apart, safetensors only, errors in one line. The model is made here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agentvid.errors import ModelError
from agentvid.models import load_embedder
from agentvid.models.sentence_transformer import SentenceTransformerEmbedder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", "document", ":", "a", "box", "door", "opens", "red", "the"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one layer with random weights, and a prompt for each side, saved as users' models are."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    parts = tmp_path_factory.mktemp("parts")
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(parts)
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    ).save_pretrained(parts)
    transformer = Transformer(str(parts))
    model = SentenceTransformer(
        modules=[transformer, Pooling(16)],
        prompts={"query": "query : ", "document": "document : "},
        device="cpu",
    )
    saved = tmp_path_factory.mktemp("model")
    model.save(str(saved))
    return saved


def test_queries_and_documents_get_their_own_prompts(folder: Path) -> None:
    embedder = load_embedder(str(folder), Path("unused"))
    texts = ["a red door opens", "the box"]
    query, document = embedder.encode_query(texts), embedder.encode_document(texts)
    for vectors in (query, document):
        assert vectors.shape == (2, 16)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert np.abs(query - document).max() > 1e-3
    # the prompts are what makes the difference: written out by hand they give the same vectors
    by_hand = SentenceTransformerEmbedder(str(folder))._model.encode(
        [f"query : {text}" for text in texts], normalize_embeddings=True, prompt=""
    )
    assert np.allclose(query, by_hand, atol=1e-5)


def test_no_texts_and_undecodable_texts(folder: Path) -> None:
    embedder = SentenceTransformerEmbedder(str(folder))
    assert embedder.encode_document([]).shape == (0, 16)
    assert np.isfinite(embedder.encode_query(["caf\udce9", ""])).all()


def test_the_revision_of_a_folder_follows_its_content(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    space = SentenceTransformerEmbedder(str(folder)).space
    copied = SentenceTransformerEmbedder(str(tmp_path / "copy")).space
    assert space.dimension == 16
    assert len(space.revision) == 12
    assert copied.revision == space.revision
    settings = tmp_path / "copy" / "config_sentence_transformers.json"
    settings.write_text(settings.read_text("utf-8").replace("query : ", "ask : "), "utf-8")
    assert SentenceTransformerEmbedder(str(tmp_path / "copy")).space.revision != space.revision


def test_pickled_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    import torch

    shutil.copytree(folder, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    torch.save({}, tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        SentenceTransformerEmbedder(str(tmp_path / "model")).encode_query(["a box"])
    assert "safetensors" in caught.value.hint


def test_code_inside_a_model_is_not_run(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "model")
    marker = tmp_path / "ran"
    (tmp_path / "model" / "trap.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Trap: ...\n", "utf-8")
    modules = tmp_path / "model" / "modules.json"
    listed = json.loads(modules.read_text("utf-8"))
    modules.write_text(json.dumps([*listed, {"idx": 9, "name": "9", "path": "", "type": "trap.Trap"}]), "utf-8")
    config = tmp_path / "model" / "config.json"
    mapped = {**json.loads(config.read_text("utf-8")), "auto_map": {"AutoModel": "trap.Trap"}}
    config.write_text(json.dumps(mapped), "utf-8")
    with pytest.raises(ModelError, match="cannot be loaded"):
        SentenceTransformerEmbedder(str(tmp_path / "model")).encode_query(["a box"])
    assert not marker.exists()


@pytest.mark.slow
def test_a_hub_model_has_its_commit_and_a_missing_one_is_one_line(folder: Path, tmp_path: Path) -> None:
    """Offline, on a real hub cache: what `hf download` leaves behind."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "hub" / "models--somebody--tiny"
    shutil.copytree(folder, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit, "utf-8")
    program = (
        "import sys; from pathlib import Path\n"
        "from agentvid.errors import ModelError\nfrom agentvid.models import load_embedder\n"
        "sys.stdout.write(load_embedder('somebody/tiny', Path('unused')).space.key)\n"
        "try: load_embedder('nobody/no-such-model', Path('unused')).encode_query(['x'])\n"
        "except ModelError as error: sys.stdout.write(f'\\n{error}\\n{error.hint}')"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    key, message, hint = done.stdout.split("\n")
    assert key == "somebody/tiny@0123456789ab/16"
    assert message.startswith("the embedder 'nobody/no-such-model' cannot be loaded: ")
    assert "hf download nobody/no-such-model" in hint
