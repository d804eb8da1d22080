"""The proposals of a search strategy, and their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from duonas.core.pair import PairArch


@dataclass(frozen=True)
class Candidate:
    """A pair that a strategy proposes, with the router and the least little share at which to judge it.

    A pair has a trade-off curve for every router. ``router``, a number, selects the curve, and ``share`` in [0, 1] the
    part of it with at least this little share.
    """

    pair: PairArch
    share: float = 0.0
    router: int = 0


@dataclass(frozen=True)
class Point:
    """A pair at one threshold of one router, on the val split.

    Args:
        little_share: fraction of the images that little answers.
        accuracy: of the routed pair, in [0, 1].
        router: number of the router.
        figures: of the pair at this threshold, by metric.
        feasible: whether all constraints hold.
    """

    little_share: float
    accuracy: float
    router: int
    figures: Mapping[str, float]
    feasible: bool = True


@dataclass(frozen=True)
class Trial:
    """The result of evaluating a candidate. It has no curves, so that many trials fit into memory.

    Args:
        candidate: the proposal.
        point: the most accurate threshold of the candidate's router that meets the constraints and at which little
            answers at least the candidate's share of the images; the cheapest threshold if there is none.
        best: the most accurate threshold of any router that meets the constraints; the cheapest if there is none.
        little: the figures of the little network, including ``accuracy``, by metric.
        big: the figures of the big network.
    """

    candidate: Candidate
    point: Point
    best: Point
    little: Mapping[str, float]
    big: Mapping[str, float]

    @property
    def accuracy(self) -> float:
        """Accuracy at the best threshold within the constraints; -inf if there is none."""
        return self.best.accuracy if self.best.feasible else -float("inf")

    @property
    def pair(self) -> PairArch:
        """The pair of the candidate."""
        return self.candidate.pair
