"""A given graph made plain: one input, one output, any number of images, every other side known."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import inliner, numpy_helper, shape_inference, version_converter

from duonas.core.errors import DuonasError
from duonas.given.shapes import class_output, image_input
from duonas.given.tidy import reads, tidy
from duonas.pair.options import NetworkOptions

BATCH = "N"
OLDEST = 7  # ONNX opset version that is converted
NEWEST = 25  # that [export] takes


def cleaned(proto: onnx.ModelProto, options: NetworkOptions, sides: tuple[int, ...], opset: int) -> onnx.ModelProto:
    """Return a copy of a graph with one input and one output, of a dynamic number N of images.

    Where the batch was fixed to 1, constants that keep it so are changed; whether the answers are still the same has to
    be tried.

    Args:
        proto: the graph as it was read.
        options: what the recipe says of it.
        sides: of the input after N.
        opset: ONNX opset version to convert to.

    Raises:
        DuonasError: it has other inputs or outputs, or cannot be converted.
    """
    called = options.called
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    if model.functions:
        model = inliner.inline_local_functions(model)
    model = tidy(_converted(tidy(model, called), opset, called), called)
    entry = image_input(model, options.input_name, called)
    leaving = class_output(model, options.output_name, called)
    graph = model.graph
    was_fixed = entry.type.tensor_type.shape.dim[0].dim_value
    if was_fixed > 1:
        raise DuonasError(
            f"{called} takes {was_fixed} images at a time: export it with a dynamic batch size, or with one of 1."
        )
    kept_in, kept_out = onnx.ValueInfoProto(), onnx.ValueInfoProto()
    kept_in.CopyFrom(entry)
    kept_out.CopyFrom(leaving)
    _resize(kept_in, sides)
    kept_out.type.tensor_type.ClearField("shape")
    for values, kept in ((graph.input, kept_in), (graph.output, kept_out)):
        del values[:]
        values.append(kept)
    _drop_unread(graph)
    del graph.value_info[:]
    inferred = _inferred(model, called)
    if _free_reshapes(inferred):
        del inferred.graph.value_info[:]
        inferred.graph.output[0].type.tensor_type.ClearField("shape")
        inferred = _inferred(inferred, called)
    _keep_known(inferred.graph)
    return inferred


def _converted(model: onnx.ModelProto, opset: int, called: str) -> onnx.ModelProto:
    own = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
    if own == opset:
        return model
    again = f"export it again with opset {opset}"
    if own == 0:
        raise DuonasError(f"{called} does not say of which ONNX opset it is: {again}.")
    if own < OLDEST:
        raise DuonasError(f"{called} is of ONNX opset {own}, which is too old: {again}.")
    if own > (newest := onnx.defs.onnx_opset_version()):
        raise DuonasError(
            f"{called} is of ONNX opset {own}, and the package onnx here knows {newest} at most: {again}."
        )
    advice = f"set [export] opset = {own}" if opset < own <= NEWEST else again
    try:
        return version_converter.convert_version(model, opset)
    except Exception as error:  # the converter's exceptions have no common base class
        said = (" ".join(str(error).split()) or type(error).__name__)[:200].rstrip(".")
        raise DuonasError(
            f"{called} is of ONNX opset {own}, which cannot be converted to {opset} ({said}): {advice}."
        ) from error


def _resize(value: onnx.ValueInfoProto, sides: tuple[int, ...]) -> None:
    shape = value.type.tensor_type.shape.dim
    shape[0].ClearField("dim_value")
    shape[0].dim_param = BATCH
    for side, length in zip(shape[1:], sides, strict=True):
        side.ClearField("dim_param")
        side.dim_value = length


def _inferred(model: onnx.ModelProto, called: str) -> onnx.ModelProto:
    try:
        return shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:  # of onnx, which has no common base class either
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        size = "x".join(str(side.dim_value) for side in model.graph.input[0].type.tensor_type.shape.dim[1:])
        raise DuonasError(
            f"{called} does not take images of {size}, or is damaged: {lines[-1].strip()[:200].rstrip('.')}."
        ) from error


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Remove what only the outputs that are not wanted need, and weights that nothing reads."""
    wanted = {each.name for each in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= reads(node)
    nodes = list(reversed(kept))
    del graph.node[:]
    graph.node.extend(nodes)
    stored = [each for each in graph.initializer if each.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(stored)


def _free_reshapes(model: onnx.ModelProto) -> bool:
    """Let shapes that begin with a fixed 1 begin with the number of images; return whether there were any.

    ``[1, 576]`` becomes ``[-1, 576]``, and ``[1, -1]`` too, where the inferred shapes say the other sides.
    """
    shapes = _shapes(model.graph)
    stored = {each.name: each for each in model.graph.initializer}
    made = {node.output[0]: node for node in model.graph.node if node.op_type == "Constant"}
    changed = False
    for node in [each for each in model.graph.node if each.op_type == "Reshape"]:
        wanted = _constant(stored, made, node.input[1])
        entering = shapes.get(node.input[0], [])
        if wanted is None or len(wanted) < 2 or not entering or entering[0] is not None:
            continue
        rest = entering[1:]
        if wanted[0] not in (0, 1, -1) or any(side is None for side in rest):
            continue
        inside = int(np.prod([side or 1 for side in rest]))
        others = [int(side) for side in wanted[1:]]
        others = [rest[place] or 1 if side == 0 and place < len(rest) else side for place, side in enumerate(others)]
        if others.count(-1) == 1:
            known = int(np.prod([side for side in others if side != -1]))
            others = [inside // known if side == -1 else side for side in others]
        if -1 in others or int(np.prod(others)) != inside:
            continue  # images are mixed with other rows; what that gives is tried
        name = f"{node.output[0]}_any_batch"
        model.graph.initializer.append(numpy_helper.from_array(np.array([-1, *others], np.int64), name))
        node.input[1] = name
        changed = True
    return changed


def _constant(stored: dict[str, onnx.TensorProto], made: dict[str, onnx.NodeProto], name: str) -> np.ndarray | None:
    if name in stored:
        return numpy_helper.to_array(stored[name])
    node = made.get(name)
    found = next((each for each in node.attribute if each.name in ("value", "value_ints")), None) if node else None
    if found is None:
        return None
    return numpy_helper.to_array(found.t) if found.name == "value" else np.array(found.ints)


def _shapes(graph: onnx.GraphProto) -> dict[str, list[int | None]]:
    values = (*graph.input, *graph.value_info, *graph.output)
    return {
        each.name: [side.dim_value if side.HasField("dim_value") else None for side in each.type.tensor_type.shape.dim]
        for each in values
    }


def _keep_known(graph: onnx.GraphProto) -> None:
    """Keep the shapes in which nothing but the number of images is open: others would be taken for that number."""
    known = [
        each
        for each in graph.value_info
        if each.type.tensor_type.HasField("shape")
        and all(side.HasField("dim_value") for side in each.type.tensor_type.shape.dim[1:])
        and all(side.HasField("dim_value") or side.dim_param == BATCH for side in each.type.tensor_type.shape.dim[:1])
    ]
    del graph.value_info[:]
    graph.value_info.extend(known)
