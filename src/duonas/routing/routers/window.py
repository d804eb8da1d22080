"""Confidence with a window: images that are too hard for big as well stay little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from duonas.routing.chance import knows_more
from duonas.routing.metrics import area_above_chance
from duonas.routing.router import Answers, Position, Router
from duonas.routing.routers.confidence import Confidence

QUANTILES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class Window(Router):
    """Sends images of medium confidence to big.

    Where little has the lowest confidence big is often wrong as well, so that sending the image to big gains nothing
    (Jitkrittum et al. 2023). The score is the distance of the confidence from a centre.

    Args:
        confidence: the router that computes the confidence.
        centre: the confidence that goes to big first; ``None``: the lowest, so that the score is the confidence.
    """

    confidence: Confidence = field(default_factory=Confidence)
    centre: float | None = None

    positions: ClassVar[tuple[Position, ...]] = ("after_little",)

    @dataclass(frozen=True)
    class Options(Confidence.Options):
        """Keys of ``[route]``."""

        router: str = "window"

    @classmethod
    def from_options(cls, options: Options) -> Window:
        """Build the router with the score of ``[route]``."""
        return cls._at(options.position, confidence=Confidence(options.score))

    def judge(self, described: Tensor) -> Tensor:
        """Return the scores (N,) of little's logits (N, K)."""
        sure = self.confidence.judge(described)
        return sure if self.centre is None else (sure - self.centre).abs()

    def fit(self, described: Tensor, answers: Answers, rng: np.random.Generator) -> Window:
        """Fit the confidence, and the centre of the largest area if it is significantly larger than without one."""
        confidence = self.confidence.fit(described, answers, rng)
        plain = Window(confidence)
        sure = plain.judge(described).numpy()
        windows = [Window(confidence, float(centre)) for centre in np.quantile(sure, QUANTILES)]
        scores = [window.judge(described).numpy() for window in windows]
        best = int(np.argmax([area_above_chance(each, answers) for each in scores]))
        return windows[best] if knows_more(scores[best], answers, than=sure, trials=len(windows)) else plain

    def to_json(self) -> dict[str, Any]:
        """Return confidence and centre."""
        return {"centre": self.centre, **self.confidence.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], position: Position) -> Window:
        """Build the router from the result of ``to_json``."""
        centre = None if value["centre"] is None else float(value["centre"])
        return cls._at(position, confidence=Confidence.from_json(value, "after_little"), centre=centre)
