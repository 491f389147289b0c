"""Writes an ONNX model as bytes, without the `onnx` package: a graph of operators over tensors that live elsewhere.

Wire format and field numbers: protobuf's encoding guide and onnx.proto (ONNX IR version 9). Only what a graph with
external weights needs is here. torch's exporters need `onnx` or `onnxscript`, which agentvid does not install.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

FLOAT, INT64 = 1, 7
IR_VERSION, OPSET = 9, 20

Attribute = int | float | Sequence[int]
Dimension = int | str


class Graph:
    """Operators in the order they run. `add` returns the name of the operator's output."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[bytes] = []
        self._initializers: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []

    def input(self, name: str, element: int, shape: Sequence[Dimension]) -> str:
        self._inputs.append(_value_info(name, element, shape))
        return name

    def output(self, name: str, element: int, shape: Sequence[Dimension]) -> None:
        self._outputs.append(_value_info(name, element, shape))

    def weight(self, name: str, shape: Sequence[int]) -> str:
        """A float32 tensor that the session is given under `name` when it opens the model."""
        location = _message({1: "location", 2: name})
        self._initializers.append(_message({1: list(shape), 2: FLOAT, 8: name, 13: location, 14: 1}))
        return name

    def constant(self, name: str, values: Sequence[int] | float) -> str:
        """A small tensor kept in the model: int64 (n,) for integers, float32 () for a float."""
        if isinstance(values, float):
            tensor = _message({2: FLOAT, 8: name, 9: struct.pack("<f", values)})
        else:
            tensor = _message({1: [len(values)], 2: INT64, 8: name, 9: struct.pack(f"<{len(values)}q", *values)})
        self._initializers.append(tensor)
        return name

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Attribute) -> str:
        """Append `operator`; its output is called `name`, or gets a name of its own."""
        output = name or f"{operator}_{len(self._nodes)}"
        written = [_attribute(key, value) for key, value in attributes.items()]
        self._nodes.append(_message({1: list(inputs), 2: output, 3: output, 4: operator, 5: written}))
        return output

    def to_bytes(self) -> bytes:
        graph = _message({1: self._nodes, 2: self._name, 5: self._initializers, 11: self._inputs, 12: self._outputs})
        return _message({1: IR_VERSION, 7: graph, 8: _message({1: "", 2: OPSET})})


def _value_info(name: str, element: int, shape: Sequence[Dimension]) -> bytes:
    dimensions = [_message({1 if isinstance(size, int) else 2: size}) for size in shape]
    tensor_type = _message({1: element, 2: _message({1: dimensions})})
    return _message({1: name, 2: _message({1: tensor_type})})


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return _message({1: name, 3: value, 20: 2})
    if isinstance(value, float):
        return _message({1: name, 2: value, 20: 1})
    return _message({1: name, 8: list(value), 20: 7})


Scalar = int | float | str | bytes


def _message(fields: Mapping[int, Scalar | Iterable[Scalar]]) -> bytes:
    """One protobuf message: field number -> value, or values of a repeated field."""
    written = bytearray()
    for number, value in fields.items():
        for item in [value] if isinstance(value, Scalar) else value:
            written += _field(number, item)
    return bytes(written)


def _field(number: int, value: Scalar) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)  # int64, two's complement
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    encoded = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(encoded)) + encoded


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
