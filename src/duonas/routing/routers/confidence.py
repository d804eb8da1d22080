"""Confidence scores of little's own logits: no weights, no multiply-accumulates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import log
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from duonas.core.errors import DuonasError, nearest
from duonas.core.options import RouteOptions
from duonas.routing.calibration import fit_temperature
from duonas.routing.metrics import area_above_chance
from duonas.routing.router import Answers, Position, Router


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


def logit_margin(logits: Tensor) -> Tensor:
    """The highest logit less the second, (N, K) logits to (N,): the log of their odds."""
    two = logits.topk(2, dim=1).values
    return two[:, 0] - two[:, 1]


def energy(logits: Tensor) -> Tensor:
    """The negative free energy ``logsumexp`` of the logits, (N, K) to (N,) (Liu et al. 2020)."""
    return logits.logsumexp(1)


SCORES: dict[str, Callable[[Tensor], Tensor]] = {
    "max_softmax": max_softmax,
    "margin": margin,
    "entropy": entropy,
    "logit_margin": logit_margin,
    "energy": energy,
}
BEST = "best"


@dataclass(frozen=True)
class Confidence(Router):
    """The router that trusts little when little is sure.

    Args:
        function: one of ``SCORES``, or ``"best"``: the one with the largest area under the trade-off curve.
        temperature: what little's logits are divided by first (Guo et al. 2017).

    Raises:
        DuonasError: no such score, or a temperature that is not above 0.
    """

    function: str = "margin"
    temperature: float = 1.0

    name: ClassVar[str] = "confidence"
    positions: ClassVar[tuple[Position, ...]] = ("after_little",)

    def __post_init__(self) -> None:
        if self.function not in (*SCORES, BEST):
            raise DuonasError(f"no confidence score {self.function!r}: {nearest(self.function, (*SCORES, BEST))}.")
        if not self.temperature > 0:
            raise DuonasError(f"a temperature must be above 0, not {self.temperature}.")

    @classmethod
    def from_options(cls, options: RouteOptions) -> Confidence:
        """With the score of ``[route]``."""
        return cls._at(options.position, function=options.score)

    def judge(self, described: Tensor) -> Tensor:
        """Little's logits (N, K) to scores (N,)."""
        return SCORES[self.function](described / self.temperature)

    def fit(self, described: Tensor, answers: Answers, rng: np.random.Generator) -> Confidence:
        """The same with the temperature of the greatest likelihood, and the best score where that was asked for."""
        temperature = fit_temperature(answers.little, answers.labels)
        if self.function != BEST:
            return replace(self, temperature=temperature)
        fitted = [Confidence(name, temperature) for name in SCORES]
        return max(fitted, key=lambda each: area_above_chance(each.judge(described).numpy(), answers))

    def to_json(self) -> dict[str, Any]:
        """Score and temperature."""
        return {"score": self.function, "temperature": self.temperature}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], position: Position) -> Confidence:
        """The router that ``to_json`` described."""
        return cls._at(position, function=value["score"], temperature=float(value["temperature"]))
