"""FairNAS: one path per operation in each step, so that every edge has every operation once (Chu et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from duonas.core.pair import Role, Subnet
from duonas.training.paths import fair_paths
from duonas.training.rules._paths import Paths


class Fair(Paths):
    """Trains as many paths as there are operations; together they have every operation once on every edge (FairNAS)."""

    @dataclass(frozen=True)
    class Options(Paths.Options):
        """Keys of ``[train]``."""

        rule: str = "fair"

    def paths(self, role: Role, rng: np.random.Generator) -> Iterator[Subnet]:
        """Yield fair archs, each with a random split."""
        return self._of(role, fair_paths(self.pairs.spaces[role], rng), rng)
