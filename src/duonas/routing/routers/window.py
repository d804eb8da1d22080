"""Confidence with a window: big is skipped where it would fail too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from duonas.core.options import RouteOptions
from duonas.routing.chance import knows_more
from duonas.routing.metrics import area_above_chance
from duonas.routing.router import Answers, Position, Router
from duonas.routing.routers.confidence import Confidence

QUANTILES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class Window(Router):
    """Sends to big the images of which little is neither sure nor hopelessly unsure.

    What little cannot tell at all, big often gets wrong as well: it stays little, since only a gain is worth its price
    (Jitkrittum et al. 2023). The score is the distance of the confidence from a centre.

    Args:
        confidence: gives the confidence.
        centre: of what goes to big first; ``None``: the least sure first, which is the confidence itself.
    """

    confidence: Confidence = field(default_factory=Confidence)
    centre: float | None = None

    name: ClassVar[str] = "window"
    positions: ClassVar[tuple[Position, ...]] = ("after_little",)

    @classmethod
    def from_options(cls, options: RouteOptions) -> Window:
        """With the score of ``[route]``."""
        return cls._at(options.position, confidence=Confidence(options.score))

    def judge(self, described: Tensor) -> Tensor:
        """Little's logits (N, K) to scores (N,)."""
        sure = self.confidence.judge(described)
        return sure if self.centre is None else (sure - self.centre).abs()

    def fit(self, described: Tensor, answers: Answers, rng: np.random.Generator) -> Window:
        """The confidence fitted, and the centre of the largest area, if that is larger than without and not by luck."""
        confidence = self.confidence.fit(described, answers, rng)
        plain = Window(confidence)
        sure = plain.judge(described).numpy()
        windows = [Window(confidence, float(centre)) for centre in np.quantile(sure, QUANTILES)]
        scores = [window.judge(described).numpy() for window in windows]
        best = int(np.argmax([area_above_chance(each, answers) for each in scores]))
        return windows[best] if knows_more(scores[best], answers, than=sure, trials=len(windows)) else plain

    def to_json(self) -> dict[str, Any]:
        """Confidence and centre."""
        return {"centre": self.centre, **self.confidence.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], position: Position) -> Window:
        """The router that ``to_json`` described."""
        centre = None if value["centre"] is None else float(value["centre"])
        return cls._at(position, confidence=Confidence.from_json(value, "after_little"), centre=centre)
