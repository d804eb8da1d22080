"""The thresholds that the slider of the report offers, and what the pair does at each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from duonas.core.cost import PairCost
from duonas.measure.accuracy import Outputs
from duonas.measure.verdict import verdict_of
from duonas.report.formatting import count, milliseconds, number, percent
from duonas.routing.threshold import sweep

MOST = 60  # thresholds, about evenly spaced in little share


@dataclass(frozen=True)
class Thresholds:
    """Rising thresholds, from "little answers all images" to "big does", the measured one among them.

    Args:
        outputs: of the N test images.
        cost: of the pair, in MACs.
        measured: the content of ``measure.json``.
        tau: (S,) finite; infinite ones are replaced by others that decide the same.
        chosen: which of them was measured.
    """

    outputs: Outputs
    cost: PairCost
    measured: Mapping[str, Any]
    tau: np.ndarray
    chosen: int

    @cached_property
    def kept(self) -> np.ndarray:
        """(S, N) bool, whether an image stays little; as measured at the chosen threshold."""
        kept = self.outputs.score[None, :] >= self.tau[:, None]
        kept[self.chosen] = self.outputs.is_little
        return kept

    @cached_property
    def right(self) -> np.ndarray:
        """(S, N) bool, whether the routed pair is right."""
        return np.where(self.kept, self.outputs.little_right, self.outputs.big_right)

    def shares_of(self, images: np.ndarray) -> list[float]:
        """The little share of some images (a mask or indices) at each threshold, for a chart."""
        return np.round(self.kept[:, images].mean(1), 4).tolist()

    def accuracies_of(self, images: np.ndarray) -> list[float]:
        """The routed accuracy on some images (a mask or indices) at each threshold, for a chart."""
        return np.round(self.right[:, images].mean(1), 4).tolist()

    @property
    def little_share(self) -> np.ndarray:
        """(S,), in [0, 1]."""
        return np.asarray(self.kept.mean(1))

    @property
    def accuracy(self) -> np.ndarray:
        """(S,), in [0, 1]."""
        return np.asarray(self.right.mean(1))

    @property
    def macs(self) -> np.ndarray:
        """Expected MACs (S,)."""
        return np.asarray(self.cost.expected(self.little_share), dtype=float)

    @property
    def milliseconds(self) -> np.ndarray:
        """Mean time (S,) of an image: the measured one, and for each image that changes sides the time of big more.

        Before little, an image that goes to big also saves the time of little. None is less than that of little alone.
        """
        times = {row["name"]: row["mean_ms"] for row in verdict_of(dict(self.measured))["rows"]}
        change = times["big"] - (times["little"] if self.cost.before else 0.0)
        share = self.little_share
        return np.asarray(np.maximum(times["routed"] + (share[self.chosen] - share) * change, times["little"]))

    def slider(self) -> dict[str, Any]:
        """What the page's script needs: the thresholds, which one was measured, and a line of figures for each."""
        figures = zip(self.tau, self.accuracy, self.little_share, self.macs, self.milliseconds, strict=True)
        lines = [
            f"τ = {number(tau)} · accuracy {percent(accuracy)} · little share {percent(share)} · "
            f"{count(macs, 'MACs')} · {milliseconds(time)}"
            for tau, accuracy, share, macs, time in figures
        ]
        return {"tau": self.tau.tolist(), "chosen": self.chosen, "lines": lines}


def thresholds(outputs: Outputs, cost: PairCost, measured: Mapping[str, Any]) -> Thresholds:
    """The measured threshold and about ``MOST`` others."""
    curve = sweep(outputs.score, outputs.little_right, outputs.big_right)
    finite = outputs.score[np.isfinite(outputs.score)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    ends = low, float(np.nextafter(np.float32(high), np.float32(np.inf)))
    measured_tau = float(np.clip(float(measured["tau"]), *ends))
    some = curve.tau[curve.thinned(MOST)]
    tau = np.unique([*ends, measured_tau, *some[np.isfinite(some)]])
    return Thresholds(outputs, cost, measured, tau, int(np.searchsorted(tau, measured_tau)))
