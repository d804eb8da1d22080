"""Rewrite exported graphs into equal ones that ONNX Runtime runs faster, where it does not do so itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import helper, numpy_helper


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold the division of a normalisation into the convolution after it, and pool by ``GlobalAveragePool``.

    Dividing images by their standard deviations is a pass over all pixels, a tenth of little's time at 224 x 224. ONNX
    Runtime keeps its own layout of features for convolutions and for ``GlobalAveragePool``, but not for ``ReduceMean``.
    Answers change by rounding alone.

    Args:
        model: a graph of features (N, C, H, W); changed in place.

    Returns:
        ``model``.
    """
    _fold_divisions(model.graph)
    _pool(model.graph)
    _drop_unused(model.graph)
    return model


def _fold_divisions(graph: onnx.GraphProto) -> None:
    """Divide the weights of a convolution instead of all that enters it; padding with zeros stays what it was."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    divisions = {node.output[0]: node for node in graph.node if node.op_type == "Div"}
    uses = _uses(graph)
    for conv in [node for node in graph.node if node.op_type == "Conv" and not _attribute(node, "group", 1) > 1]:
        division, weight = divisions.get(conv.input[0]), weights.get(conv.input[1])
        if division is None or weight is None or max(uses[conv.input[0]], uses[weight.name]) > 1:
            continue
        kernel = numpy_helper.to_array(weight)
        by = _by_channel(_constant(graph, division.input[1]), kernel.shape[1])
        if by is not None and kernel.ndim == 4:
            divided = (kernel / by[:, None, None]).astype(kernel.dtype)
            weight.CopyFrom(numpy_helper.from_array(divided, weight.name))
            conv.input[0] = division.input[0]
            graph.node.remove(division)


def _by_channel(divisor: np.ndarray | None, channels: int) -> np.ndarray | None:
    """Return a divisor (C,) of features (N, C, H, W); ``None`` if it is another one, or not known."""
    if divisor is None or not np.isfinite(divisor).all() or not divisor.all():
        return None
    if divisor.size == 1:
        return np.full(channels, divisor.item(), divisor.dtype)
    shape = (1,) * (4 - divisor.ndim) + divisor.shape
    return divisor.reshape(-1) if shape == (1, channels, 1, 1) else None


def _pool(graph: onnx.GraphProto) -> None:
    """Replace means over rows and columns."""
    ranks = {each.name: len(each.type.tensor_type.shape.dim) for each in (*graph.input, *graph.value_info)}
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        over_pixels = node.op_type == "ReduceMean" and ranks.get(node.input[0]) == 4 and _axes(graph, node) == [2, 3]
        graph.node.extend(_pooled(node) if over_pixels else [node])


def _pooled(mean: onnx.NodeProto) -> list[onnx.NodeProto]:
    entry, leaving = mean.input[0], mean.output[0]
    if _attribute(mean, "keepdims", 1):
        return [helper.make_node("GlobalAveragePool", [entry], [leaving], f"{leaving}_pool")]
    pool = helper.make_node("GlobalAveragePool", [entry], [f"{leaving}_pooled"], f"{leaving}_pool")
    return [pool, helper.make_node("Flatten", [f"{leaving}_pooled"], [leaving], f"{leaving}_flat", axis=1)]


def _drop_unused(graph: onnx.GraphProto) -> None:
    uses = _uses(graph)
    for tensor in [each for each in graph.initializer if not uses[each.name]]:
        graph.initializer.remove(tensor)


def _uses(graph: onnx.GraphProto) -> Counter[str]:
    return Counter([*(name for node in graph.node for name in node.input), *(each.name for each in graph.output)])


def _axes(graph: onnx.GraphProto, node: onnx.NodeProto) -> list[int] | None:
    axes = _constant(graph, node.input[1]) if len(node.input) > 1 else None
    return None if axes is None else sorted(int(axis) % 4 for axis in axes.ravel())


def _constant(graph: onnx.GraphProto, name: str) -> np.ndarray | None:
    """Return the value of an initializer or of a node ``Constant``; ``None`` for what is computed."""
    found = next((tensor for tensor in graph.initializer if tensor.name == name), None)
    if found is None:
        made = next((node for node in graph.node if node.op_type == "Constant" and name in node.output), None)
        found = next((each.t for each in made.attribute if each.name == "value"), None) if made else None
    return None if found is None else numpy_helper.to_array(found)


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return int(next((attribute.i for attribute in node.attribute if attribute.name == name), default))
