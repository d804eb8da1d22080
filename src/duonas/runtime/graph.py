"""Check that a graph is one of a routed pair before it is run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import onnxruntime

from .errors import BundleError
from .prepare import MOST_SIZE

Described = dict[str, tuple[str, tuple[Any, ...]]]  # type and shape by name

FLOATS, BOOLS = "tensor(float)", "tensor(bool)"
INPUTS = {"images": (FLOATS, ("N", 3, "H", "W")), "tau": (FLOATS, ())}
OUTPUTS = {"logits": (FLOATS, ("N", "K")), "score": (FLOATS, ("N",)), "is_little": (BOOLS, ("N",))}


def check_graph(session: onnxruntime.InferenceSession, num_classes: int) -> tuple[int, int, int]:
    """Check the names, types and shapes of a graph's inputs and outputs.

    Args:
        session: of ``dynamic.onnx``.
        num_classes: number of classes K by the policy.

    Returns:
        Shape (3, H, W) of each image.

    Raises:
        BundleError: an input or output is missing, unknown, or of another type or shape.
    """
    optional = _described(session.get_overridable_initializers())  # inputs that have a default value
    return check_described(
        _described(session.get_inputs()), _described(session.get_outputs()), num_classes, optional=optional
    )


def check_described(
    inputs: Described, leaving: Described, num_classes: int, *, optional: Described | None = None
) -> tuple[int, int, int]:
    """Check a graph that another runtime than ONNX Runtime describes.

    Args:
        inputs: type, such as ``tensor(float)``, and shape of each input by its name; a dynamic side is a text.
        leaving: the same of its outputs.
        num_classes: number of classes K by the policy.
        optional: the same of inputs that have a default value.

    Returns:
        Shape (3, H, W) of each image.

    Raises:
        BundleError: an input or output is missing, unknown, or of another type or shape.
    """
    if unknown := inputs.keys() - INPUTS.keys():
        raise BundleError(f"the graph needs an input {min(unknown)!r}, but a routed pair has only images and tau.")
    images, _ = (_shape("input", name, (optional or {}) | inputs, *expected) for name, expected in INPUTS.items())
    logits, _, _ = (_shape("output", name, leaving, *expected) for name, expected in OUTPUTS.items())
    if logits[1] != num_classes:
        raise BundleError(f"the graph has {logits[1]} classes, but the policy {num_classes}: they must agree.")
    channels, height, width = images[1:]
    if channels != 3 or not all(isinstance(side, int) and side > 0 for side in (height, width)):
        raise BundleError(f"the graph's images must have the shape (N, 3, H, W), got {_text(images)}.")
    if max(height, width) > MOST_SIZE:
        raise BundleError(f"the graph's images can have {MOST_SIZE:,} pixels a side at most, got {_text(images)}.")
    return channels, height, width


def _described(values: Iterable[Any]) -> Described:
    """Return type and shape of inputs or outputs by name."""
    try:
        return {each.name: (each.type, tuple(each.shape)) for each in values}
    except UnicodeDecodeError as error:
        raise BundleError(f"the graph is damaged: a name in it is no text ({error}).") from error


def _shape(role: str, name: str, there: Described, kind: str, expected: tuple[str | int, ...]) -> tuple[Any, ...]:
    """Return the shape of an input or output, after its type and number of dimensions are checked."""
    if name not in there:
        raise BundleError(f"the graph has no {role} {name!r}, but every routed pair has one.")
    found, shape = there[name]
    if found != kind:
        raise BundleError(f"the graph's {role} {name!r} must be a {kind}, got a {found}.")
    if len(shape) != len(expected):
        raise BundleError(f"the graph's {role} {name!r} must have the shape {_text(expected)}, got {_text(shape)}.")
    return shape


def _text(shape: Iterable[Any]) -> str:
    sides = [str(side) for side in shape]
    return f"({', '.join(sides)}{',' if len(sides) == 1 else ''})"
