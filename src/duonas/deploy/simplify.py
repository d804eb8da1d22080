"""Rewrite exported graphs into equal ones that ONNX Runtime runs faster, where it does not do so itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSET = 18  # by which constants are computed; the few operations for that are the same in later ones


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold zeros around features and the division of a normalisation into convolutions; pool by ``GlobalAveragePool``.

    Uneven padding, as TensorFlow's networks have it, is no attribute of PyTorch's convolutions, but of ONNX's.
    Dividing images by their standard deviations is a pass over all pixels, a tenth of little's time at 224 x 224. ONNX
    Runtime keeps its own layout of features for convolutions and for ``GlobalAveragePool``, but not for ``ReduceMean``.
    Answers change by rounding alone.

    Args:
        model: a graph of features (N, C, H, W); changed in place.

    Returns:
        ``model``.
    """
    _fold_paddings(model.graph)
    _fold_divisions(model.graph)
    _pool(model.graph)
    _drop_unused(model.graph)
    return model


def _fold_paddings(graph: onnx.GraphProto) -> None:
    """Make zeros above, below and beside features the padding of the convolution that reads them."""
    paddings = {node.output[0]: node for node in graph.node if node.op_type == "Pad"}
    uses = _uses(graph)
    for conv in [node for node in graph.node if node.op_type == "Conv"]:
        padding = paddings.get(conv.input[0])
        alone = padding is not None and uses[conv.input[0]] == 1 and not _fits_itself(conv)
        zeros = _zeros(graph, padding) if padding is not None and alone else None
        if padding is None or zeros is None:
            continue
        own = next((list(each.ints) for each in conv.attribute if each.name == "pads"), [0] * 4)
        kept = [each for each in conv.attribute if each.name not in ("pads", "auto_pad")]
        del conv.attribute[:]
        conv.attribute.extend([*kept, helper.make_attribute("pads", [a + b for a, b in zip(own, zeros, strict=True)])])
        conv.input[0] = padding.input[0]
        graph.node.remove(padding)


def _fits_itself(conv: onnx.NodeProto) -> bool:
    """Whether a convolution pads by the size of what it reads."""
    return any(each.name == "auto_pad" and each.s.startswith(b"SAME") for each in conv.attribute)


def _zeros(graph: onnx.GraphProto, padding: onnx.NodeProto) -> list[int] | None:
    """Return the zeros above, to the left, below and to the right that a node adds; ``None`` if it adds others."""
    mode = next((attribute.s for attribute in padding.attribute if attribute.name == "mode"), b"constant")
    pads = _computed(graph, padding.input[1])
    value = _constant(graph, padding.input[2]) if len(padding.input) > 2 and padding.input[2] else np.zeros(())
    plain = mode == b"constant" and len(padding.input) < 4 and value is not None and not value.any()
    if not plain or pads is None or pads.size != 8 or pads.min() < 0 or pads.reshape(2, 4)[:, :2].any():
        return None
    return [int(number) for number in pads.reshape(2, 4)[:, 2:].ravel()]


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
    while unused := [node for node in graph.node if not any(uses[name] for name in node.output)]:
        for node in unused:
            graph.node.remove(node)
        uses = _uses(graph)
    for tensor in [each for each in graph.initializer if not uses[each.name]]:
        graph.initializer.remove(tensor)


def _uses(graph: onnx.GraphProto) -> Counter[str]:
    """Count how often each value is read, also in branches of nodes such as ``If``."""
    branches = [a.g for node in graph.node for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    read = Counter([*(name for node in graph.node for name in node.input), *(each.name for each in graph.output)])
    return sum(map(_uses, branches), read)


def _axes(graph: onnx.GraphProto, node: onnx.NodeProto) -> list[int] | None:
    axes = _constant(graph, node.input[1]) if len(node.input) > 1 else None
    return None if axes is None else sorted(int(axis) % 4 for axis in axes.ravel())


def _computed(graph: onnx.GraphProto, name: str) -> np.ndarray | None:
    """Return the value of a constant, or of what nodes compute of constants alone; ``None`` for what images decide."""
    if (known := _constant(graph, name)) is not None:
        return known
    needed, wanted = list[onnx.NodeProto](), {name}
    for node in reversed(graph.node):
        if wanted & set(node.output):
            needed.insert(0, node)
            wanted |= set(filter(None, node.input))
    if wanted & {each.name for each in graph.input}:
        return None
    tensors = [tensor for tensor in graph.initializer if tensor.name in wanted]
    small = helper.make_graph(needed, "constant", [], [helper.make_empty_tensor_value_info(name)], tensors)
    (found,) = ReferenceEvaluator(small, opsets={"": OPSET}).run([name], {})
    return np.asarray(found)


def _constant(graph: onnx.GraphProto, name: str) -> np.ndarray | None:
    """Return the value of an initializer or of a node ``Constant``; ``None`` for what is computed."""
    found = next((tensor for tensor in graph.initializer if tensor.name == name), None)
    if found is None:
        made = next((node for node in graph.node if node.op_type == "Constant" and name in node.output), None)
        found = next((each.t for each in made.attribute if each.name == "value"), None) if made else None
    return None if found is None else numpy_helper.to_array(found)


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return int(next((attribute.i for attribute in node.attribute if attribute.name == name), default))
