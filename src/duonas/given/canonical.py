"""A given network as the pair takes it: images (N, 3, S, S) in [0, 1] to logits (N, K) of the images' classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from duonas.given.network import Wants
from duonas.given.shapes import COLOURS

IMAGES, LOGITS, SEEN = "given_images", "given_logits", "given_seen"
LEAST = 1e-30  # of a probability, before its logarithm


@dataclass(frozen=True)
class Leaving:
    """What a network gives.

    Args:
        probabilities: whether it gives these, not logits.
        order: (K,) the number of the output for each class of the images.
    """

    probabilities: bool
    order: tuple[int, ...]


class _Made:
    """Nodes and constants under construction, in a chain."""

    def __init__(self, prefix: str, value: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[onnx.TensorProto] = []
        self.prefix, self.value = prefix, value

    def constant(self, value: Any, kind: Any = np.float32) -> str:
        name = f"{self.prefix}{len(self.stored)}_constant"
        self.stored.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> None:
        """Add an operation on the last value."""
        leaving = f"{self.prefix}{len(self.nodes)}_{op.lower()}"
        self.nodes.append(helper.make_node(op, [self.value, *inputs], [leaving], leaving, **attributes))
        self.value = leaving


def entering(wants: Wants, image_size: int, kind: int) -> _Made:
    """Images (N, 3, S, S) in [0, 1] to what a network sees: cropped, resized, in its units, order, layout and type.

    Args:
        wants: complete.
        image_size: S.
        kind: the type of the network's input, of ``TensorProto``.
    """
    made = _Made("given_in", IMAGES)
    size = int(wants.size or image_size)
    side = image_size if wants.crop is None else min(image_size, max(1, round(image_size * wants.crop)))
    if side < image_size:
        start = (image_size - side) // 2
        made.add("Slice", *(made.constant(each, np.int64) for each in ([start] * 2, [start + side] * 2, [2, 3])))
    if side != size:  # as torch.nn.functional.interpolate, which every runtime computes alike
        made.add(
            "Resize",
            "",
            made.constant([1.0, 1.0, *[_scale(side, size)] * 2]),
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
    if wants.channels == "bgr":
        made.add("Gather", made.constant([2, 1, 0], np.int64), axis=1)
    low, high = wants.range or (0.0, 1.0)
    span, whole = high - low, kind == TensorProto.UINT8
    if whole:  # as the pixels were before
        made.add("Mul", made.constant(span))
        made.add("Round")
    else:
        mean, std = (np.broadcast_to(np.asarray(each, np.float64), COLOURS) for each in (wants.mean, wants.std))
        taken, divided = (mean - low) / span, std / span
        if taken.any():
            made.add("Sub", made.constant(taken.reshape(1, -1, 1, 1)))
        if (divided != 1).any():
            made.add("Div", made.constant(divided.reshape(1, -1, 1, 1)))
    if wants.layout == "nhwc":
        made.add("Transpose", perm=[0, 2, 3, 1])
    if kind != TensorProto.FLOAT:
        made.add("Cast", to=kind)
    if not made.nodes:
        made.add("Identity")
    return made


def _scale(side: int, size: int) -> np.float32:
    """The factor from a side to a size in float32, of which runtimes round the product down."""
    found = np.float32(size / side)
    return found if float(found) * side >= size else np.nextafter(found, np.float32(np.inf))


def leaving(value: str, kind: int, sides: Sequence[int], about: Leaving) -> _Made:
    """The scores of classes to logits (N, K) in the order of the images' classes."""
    made = _Made("given_out", value)
    if kind != TensorProto.FLOAT:
        made.add("Cast", to=TensorProto.FLOAT)
    if len(sides) > 1:
        made.add("Flatten", axis=1)
    if about.probabilities:
        made.add("Max", made.constant(LEAST))
        made.add("Log")
    if about.order != tuple(range(len(about.order))):
        made.add("Gather", made.constant(about.order, np.int64), axis=1)
    if not made.nodes:
        made.add("Identity")
    return made


def canonical(model: onnx.ModelProto, wants: Wants, image_size: int, about: Leaving) -> onnx.ModelProto:
    """Return a cleaned graph with what comes before and after it.

    Args:
        model: as ``cleaned`` gives it.
        wants: complete.
        image_size: S, the side of the images in pixels.
        about: what the network gives.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    if about.probabilities and _softmax_last(graph):
        about = Leaving(False, about.order)
    read, given = graph.input[0], graph.output[0]
    sides = [side.dim_value for side in given.type.tensor_type.shape.dim[1:]]
    before = entering(wants, image_size, read.type.tensor_type.elem_type)
    after = leaving(given.name, given.type.tensor_type.elem_type, sides, about)
    before.nodes[-1].output[0] = read.name
    after.nodes[-1].output[0] = LOGITS
    nodes = [*before.nodes, *graph.node, *after.nodes]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*before.stored, *after.stored])
    graph.value_info.extend([_value(read), _value(given)])
    graph.input.append(helper.make_tensor_value_info(IMAGES, TensorProto.FLOAT, ["N", COLOURS, image_size, image_size]))
    graph.output.append(helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["N", len(about.order)]))
    del result.metadata_props[:]
    return shape_inference.infer_shapes(result, data_prop=True)


def seeing(model: onnx.ModelProto, wants: Wants, image_size: int) -> onnx.ModelProto:
    """Return what comes before a network as a graph of its own, to try the network with what it sees."""
    read = model.graph.input[0]
    before = entering(wants, image_size, read.type.tensor_type.elem_type)
    before.nodes[-1].output[0] = SEEN
    seen = helper.make_tensor_value_info(SEEN, read.type.tensor_type.elem_type, None)
    images = helper.make_tensor_value_info(IMAGES, TensorProto.FLOAT, ["N", COLOURS, image_size, image_size])
    graph = helper.make_graph(before.nodes, "seeing", [images], [seen], before.stored)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=8)


def _value(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    return copy


def _softmax_last(graph: onnx.GraphProto) -> bool:
    """Take off a softmax over the classes that is the last operation, whose input are logits; return whether it was."""
    name, last = graph.output[0].name, graph.node[-1]
    rank = len(graph.output[0].type.tensor_type.shape.dim)
    axis = next((each.i for each in last.attribute if each.name == "axis"), -1)
    uses = sum(name in node.input for node in graph.node)
    if last.op_type != "Softmax" or list(last.output) != [name] or axis not in (-1, rank - 1) or rank != 2 or uses:
        return False
    graph.node.remove(last)
    graph.output[0].name = last.input[0]
    return True
