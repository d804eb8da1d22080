"""The input for images and the output for classes of an ONNX graph."""

from __future__ import annotations

import onnx

from duonas.core.errors import DuonasError
from duonas.core.text import listed

TYPES = {
    onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.DOUBLE: "float64",
    onnx.TensorProto.UINT8: "uint8",
}  # fmt: skip
COLOURS = 3


def image_input(proto: onnx.ModelProto, name: str | None, called: str) -> onnx.ValueInfoProto:
    """The input for images.

    Args:
        proto: the graph.
        name: of the input; ``None`` where there is only one.
        called: the network in messages.

    Raises:
        DuonasError: there is no such input, several, or it is not one for colour images.
    """
    stored = {each.name for each in proto.graph.initializer}
    inputs = [each for each in proto.graph.input if each.name not in stored]
    if len(inputs) != 1 and name is None:
        raise DuonasError(
            f"{called} must have one input, for images, and has {_named(inputs)}: networks with more are not supported."
        )
    found = next((each for each in inputs if name in (None, each.name)), None)
    if found is None:
        raise DuonasError(f"{called} has no input {name!r}: its inputs are {_named(inputs)}.")
    if len(inputs) > 1:
        others = _named([each for each in inputs if each is not found])
        raise DuonasError(f"{called} needs {others} beside the input {name!r}: networks with more are not supported.")
    if found.type.tensor_type.elem_type not in TYPES:
        raise DuonasError(
            f"the input {found.name!r} of {called} must be of {', '.join(TYPES.values())}, and it is of {_type(found)}."
        )
    sides = _sides(found)
    if len(sides) != 4 or COLOURS not in (sides[1] or COLOURS, sides[3] or COLOURS):
        raise DuonasError(
            f"the input {found.name!r} of {called} must be for colour images, (N, 3, H, W) or (N, H, W, 3): it is of "
            f"shape {_shape(found)}."
        )
    return found


def sides_of(value: onnx.ValueInfoProto) -> tuple[int | None, str | None]:
    """The side of the images that an input is for, and its layout, where its shape says them.

    Raises:
        DuonasError: the images are not square.
    """
    _, *sides = _sides(value)
    layout = "nchw" if sides[0] == COLOURS else "nhwc" if sides[-1] == COLOURS else None
    rows, columns = sides[:2] if layout == "nhwc" else sides[1:]
    if rows and columns and rows != columns:
        raise DuonasError(f"the input {value.name!r} is for images of {rows} x {columns}, but they must be square.")
    return (rows or columns) if layout else None, layout


def class_output(proto: onnx.ModelProto, name: str | None, called: str) -> onnx.ValueInfoProto:
    """The output for the scores of classes; ``name`` may be left out where there is only one.

    Raises:
        DuonasError: there is no such output, or several.
    """
    outputs = list(proto.graph.output)
    if name is None and len(outputs) != 1:
        raise DuonasError(
            f"{called} has the outputs {_named(outputs)}: say which one has the scores of classes, as in "
            f'output_name = "{outputs[0].name}".'
        )
    found = next((each for each in outputs if name in (None, each.name)), None)
    if found is None:
        raise DuonasError(f"{called} has no output {name!r}: its outputs are {_named(outputs)}.")
    if found.type.tensor_type.elem_type not in TYPES:
        raise DuonasError(
            f"the output {found.name!r} of {called} must be the scores of classes, of {', '.join(TYPES.values())}, and "
            f"it is of {_type(found)}: take an output before it, if there is one."
        )
    return found


def _type(value: onnx.ValueInfoProto) -> str:
    return onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()


def _sides(value: onnx.ValueInfoProto) -> list[int | None]:
    return [side.dim_value if side.dim_value > 0 else None for side in value.type.tensor_type.shape.dim]


def _shape(value: onnx.ValueInfoProto) -> str:
    sides = (str(side.dim_value or side.dim_param or "?") for side in value.type.tensor_type.shape.dim)
    return f"({', '.join(sides)})"


def _named(values: list[onnx.ValueInfoProto]) -> str:
    return listed([f"{each.name} {_shape(each)}" for each in values], 4) or "none"
