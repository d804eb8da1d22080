"""Routes by a confidence score of little's temperature-scaled logits: no weights, no multiply-accumulates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.fields import PartOf
from duonas.core.plugin import is_plugin
from duonas.core.registry import names
from duonas.routing.calibration import fit_temperature
from duonas.routing.metrics import area_above_chance
from duonas.routing.options import RouteOptions
from duonas.routing.router import Answers, Position, Router
from duonas.routing.score import Score, find_score

BEST = "best"


@dataclass(frozen=True)
class Confidence(Router):
    """Keeps the images on which little is confident.

    Args:
        function: name of a score, or ``"best"``: the shipped one with the largest area under the trade-off curve.
        temperature: divisor of little's logits (Guo et al. 2017).

    Raises:
        DuonasError: there is no such score, or the temperature is not above 0.
    """

    function: str = "margin"
    temperature: float = 1.0

    positions: ClassVar[tuple[Position, ...]] = ("after_little",)

    @dataclass(frozen=True)
    class Options(RouteOptions):
        """Keys of ``[route]``."""

        router: str = "confidence"
        score: Annotated[str, PartOf("score", beside=(BEST,))] = "margin"
        """Confidence score of little's logits: a shipped one, your own as file.py:CLASS, or "best": the shipped one
        with the largest area under the trade-off curve on calib."""

    def __post_init__(self) -> None:
        if self.function != BEST:
            find_score(self.function)
        if not self.temperature > 0:
            raise DuonasError(f"a temperature must be above 0, not {self.temperature}.")

    @classmethod
    def from_options(cls, options: Options) -> Confidence:
        """Build the router with the score of ``[route]``."""
        return cls._at(options.position, function=options.score)

    @property
    def own(self) -> str:
        """The score, if it is the user's own."""
        return f"score {self.function}" if is_plugin(self.function) else super().own

    @property
    def priced_as(self) -> str:
        """The score and the position."""
        return f"{self.function}@{self.position}"

    def judge(self, described: Tensor) -> Tensor:
        """Return the scores (N,) of little's logits (N, K)."""
        return self._score(described / self.temperature)

    @cached_property
    def _score(self) -> Score:
        return find_score(self.function)

    def fit(self, described: Tensor, answers: Answers, rng: np.random.Generator) -> Confidence:
        """Fit the temperature by maximum likelihood, and choose the score if it is ``"best"``."""
        temperature = fit_temperature(answers.little, answers.labels)
        if self.function != BEST:
            return replace(self, temperature=temperature)
        by_order = sorted(names("score"), key=lambda name: find_score(name).order)
        fitted = [Confidence(name, temperature) for name in by_order]
        return max(fitted, key=lambda each: area_above_chance(each.judge(described).numpy(), answers))

    def to_json(self) -> dict[str, Any]:
        """Return score and temperature."""
        return {"score": self.function, "temperature": self.temperature}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], position: Position) -> Confidence:
        """Build the router from the result of ``to_json``."""
        return cls._at(position, function=value["score"], temperature=float(value["temperature"]))
