"""What a sampler is: which archs a training step draws beside the largest and the smallest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from duonas.core.arch import Arch
from duonas.core.pair import PairArch, PairSpace, Role, Subnet
from duonas.core.protocols import Step
from duonas.core.registry import Part, adapted, find
from duonas.training.options import SamplerOptions


class Sampler(Part, nn.Module, ABC):
    """Draws the archs that a training rule trains at random.

    Buffers are what it learned; they are saved with the weights of the rule. Draws depend on them, on the step and on
    the generator alone, so that a resumed run draws what it would have drawn.

    Args:
        pairs: the pair space to draw from.
        options: the ``[train.sampler]`` table, an ``Options`` of this class.
    """

    Options = SamplerOptions

    def __init__(self, pairs: PairSpace, options: Any) -> None:
        super().__init__()
        self.pairs, self.options = pairs, options

    @property
    def compares(self) -> bool:
        """Whether it learns from several archs of a step, as a rule must then train."""
        return False

    def prepare(self, step: int, steps: int) -> None:
        """Get ready for step ``step`` of ``steps``."""

    def observe(self, trained: Sequence[tuple[Subnet, Tensor]], given: Step) -> None:
        """Take note of the subnets of a step and their logits (B, K); only called where ``compares``."""

    @abstractmethod
    def arch(self, role: Role, rng: np.random.Generator, least: Mapping[str, int] | None = None) -> Arch:
        """Draw an arch of ``pairs.spaces[role]``.

        Args:
            role: one of ``pairs.roles``.
            rng: for drawing.
            least: the smallest index that is allowed on each axis; ``None``: all.
        """

    def subnet(self, role: Role, rng: np.random.Generator, least: Mapping[str, int] | None = None) -> Subnet:
        """Draw a subnet of one role, for a little also its split; ``least`` as in ``arch``."""
        arch = self.arch(role, rng, least)
        return replace(self.pairs.sample_subnet(role, rng), arch=arch)

    def pair(self, rng: np.random.Generator) -> PairArch:
        """Draw an allowed pair: a little and a big, of which the coupling may change little."""
        little, big = (self.subnet(role, rng) for role in (self.pairs.roles[-1], self.pairs.roles[0]))
        return self.pairs.repair(PairArch(little.arch, big.arch, little.split), rng)


def make_sampler(pairs: PairSpace, options: SamplerOptions) -> Sampler:
    """The sampler that ``[train.sampler] name`` names.

    Raises:
        DuonasError: no such sampler.
    """
    found = find("sampler", options.name)
    made: Sampler = found(pairs, adapted(options, found.Options))
    return made
