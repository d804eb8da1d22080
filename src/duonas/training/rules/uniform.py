"""Single path one-shot: one random arch per step (SPOS: Guo et al. 2020, section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from duonas.core.pair import Role, Subnet
from duonas.training.rules._paths import Paths


class Uniform(Paths):
    """Trains one uniformly sampled path per step (SPOS, section 3)."""

    @dataclass(frozen=True)
    class Options(Paths.Options):
        """Keys of ``[train]``."""

        rule: str = "uniform"

    def paths(self, role: Role, rng: np.random.Generator) -> Iterator[Subnet]:
        """Yield one subnet, sampled uniformly on each axis."""
        yield self.pairs.sample_subnet(role, rng)
