"""A network, or the routed pair, as the verdict compares it with others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from duonas.routing.bounds import Interval, clopper_pearson, paired_difference
from duonas.runtime.comparison import Time, is_faster

CONFIDENCE = 0.95

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """What is compared of the routed pair, or of a network alone.

    Args:
        name: ``routed``, ``big``, ``little`` or ``plain``, the best subnet that the search saw at no more mean time
            than the routed pair.
        accuracy: on the test images, in [0, 1].
        macs: for one image, the expected ones of the routed pair.
        interval: exact 95 % interval of the accuracy; ``None`` if the number of test images is not known.
        difference: exact 95 % interval of the routed pair's accuracy minus this one, on the same images; ``None`` if
            unknown.
        times: the time of an image in ms by batch size; empty if it was not measured.
        weight_bytes: of the weights in the ONNX file; ``None`` if unknown.
        peak_memory_bytes: of the activations at batch 1; ``None`` if unknown.
        energy_mj: of an image at batch 1; ``None`` if unknown.
    """

    name: str
    accuracy: float
    macs: float
    interval: Interval | None = None
    difference: Interval | None = None
    times: Mapping[str, Time] = field(default_factory=dict)
    weight_bytes: int | None = None
    peak_memory_bytes: int | None = None
    energy_mj: float | None = None

    @classmethod
    def of(cls, name: str, measured: Figures) -> Row:
        """The row of a role from the content of ``measure.json``."""
        figures, images = measured[name], measured.get("test_images")
        accuracy, won = float(figures["accuracy"]), figures.get("against_routed")
        return cls(
            name=name,
            accuracy=accuracy,
            macs=figures["expected_macs"] if name == "routed" else figures["macs"],
            interval=interval_of(round(accuracy * images), images) if images else None,
            difference=paired_difference(won["only_routed"], won["only_this"], images) if won and images else None,
            times=_times(figures),
            weight_bytes=figures.get("weight_bytes"),
            peak_memory_bytes=figures.get("peak_memory_bytes"),
            energy_mj=figures.get("energy_mj"),
        )

    def time(self, batch: str = "1") -> Time:
        """The time of an image at a batch size; MACs stand in for it where no time was measured."""
        return self.times[batch] if self.times else Time(self.macs, self.macs, self.macs)

    def to_json(self) -> dict[str, Any]:
        """The row as JSON; ``mean_ms`` is at batch 1, ``batch`` by batch size, both for one image."""
        times = {batch: time.mean for batch, time in self.times.items()}
        return {
            "name": self.name,
            "accuracy": self.accuracy,
            "interval": self.interval and list(self.interval),
            "routed_minus_this": self.difference and list(self.difference),
            "mean_ms": times.get("1"),
            "batch": times,
            "macs": self.macs,
            "weight_bytes": self.weight_bytes,
            "peak_memory_bytes": self.peak_memory_bytes,
            "energy_mj": self.energy_mj,
        }


def faster(one: Row, other: Row, batch: str = "1") -> bool:
    """Whether one is faster than the other by more than the noise of timing explains."""
    mine, theirs = one.time(batch), other.time(batch)
    if not one.times:
        return mine.mean < theirs.mean
    return is_faster(mine, theirs)


def surely_better(routed: Row, other: Row) -> bool:
    """Whether the routed pair is more accurate by more than the choice of test images explains."""
    return other.difference is not None and other.difference.lower > 0


def _times(figures: Figures) -> dict[str, Time]:
    if "times_ms" in figures:
        return {batch: Time(**time) for batch, time in figures["times_ms"].items()}
    mean = figures.get("latency_ms", {}).get("mean")
    return {} if mean is None else {"1": Time(mean, mean, mean)}


def interval_of(correct: int, images: int) -> Interval:
    """Return the exact two-sided interval of an accuracy (Clopper and Pearson 1934)."""
    one_sided = (1 + CONFIDENCE) / 2
    lower, wrong = (float(clopper_pearson(right, images, one_sided)) for right in (correct, images - correct))
    return Interval(lower, 1 - wrong)
