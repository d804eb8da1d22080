"""What an ONNX graph costs for one image, counted from the shapes of its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import onnx
from onnx import numpy_helper, shape_inference

from duonas.core.cost import Cost

BYTES = 4  # of an activation in float32
Sides = Sequence[int]


def count(model: onnx.ModelProto) -> Cost:
    """Return the multiply-accumulates, parameters, bytes of weights and peak memory of a graph for one image.

    Convolutions and matrix products count, as for the networks of a search. An operation of an unknown shape counts
    nothing.

    Args:
        model: a graph of one input, whose first side is the number of images if it is open.
    """
    model = _of_one_image(model)
    shapes = _shapes(model.graph)
    stored = {each.name: each for each in model.graph.initializer}
    weights = [each for each in stored.values() if each.data_type in _WEIGHTS]
    return Cost(
        macs=sum(_macs(node, shapes) for node in model.graph.node),
        params=sum(prod(each.dims) for each in weights),
        weight_bytes=sum(numpy_helper.to_array(each).nbytes for each in weights),
        peak_memory_bytes=BYTES * _peak(model.graph, shapes, stored),
    )


_WEIGHTS = (
    onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.INT8,
    onnx.TensorProto.UINT8, onnx.TensorProto.BFLOAT16,
)  # fmt: skip


def _of_one_image(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy for one image, whose shapes are inferred anew: windows, say, are several rows for each image."""
    one = onnx.ModelProto()
    one.CopyFrom(model)
    first = one.graph.input[0].type.tensor_type.shape.dim[0]
    batch = first.dim_param
    for value in (*one.graph.input, *one.graph.value_info, *one.graph.output):
        for side in value.type.tensor_type.shape.dim:
            if side.dim_param and side.dim_param == batch:
                side.dim_value = 1
            elif not side.HasField("dim_value"):
                side.ClearField("dim_param")
    if not first.HasField("dim_value"):
        first.dim_value = 1
    return shape_inference.infer_shapes(one, data_prop=True)


def _shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    found = {each.name: tuple(each.dims) for each in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.tensor_type.HasField("shape"):
            sides = value.type.tensor_type.shape.dim
            if all(side.HasField("dim_value") for side in sides):
                found[value.name] = tuple(side.dim_value for side in sides)
    for node in graph.node:
        if node.op_type == "Constant":
            value = next((each.t for each in node.attribute if each.name == "value"), None)
            if value is not None:
                found[node.output[0]] = tuple(value.dims)
    return found


def _macs(node: onnx.NodeProto, shapes: Mapping[str, Sides]) -> int:
    counting = _COUNTED.get(node.op_type)
    if counting is None:
        return 0
    first, second, leaving = (shapes.get(name) for name in (node.input[0], node.input[counting[0]], node.output[0]))
    if not first or not second or leaving is None:
        return 0
    return counting[1](node, first, second, leaving)


def _conv(node: onnx.NodeProto, first: Sides, weight: Sides, leaving: Sides) -> int:
    return prod(leaving) * prod(weight[1:])


def _transposed(node: onnx.NodeProto, first: Sides, weight: Sides, leaving: Sides) -> int:
    return prod(first) * prod(weight[1:])


def _gemm(node: onnx.NodeProto, first: Sides, second: Sides, leaving: Sides) -> int:
    transposed = next((each.i for each in node.attribute if each.name == "transA"), 0)
    return prod(leaving) * (first[0] if transposed else first[-1])


def _matmul(node: onnx.NodeProto, first: Sides, second: Sides, leaving: Sides) -> int:
    return prod(leaving) * first[-1]


# By operation: which of its inputs is the other factor, and how it is counted.
_COUNTED: dict[str, tuple[int, Callable[[onnx.NodeProto, Sides, Sides, Sides], int]]] = {
    "Conv": (1, _conv), "ConvInteger": (1, _conv), "QLinearConv": (3, _conv), "ConvTranspose": (1, _transposed),
    "Gemm": (1, _gemm), "MatMul": (1, _matmul), "MatMulInteger": (1, _matmul), "QLinearMatMul": (3, _matmul),
}  # fmt: skip


def _peak(graph: onnx.GraphProto, shapes: Mapping[str, Sides], stored: Mapping[str, object]) -> int:
    """The largest number of values that are held at a time, of those that depend on the images."""
    last = {name: place for place, node in enumerate(graph.node) for name in node.input}
    ends = {each.name for each in graph.output}
    held = {each.name: prod(shapes.get(each.name, ())) for each in graph.input if each.name not in stored}
    most = sum(held.values())
    for place, node in enumerate(graph.node):
        if not any(name in held for name in node.input):
            continue  # made of constants alone
        held |= {name: prod(shapes[name]) for name in node.output if shapes.get(name)}
        most = max(most, sum(held.values()))
        for name in [each for each in held if last.get(each, -1) <= place and each not in ends]:
            del held[name]
    return most
