"""Confidence scores of little's own logits: no weights, no multiply-accumulates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import ClassVar

from torch import Tensor

from duonas.core.errors import DuonasError, nearest


def max_softmax(logits: Tensor) -> Tensor:
    """The probability of the first choice, (N, K) logits to (N,) (Hendrycks and Gimpel 2017)."""
    return logits.softmax(1).amax(1)


def margin(logits: Tensor) -> Tensor:
    """The probability of the first choice less that of the second, (N, K) logits to (N,)."""
    two = logits.softmax(1).topk(2, dim=1).values
    return two[:, 0] - two[:, 1]


def entropy(logits: Tensor) -> Tensor:
    """One less the entropy as a fraction of its largest value log K, (N, K) logits to (N,) (BranchyNet)."""
    logs = logits.log_softmax(1)
    return 1 + (logs.exp() * logs).sum(1) / log(logits.shape[1])


SCORES: dict[str, Callable[[Tensor], Tensor]] = {"max_softmax": max_softmax, "margin": margin, "entropy": entropy}


@dataclass(frozen=True)
class Confidence:
    """The router that trusts little when little is sure.

    Args:
        function: ``"max_softmax"``, ``"margin"`` or ``"entropy"``; each gives scores in [0, 1].
        temperature: what little's logits are divided by first (Guo et al. 2017).

    Raises:
        DuonasError: no such score, or a temperature that is not above 0.
    """

    function: str = "margin"
    temperature: float = 1.0

    name: ClassVar[str] = "confidence"
    position: ClassVar[str] = "after_little"
    macs: ClassVar[int] = 0  # neither a convolution nor a linear layer runs

    def __post_init__(self) -> None:
        if self.function not in SCORES:
            raise DuonasError(f"no confidence score {self.function!r}: {nearest(self.function, SCORES)}.")
        if not self.temperature > 0:
            raise DuonasError(f"a temperature must be above 0, not {self.temperature}.")

    def score(self, logits: Tensor) -> Tensor:
        """(N, K) logits of little to (N,) scores, higher = keep little; a row's score is its own alone."""
        return SCORES[self.function](logits / self.temperature)


def keeps_little(score: Tensor, tau: float | Tensor) -> Tensor:
    """Which rows stay little, (N,) scores to (N,) bool.

    At tau = +inf none does, not even at a score of +inf; a NaN score never does.
    """
    infinity = float("inf")
    return (score >= tau) & (tau < infinity)
