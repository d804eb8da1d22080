"""The size of the weights in an ONNX file."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import numpy_helper


def weight_bytes(path: Path) -> int:
    """Return the bytes of all stored tensors of a model, those of its branches included; 0 if there are none."""
    return _stored(onnx.load(path).graph)


def _stored(graph: onnx.GraphProto) -> int:
    own = sum(numpy_helper.to_array(tensor).nbytes for tensor in graph.initializer)
    branches = (attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g"))
    return own + sum(map(_stored, branches))
