"""Compares the routed pair on test with what calib promised, which holds for images like those of calib."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scipy.stats import fisher_exact

from duonas.measure.row import interval_of
from duonas.routing.options import FLOOR_NAMES
from duonas.routing.policy import Policy
from duonas.runtime.units import percentage

BY_CHANCE = 0.01  # probability below which two accuracies are taken for different
REACHED: Mapping[str, Callable[[Mapping[str, Any]], float]] = {
    "accuracy": lambda routed: routed["accuracy"],
    "balanced": lambda routed: routed["balanced_accuracy"],
    "worst_class": lambda routed: routed["worst_class"]["accuracy"],
}


def unlike_calib(policy: Policy, routed: Mapping[str, Any], images: int) -> str:
    """Say that the routed pair misses its floor on test, or is far from its accuracy on calib; else return nothing.

    Args:
        policy: with the threshold that was measured.
        routed: the figures of the routed pair in ``measure.json``.
        images: number of test images.
    """
    said = [*_missed(policy, routed, images), *_apart(policy, routed["accuracy"], images)]
    return f"{'; '.join(said)}." if said else ""


def _missed(policy: Policy, routed: Mapping[str, Any], images: int) -> list[str]:
    floor, reached = policy.choice.get("floor"), REACHED[policy.floor_on](routed)
    if floor is None or reached >= floor:
        return []
    noise = ""
    if policy.floor_on == "accuracy" and interval_of(round(reached * images), images).upper >= floor:
        noise = ", which may be the noise of the test images"
    name = FLOOR_NAMES[policy.floor_on]
    return [f"the {name} on test, {reached:.1%}, is below the floor of {percentage(floor)} that calib promised{noise}"]


def _apart(policy: Policy, accuracy: float, images: int) -> list[str]:
    """Whether the accuracies on calib and test differ by more than chance, by Fisher's exact test."""
    row = next((row for row in policy.table if row.tau == policy.tau), None)
    if row is None or not policy.images:
        return []
    counts = [(round(share * all_), all_) for share, all_ in ((accuracy, images), (row.accuracy, policy.images))]
    if fisher_exact([[right, all_ - right] for right, all_ in counts]).pvalue >= BY_CHANCE:
        return []
    return [
        f"test is unlike calib: the accuracy is {accuracy:.1%} on test and {row.accuracy:.1%} on calib, further apart "
        "than by chance, and what calib promises holds for images like its own"
    ]
