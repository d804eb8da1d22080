"""Single path one-shot: one random arch per step (SPOS: Guo et al. 2020, section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import nn

from duonas.core.errors import DuonasError
from duonas.core.pair import PairSpace, Role, Subnet
from duonas.training.rules._paths import Paths
from duonas.training.sampler import make_sampler


class Uniform(Paths):
    """Trains one path per step, drawn uniformly (SPOS, section 3) or by another sampler.

    Raises:
        DuonasError: the sampler compares the archs of a step.
    """

    samples = True

    @dataclass(frozen=True)
    class Options(Paths.Options):
        """Keys of ``[train]``."""

        rule: str = "uniform"

    def __init__(self, pairs: PairSpace, options: Options) -> None:
        super().__init__(pairs, options)
        self.sampler = make_sampler(pairs, options.sampler)
        if self.sampler.compares:
            raise DuonasError(
                f"[train] sampler = {options.sampler.name!r} compares the archs of a step, and rule = 'uniform' trains "
                "one: take rule = 'sandwich'."
            )

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool:
        """Prepare the sampler."""
        self.sampler.prepare(step, steps)
        return False

    def paths(self, role: Role, rng: np.random.Generator) -> Iterator[Subnet]:
        """Yield one subnet."""
        yield self.sampler.subnet(role, rng)
