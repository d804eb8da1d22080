"""Logits that stay float32 in a quantised graph, so that a router tells as many scores apart as before."""

from __future__ import annotations

import onnx

# What may stand between the last layer and the logits, whose values are the logits in another form.
AFTER = (
    "Add", "Cast", "Clip", "Div", "Flatten", "Gather", "Identity", "Log", "Mul", "Reshape", "Softmax", "Squeeze", "Sub",
    "Transpose", "Unsqueeze",
)  # fmt: skip


def float_logits(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take off the conversions to integers and back between the last layer and logits (N, K); changed in place.

    The last layer itself, or a pool before the logits, reads integers as before. Features (N, C, H, W) are left as they
    are.
    """
    graph = model.graph
    if len(graph.output[0].type.tensor_type.shape.dim) != 2:
        return model
    makers = {name: node for node in graph.node for name in node.output}
    stored = {each.name for each in graph.initializer}
    value = graph.output[0].name
    while (node := makers.get(value)) is not None:
        if node.op_type == "DequantizeLinear":
            back = makers.get(node.input[0])
            if back is None or back.op_type != "QuantizeLinear" or back.input[0] not in makers:
                break
            makers[value] = makers[back.input[0]]
            _take_off(graph, node, back)
            value = value if value == graph.output[0].name else back.input[0]
            continue
        dynamic = [name for name in node.input if name not in stored and not _is_stored(makers.get(name), stored)]
        if node.op_type not in AFTER or len(dynamic) != 1:
            break
        value = dynamic[0]
    return model


def _take_off(graph: onnx.GraphProto, node: onnx.NodeProto, back: onnx.NodeProto) -> None:
    """Let all that reads what ``node`` makes read what ``back`` reads; the output of the graph keeps its name."""
    value, before = node.output[0], back.input[0]
    graph.node.remove(node)
    if not any(back.output[0] in each.input for each in graph.node):
        graph.node.remove(back)
    if value == graph.output[0].name:
        value, before = before, value
    for each in graph.node:
        each.input[:] = [before if name == value else name for name in each.input]
        each.output[:] = [before if name == value else name for name in each.output]


def _is_stored(node: onnx.NodeProto | None, stored: set[str]) -> bool:
    """Whether a value is a weight that was made of integers."""
    return node is not None and all(name in stored for name in node.input)
