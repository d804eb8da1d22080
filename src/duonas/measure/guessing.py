"""Whether the pair is provably better than always giving the most frequent answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNEQUAL = 2.0  # largest class to smallest class, from which on classes are called unequal

Figures = Mapping[str, Any]


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
