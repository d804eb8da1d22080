"""One set of weights for all archs."""

from __future__ import annotations

import numpy as np

from duonas.core.space import SearchSpace
from duonas.supernet.arch_weights import ArchWeights
from duonas.supernet.generator import Generator


class Shared(ArchWeights):
    """Every arch uses a part of the supernet's weights (Once-for-All: Cai et al. 2020)."""

    generates = False
    warms_up = False

    def generator(self, space: SearchSpace, rng: np.random.Generator) -> Generator | None:
        """There is no generator."""
        return None
