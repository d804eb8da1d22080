"""Check that a graph is one of a routed pair before it is run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import onnxruntime

from .choose import BundleError

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
    inputs = {each.name: each for each in session.get_inputs()}
    # ONNX Runtime lists an input that has a default value elsewhere.
    optional = {each.name: each for each in session.get_overridable_initializers()}
    if unknown := inputs.keys() - INPUTS.keys():
        raise BundleError(f"the graph needs an input {min(unknown)!r}, but a routed pair has only images and tau.")
    images, _ = (_shape("input", name, optional | inputs, *expected) for name, expected in INPUTS.items())
    leaving = {each.name: each for each in session.get_outputs()}
    logits, _, _ = (_shape("output", name, leaving, *expected) for name, expected in OUTPUTS.items())
    if logits[1] != num_classes:
        raise BundleError(f"the graph has {logits[1]} classes, but the policy {num_classes}: they must agree.")
    channels, height, width = images[1:]
    if channels != 3 or not all(isinstance(side, int) and side > 0 for side in (height, width)):
        raise BundleError(f"the graph's images must have the shape (N, 3, H, W), got {_text(images)}.")
    return channels, height, width


def _shape(role: str, name: str, there: dict[str, Any], kind: str, expected: tuple[str | int, ...]) -> tuple[Any, ...]:
    """Return the shape of an input or output, after its type and number of dimensions are checked."""
    if name not in there:
        raise BundleError(f"the graph has no {role} {name!r}, but every routed pair has one.")
    found = there[name]
    if found.type != kind:
        raise BundleError(f"the graph's {role} {name!r} must be a {kind}, got a {found.type}.")
    if len(found.shape) != len(expected):
        raise BundleError(
            f"the graph's {role} {name!r} must have the shape {_text(expected)}, got {_text(found.shape)}."
        )
    return tuple(found.shape)


def _text(shape: Iterable[Any]) -> str:
    sides = [str(side) for side in shape]
    return f"({', '.join(sides)}{',' if len(sides) == 1 else ''})"
