"""Batch norms of a given graph folded into the convolutions before them, as PyTorch's exporter does with its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from duonas.given.tidy import reads


def fold_batch_norms(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold every batch norm that follows a convolution which nothing else reads; answers change by rounding alone.

    Between a convolution and its activation, a batch norm would keep both from becoming one integer operation.

    Args:
        model: as ``tidy`` gives it; changed in place.

    Returns:
        ``model``.
    """
    graph = model.graph
    stored = {each.name: each for each in graph.initializer}
    convolutions = {node.output[0]: node for node in graph.node if node.op_type == "Conv"}
    uses = Counter(name for node in graph.node for name in reads(node)) + Counter(each.name for each in graph.output)
    folded = []
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        conv = convolutions.get(norm.input[0])
        known = conv is not None and all(name in stored for name in (*filter(None, conv.input[1:]), *norm.input[1:5]))
        if conv is not None and known and uses[conv.output[0]] == 1 and len(norm.output) == 1 and not _trains(norm):
            _fold(graph, conv, norm, stored)
            folded.append(norm)
    if not folded:
        return model
    for norm in folded:
        graph.node.remove(norm)
    left = {name for node in graph.node for name in reads(node)}
    kept = [each for each in graph.initializer if each.name in left]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return model


def _fold(
    graph: onnx.GraphProto, conv: onnx.NodeProto, norm: onnx.NodeProto, stored: Mapping[str, onnx.TensorProto]
) -> None:
    kernel, *biases = (numpy_helper.to_array(stored[name]) for name in filter(None, conv.input[1:]))
    scale, shift, mean, variance = (numpy_helper.to_array(stored[name]).astype(np.float64) for name in norm.input[1:5])
    epsilon = next((each.f for each in norm.attribute if each.name == "epsilon"), 1e-5)
    factor = scale / np.sqrt(variance + epsilon)
    bias = shift + ((biases[0] if biases else 0.0) - mean) * factor
    names = [f"{norm.output[0]}_kernel", f"{norm.output[0]}_bias"]
    made = (kernel * factor.reshape(-1, *[1] * (kernel.ndim - 1)), bias)
    graph.initializer.extend(
        numpy_helper.from_array(value.astype(kernel.dtype), name) for name, value in zip(names, made, strict=True)
    )
    conv.input[:] = [conv.input[0], *names]
    conv.output[0] = norm.output[0]


def _trains(norm: onnx.NodeProto) -> bool:
    return any(each.name == "training_mode" and each.i for each in norm.attribute)
