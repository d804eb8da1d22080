"""Focus-Fair: fair paths of good operations, trained on soft labels of the mixed supernet (paper T, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from duonas.core.fields import Positive
from duonas.core.pair import PairSpace, Role, Subnet
from duonas.training.paths import focused_paths
from duonas.training.rules._paths import Paths


class FocusFair(Paths):
    """Like ``Fair``, but operations with a high beta are sampled early, and so together, by softmax(beta / tau).

    Other axes than operations are sampled as in the sandwich rule.
    """

    soft_by_default = True

    @dataclass(frozen=True)
    class Options(Paths.Options):
        """Keys of ``[train]``."""

        rule: str = "focus-fair"
        focus_temperature: Positive = 1.5
        """Temperature of the softmax over beta by which paths are sampled."""

    def __init__(self, pairs: PairSpace, options: Options) -> None:
        super().__init__(pairs, options)
        self.temperature = options.focus_temperature

    def paths(self, role: Role, rng: np.random.Generator) -> Iterator[Subnet]:
        """Yield fair archs that combine operations of high beta, each with a random split."""
        logits = {name: beta / self.temperature for name, beta in self.beta(role).values().items()}
        return self._of(role, focused_paths(self.pairs.spaces[role], rng, logits), rng)
