"""What a search learned about one pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duonas.core.pair import PairArch


@dataclass(frozen=True)
class Candidate:
    """What a strategy proposes: a pair, the least little share at which it wants the pair judged, and by which router.

    Every pair has a whole trade-off curve for every router; ``router``, a number, and ``share`` in [0, 1] say which
    curve, and which part of it, this individual stands for.
    """

    pair: PairArch
    share: float = 0.0
    router: int = 0


@dataclass(frozen=True)
class Trial:
    """A pair with its whole trade-off curves on the val split, every array of shape (T,) for T thresholds in all.

    Args:
        pair: what was tried.
        little_share: fraction of the val images that stays little, rising within a curve.
        accuracy: of the routed pair, in [0, 1].
        costs: ``expected_*`` arrays of shape (T,), and other figures likewise or as floats where they are the same at
            every threshold, by name.
        router: number of the router whose threshold it is, -1 where none is needed; ``None`` where there is but one.
    """

    pair: PairArch
    little_share: np.ndarray
    accuracy: np.ndarray
    costs: dict[str, np.ndarray | float]
    router: np.ndarray | None = None
