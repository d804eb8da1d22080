"""Few-shot weights: a supernet split into sub-supernets by the choices on some axes (Zhao et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.axis import Axis
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError, nearest
from duonas.core.fields import Location
from duonas.core.space import SearchSpace
from duonas.supernet.arch_weights import ArchWeights
from duonas.supernet.generator import Code, Generator, drawn, he_deviation
from duonas.supernet.options import WeightsOptions

USUAL = 2  # axes that are split by default, as the 25 sub-supernets of paper T's table 4
PLAIN = "plain"


class FewShot(ArchWeights):
    """A sub-supernet for each combination of choices on some axes, whose archs share weights (Zhao et al. 2021)."""

    warms_up = False

    @dataclass(frozen=True)
    class Options(WeightsOptions):
        """Keys of ``[space.weights]``."""

        name: str = "few-shot"
        axes: tuple[str, ...] = ()
        """The axes by which the supernet is split; two of five operations make 25 sub-supernets. Default: the first two
        axes of operations."""
        start: Annotated[str, Location(words=(PLAIN,))] = PLAIN
        """What every sub-supernet starts from: "plain": the same drawn weights; or the folder of a run with weights =
        "shared": that run's trained supernet, as in the paper."""

    @property
    def origin(self) -> str | None:
        """The run of ``start``."""
        return None if self.options.start == PLAIN else str(self.options.start)

    def generator(self, space: SearchSpace, rng: np.random.Generator) -> FewShotGenerator:
        """The weights of all sub-supernets."""
        return FewShotGenerator(space.whole(), _axes(space, self.options.axes), rng)


class FewShotGenerator(Generator):
    """The kernels of all sub-supernets, of which an arch uses those of the one that it lies in.

    Only the convolutions after the stem are split: stem, norms, whose statistics are measured for every arch, and
    classifier serve all sub-supernets. A mixture of choices, as that of the teacher of Focus-Fair, gives the sum of the
    sub-supernets' kernels by their probabilities.

    Args:
        blocks: see ``SearchSpace.whole``.
        rows: for each axis that is split, its row in an arch's encoding, and its number of values.
        rng: for initialisation.
    """

    def __init__(self, blocks: Iterable[BlockSpec], rows: Sequence[tuple[int, int]], rng: np.random.Generator) -> None:
        super().__init__(blocks)
        self.rows = tuple(rows)
        self.kernels = nn.ModuleDict()
        for key, shape in self.shapes.items():
            first = drawn(rng, *shape).detach() * he_deviation(shape)
            # A parameter each, so that a step leaves the sub-supernets alone that it does not train.
            self.kernels[key] = nn.ParameterList(first.clone() for _ in range(prod(size for _, size in rows)))

    @torch.no_grad()
    def start_from(self, kernels: Mapping[str, Tensor]) -> None:
        """Start all sub-supernets from trained weights that all archs share."""
        for key, each in self.kernels.items():
            for kernel in each.parameters():
                kernel.copy_(kernels[key])

    def code(self, tokens: Tensor) -> Code:
        """The probability (S,) of each sub-supernet: one of them is 1 for an arch."""
        chances = tokens.new_ones(1)
        for row, size in self.rows:
            chances = torch.outer(chances, tokens[row, :size]).flatten()
        return Code(chances)

    def weight(self, key: str, code: Code) -> Tensor:
        """The kernel (O, I, K, K) of the arch's sub-supernet."""
        kernels = list(self.kernels[key].parameters())
        chances = code.coefficients
        inside = chances.detach().nonzero().flatten().tolist()
        if len(inside) == 1 and not chances.requires_grad:
            return kernels[inside[0]]
        return torch.stack([chances[number] * kernels[number] for number in inside]).sum(0)


def _axes(space: SearchSpace, names: Sequence[str]) -> list[tuple[int, int]]:
    """The row in an arch's encoding, and the number of values, of each axis that is split.

    Raises:
        DuonasError: there is no such axis, it is not one of every arch, or none is named in a space without operations.
    """
    key, wanted = "[space.weights] axes", tuple(dict.fromkeys(names)) or space.mixed[:USUAL]
    if not wanted:
        raise DuonasError(f"{key} must name the axes to split, as search space {space.name!r} has no operations.")
    order = list(space.axes)
    for name in wanted:
        if name not in space.axes:
            raise DuonasError(f"{key}: search space {space.name!r} has no axis {name!r}: {nearest(name, order)}.")
        if space.axes[name].parent is not None:
            raise DuonasError(f"{key}: {name!r} is no axis of every arch of search space {space.name!r}.")
    sizes: list[Axis] = [space.axes[name] for name in wanted]
    return [(order.index(axis.name), len(axis.values)) for axis in sizes]
