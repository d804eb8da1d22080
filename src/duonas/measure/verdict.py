"""What a measurement says of the pair: whether one network alone does better, and whether the pair only guesses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duonas.runtime.units import written_count

UNEQUAL = 2.0  # largest class to smallest class, from which on classes are called unequal
SAME = 0.02  # latencies that differ by less are called equal

Figures = Mapping[str, Any]


def verdict(measured: Figures) -> str:
    """Compare the routed pair with its networks alone, on the test images and in measured time; may be empty."""
    return " ".join(filter(None, (alone(measured), in_time(measured))))


def alone(measured: Figures) -> str:
    """Name the network that alone is at least as accurate as the routed pair at no more MACs; empty if neither is."""
    routed = measured["routed"]
    better = [
        role
        for role in ("little", "big")
        if measured[role]["accuracy"] >= routed["accuracy"] and measured[role]["macs"] <= routed["expected_macs"]
    ]
    if not better:
        return ""
    role = max(better, key=lambda role: (measured[role]["accuracy"], -measured[role]["macs"]))
    own = measured[role]
    gain = 100 * (own["accuracy"] - routed["accuracy"])
    quality = f"{gain:.1f} points more accurate" if gain >= 0.05 else "as accurate"
    fewer = "fewer MACs" if own["macs"] < routed["expected_macs"] else "the same MACs"
    costs = f"{written_count(own['macs'])} against {written_count(routed['expected_macs'])}"
    return f"{role.capitalize()} alone is {quality}, at {fewer} ({costs}): use {role} alone."


def in_time(measured: Figures) -> str:
    """Compare the mean times of one image, routed and by big; empty if they were not measured."""
    times = [measured[role].get("latency_ms", {}).get("mean") for role in ("routed", "big")]
    if None in times:
        return ""
    routed, big = times
    speed = "as fast as" if abs(routed / big - 1) < SAME else "faster than" if routed < big else "slower than"
    return f"One image at a time it is {speed} big: {routed:#.3g} against {big:#.3g} ms on average."


def guessing(majority: Figures, routed: Figures, *, balanced: bool) -> str:
    """Warn if the pair is not provably better than always answering the most frequent class; empty if it is.

    Args:
        majority: the constant answer, see ``balance.majority``.
        routed: accuracy and worst class of the routed pair.
        balanced: whether the training made up for rare classes.
    """
    if majority["better"]:
        return ""
    images, name, ours = majority["images"], majority["class"], routed["accuracy"]
    if ours > majority["accuracy"]:
        few = "1 test image is" if images == 1 else f"{images:,} test images are"
        said = (
            f"{few} too few to tell this pair from guessing: always answering {name!r} is right on "
            f"{majority['accuracy']:.1%} of them, the pair on {ours:.1%}."
        )
        likely = "A larger [data] test, or more images, would tell."
    else:
        worst = routed["worst_class"]
        said = (
            f"This pair is no better than guessing: always answering {name!r} is right on {majority['accuracy']:.1%} "
            f"of the {images:,} test images, the pair on {ours:.1%}; of the images of {worst['class']!r} it gets "
            f"{worst['accuracy']:.1%} right."
        )
        likely = "The training may be too short: try more [train] epochs, or more images."
    if majority["imbalance"] >= UNEQUAL and not balanced:
        likely = "Classes are of unequal size: try [train] class_weights = 'balanced'."
    return f"{said} {likely}"
