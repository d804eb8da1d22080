"""What a search learned about one pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duonas.core.pair import PairArch


@dataclass(frozen=True)
class Candidate:
    """What a strategy proposes: a pair, and the least little share at which it wants the pair judged.

    Every pair has a whole trade-off curve; ``share`` in [0, 1] says which part of it this individual stands for.
    """

    pair: PairArch
    share: float = 0.0


@dataclass(frozen=True)
class Trial:
    """A pair with its whole trade-off curve on the val split, every array of shape (T,) for T thresholds.

    Args:
        pair: what was tried.
        little_share: fraction of the val images that stays little, rising.
        accuracy: of the routed pair, in [0, 1].
        costs: ``expected_*`` arrays of shape (T,) and ``peak_*``, ``params`` as floats, by name.
    """

    pair: PairArch
    little_share: np.ndarray
    accuracy: np.ndarray
    costs: dict[str, np.ndarray | float]
