"""The angle between an arch's weights before and after training (angle-based ranking: Hu et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from duonas.core.block import BlockSpec
from duonas.core.cell import EDGES, NODES
from duonas.core.pair import Subnet
from duonas.supernet.pair import PairSupernet

POOL = 3  # side of the poolings of cells


class Angles:
    """The angle of each subnet of a supernet, the wider the better: weights that moved far learned much.

    The weights of an arch are one vector: those of all convolutions and linear layers, once for every path from the
    image to the logits that they lie on (section 3.2). An average pooling counts as the convolution that it is, with
    weights that do not move; a shortcut has no weights. Norms and biases do not count.

    Args:
        before: the supernet before training.
        after: the trained one.
    """

    def __init__(self, before: PairSupernet, after: PairSupernet) -> None:
        self._before, self._after = before, after

    def __call__(self, subnet: Subnet) -> float:
        """The angle in radians; 0 for an arch without weights."""
        blocks = self._before.pairs.blocks(subnet)
        pairs = zip(self._before.extract(subnet), self._after.extract(subnet), blocks, strict=True)
        dot = first = second = 0.0
        for begun, trained, spec in pairs:
            for times, one, other in _weights(begun, trained, spec):
                dot += times * float((one * other).sum())
                first += times * float(one.square().sum())
                second += times * float(other.square().sum())
        if not first or not second:
            return 0.0
        return math.acos(max(-1.0, min(1.0, dot / math.sqrt(first * second))))


def _weights(begun: nn.Module, trained: nn.Module, spec: BlockSpec) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield on how many paths the weights of each layer of a block lie, and what they are before and after."""
    paths = paths_of(spec.operations) if spec.operations else {}
    for (name, one), other in zip(begun.named_parameters(), trained.parameters(), strict=True):
        if one.ndim > 1:
            times = paths[int(name.split(".")[1])] if paths else 1  # edges.3.conv.weight
            yield times, one.detach().double().cpu(), other.detach().double().cpu()
    fixed = torch.full((spec.in_channels, spec.in_channels, POOL, POOL), 1 / POOL**2, dtype=torch.float64)
    for number, operation in enumerate(spec.operations):
        if operation.startswith("avg_pool"):
            yield paths[number], fixed, fixed


def paths_of(operations: Sequence[str]) -> dict[int, int]:
    """Return on how many paths from the first node of a cell to the last each edge lies; 0 where it has no operation.

    Args:
        operations: of its edges, in the order of ``EDGES``.
    """
    there = [operation != "none" for operation in operations]
    into, out = [1, *[0] * (NODES - 1)], [*[0] * (NODES - 1), 1]
    for node in range(1, NODES):
        into[node] = sum(into[source] for edge, (source, end) in enumerate(EDGES) if there[edge] and end == node)
    for node in reversed(range(NODES - 1)):
        out[node] = sum(out[end] for edge, (source, end) in enumerate(EDGES) if there[edge] and source == node)
    return {edge: there[edge] * into[source] * out[end] for edge, (source, end) in enumerate(EDGES)}
