"""The size of the weights in an ONNX file, and the peak activation memory of a pair."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import numpy_helper

from duonas.costs.analytic import BYTES, peaks_while_waiting
from duonas.pair.facts import ROLES, PairFacts


def weight_bytes(path: Path) -> int:
    """Return the bytes of all stored tensors of a model, those of its branches included; 0 if there are none."""
    return _stored(onnx.load(path).graph)


def peak_memory(facts: PairFacts, *, before: bool) -> dict[str, int | None]:
    """Return the peak activation memory of little, big and the routed pair in bytes at batch 1, in float32.

    In a cascade the output of the shared blocks is kept for big while little runs. A figure that is not known is
    ``None``.

    Args:
        facts: of the pair.
        before: whether the router decides before little runs.
    """
    known = {role: cost.peak_memory_bytes for role, cost in facts.networks.items()}
    peaks: dict[str, int | None] = {role: known.get(role) for role in ROLES}
    blocks = facts.blocks.get("little", ())
    if not before and facts.shared and blocks:
        known["little"] = peaks_while_waiting(blocks, [BYTES * each.peak_activations for each in blocks])[facts.shared]
    return peaks | {"routed": max(known.values(), default=None)}


def _stored(graph: onnx.GraphProto) -> int:
    own = sum(numpy_helper.to_array(tensor).nbytes for tensor in graph.initializer)
    branches = (attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g"))
    return own + sum(map(_stored, branches))
