"""Every choice of an arch is drawn uniformly (BigNAS, Once-for-All)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from duonas.core.arch import Arch
from duonas.core.pair import PairArch, Role, Subnet
from duonas.training.sampler import Sampler


class Uniform(Sampler):
    """Draws every axis uniformly; most archs are then of middling size."""

    def arch(self, role: Role, rng: np.random.Generator, least: Mapping[str, int] | None = None) -> Arch:
        """Draw every active axis uniformly, from ``least`` on."""
        space = self.pairs.spaces[role]
        return space.sample(rng) if least is None else space.sample_above(least, rng)

    def subnet(self, role: Role, rng: np.random.Generator, least: Mapping[str, int] | None = None) -> Subnet:
        """Draw a subnet as the pair space does."""
        return self.pairs.sample_subnet(role, rng) if least is None else super().subnet(role, rng, least)

    def pair(self, rng: np.random.Generator) -> PairArch:
        """Draw a pair as the pair space does."""
        return self.pairs.sample(rng)
