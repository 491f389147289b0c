"""The forward pass of a BERT sentence encoder as an ONNX graph whose weights are given at opening time.

Architecture: Devlin et al., "BERT", 2019 (post-norm transformer encoder); mean pooling over unmasked tokens and
L2 normalisation: Reimers and Gurevych, "Sentence-BERT", 2019. Weight names are those of transformers' BertModel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentvid.models.onnx_graph import FLOAT, INT64, Graph

# Added to the attention scores of padding: exp() of it is exactly 0 in float32.
_MASKED_SCORE = -1e9


@dataclass(frozen=True, slots=True)
class BertShape:
    """What config.json says about the network."""

    layers: int
    heads: int
    width: int
    layer_norm_epsilon: float


def bert_graph(shape: BertShape, weights: Mapping[str, Sequence[int]]) -> bytes:
    """ONNX bytes: input_ids, attention_mask int64 (batch, tokens) -> embedding float32 (batch, width), L2 norm 1.

    `weights` maps each weight's name to its shape; the values are added to the session under these names.
    """
    return _Bert(shape, weights).build()


class _Bert:
    """One graph under construction. Between blocks, hidden states are (batch * tokens, width)."""

    def __init__(self, shape: BertShape, weights: Mapping[str, Sequence[int]]) -> None:
        self._shape = shape
        self._graph = graph = Graph("bert")
        for name, size in weights.items():
            graph.weight(name, size)
        self._ids = graph.input("input_ids", INT64, ["batch", "tokens"])
        mask = graph.input("attention_mask", INT64, ["batch", "tokens"])
        self._one, self._two = graph.constant("one", [1]), graph.constant("two", [2])
        self._flat = graph.constant("flat", [-1, shape.width])
        self._size = graph.add("Shape", self._ids)
        self._mask = graph.add("Cast", mask, to=FLOAT)

    def build(self) -> bytes:
        graph = self._graph
        hidden = self._embeddings()
        split, bias = self._head_split(), self._attention_bias()
        for layer in range(self._shape.layers):
            hidden = self._layer(hidden, f"encoder.layer.{layer}", split, bias)
        tokens = graph.add("Reshape", hidden, graph.add("Concat", self._size, graph.constant("rest", [-1]), axis=0))
        # The mean differs from the sum by a factor only, which the L2 normalisation removes.
        kept = graph.add("Mul", tokens, graph.add("Unsqueeze", self._mask, self._two))
        total = graph.add("ReduceSum", kept, self._one, keepdims=0)
        graph.add("LpNormalization", total, axis=1, p=2, name="embedding")
        graph.output("embedding", FLOAT, ["batch", self._shape.width])
        return graph.to_bytes()

    def _embeddings(self) -> str:
        graph, zero = self._graph, self._graph.constant("zero", [0])
        words = graph.add("Gather", "embeddings.word_embeddings.weight", self._ids)
        length = graph.add("Slice", self._size, self._one, self._two)
        positions = graph.add("Slice", "embeddings.position_embeddings.weight", zero, length)
        segment = graph.add("Gather", "embeddings.token_type_embeddings.weight", zero)
        total = graph.add("Add", words, graph.add("Add", positions, segment))
        return self._norm(graph.add("Reshape", total, self._flat), "embeddings.LayerNorm")

    def _head_split(self) -> str:
        """The shape (batch, tokens, heads, width / heads)."""
        heads = self._graph.constant("heads", [self._shape.heads, self._shape.width // self._shape.heads])
        return self._graph.add("Concat", self._size, heads, axis=0)

    def _attention_bias(self) -> str:
        """(batch, 1, 1, tokens): 0 where a token is, very low where padding is."""
        graph = self._graph
        padding = graph.add("Sub", graph.constant("unit", 1.0), self._mask)
        score = graph.add("Mul", padding, graph.constant("masked", _MASKED_SCORE))
        return graph.add("Unsqueeze", score, graph.constant("middle", [1, 2]))

    def _layer(self, hidden: str, name: str, split: str, bias: str) -> str:
        graph = self._graph
        attended = self._linear(
            self._attention(hidden, f"{name}.attention.self", split, bias), f"{name}.attention.output.dense"
        )
        hidden = self._norm(graph.add("Add", attended, hidden), f"{name}.attention.output.LayerNorm")
        wide = graph.add("Gelu", self._linear(hidden, f"{name}.intermediate.dense"))
        narrow = self._linear(wide, f"{name}.output.dense")
        return self._norm(graph.add("Add", narrow, hidden), f"{name}.output.LayerNorm")

    def _attention(self, hidden: str, name: str, split: str, bias: str) -> str:
        graph = self._graph

        def heads(part: str, order: Sequence[int]) -> str:
            return graph.add(
                "Transpose", graph.add("Reshape", self._linear(hidden, f"{name}.{part}"), split), perm=order
            )

        query, value = heads("query", (0, 2, 1, 3)), heads("value", (0, 2, 1, 3))
        scale = graph.constant(f"{name}.scale", (self._shape.width // self._shape.heads) ** -0.5)
        scores = graph.add("Mul", graph.add("MatMul", query, heads("key", (0, 2, 3, 1))), scale)
        weights = graph.add("Softmax", graph.add("Add", scores, bias), axis=-1)
        mixed = graph.add("Transpose", graph.add("MatMul", weights, value), perm=(0, 2, 1, 3))
        return graph.add("Reshape", mixed, self._flat)

    def _linear(self, hidden: str, name: str) -> str:
        return self._graph.add("Gemm", hidden, f"{name}.weight", f"{name}.bias", transB=1)

    def _norm(self, hidden: str, name: str) -> str:
        epsilon = self._shape.layer_norm_epsilon
        return self._graph.add("LayerNormalization", hidden, f"{name}.weight", f"{name}.bias", axis=-1, epsilon=epsilon)
