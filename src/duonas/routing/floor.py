"""Accuracy floors: which thresholds guarantee one, and which floors no pair could ever have guaranteed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from duonas.core.errors import DuonasError
from duonas.core.text import plural
from duonas.routing.bounds import lower_bound
from duonas.routing.options import FloorOn
from duonas.routing.threshold import as_unreachable
from duonas.runtime import choose
from duonas.runtime.units import percentage


@dataclass(frozen=True)
class Rungs:
    """Thresholds that were fixed without the images that tau is chosen on, and what each guarantees on these.

    Args:
        tau: (G,) thresholds, descending from +inf, where every image goes to big.
        little_share: (G,) fraction of the images that stays little.
        holds: (G,) guaranteed floors, falling; see ``fixed_sequence``.
        floor_on: the kind of accuracy that is guaranteed.
        proof: confidence and number of images, for messages.
    """

    tau: np.ndarray
    little_share: np.ndarray
    holds: np.ndarray
    floor_on: FloorOn = "accuracy"
    proof: str = ""

    def at_floor(self, floor: float, allowed: np.ndarray | None = None) -> int:
        """Return the index of the cheapest threshold that guarantees ``floor``.

        Args:
            floor: in [0, 1].
            allowed: (G,) thresholds to choose from where one of them guarantees the floor; default: all.

        Raises:
            Unreachable: no threshold guarantees it; the message gives the highest possible floor.
        """
        holds = self.holds
        if allowed is not None and (allowed & (holds >= floor)).any():
            holds = np.where(allowed, holds, -np.inf)
        with as_unreachable():
            return choose.at_floor(holds, floor, self.floor_on, self.proof)


def fixed_sequence(lower: np.ndarray) -> np.ndarray:
    """Return the floor (G,) guaranteed at each threshold: the running minimum of one-sided lower bounds (G,).

    Each lower bound is valid for one threshold only; choosing the cheapest of many thresholds with a bound above
    the floor would be biased. Therefore thresholds are tested in a fixed order, starting from big, up to the first
    that fails. To choose a threshold that violates the floor, the first violating one must pass its test, which has
    a probability of at most ``1 - confidence`` for any number of thresholds (fixed-sequence testing: Maurer et al.
    1995; for risks of a model: Angelopoulos et al. 2021, "Learn then Test").

    The guarantee requires thresholds that were fixed without these images, and new images from the same distribution.
    """
    return np.asarray(np.minimum.accumulate(lower))


def highest_floor(count: np.ndarray, floor_on: FloorOn, confidence: float) -> float:
    """Return the floor that is guaranteed if every one of the images is classified correctly: no higher one can be.

    Args:
        count: (K,) by class, the images that tau is chosen on.
        floor_on: the kind of accuracy.
        confidence: in (0, 1).
    """
    return float(lower_bound(floor_on, count[None], count, confidence)[0])


def check_floor(
    floor: float, count: np.ndarray, class_names: Sequence[str], floor_on: FloorOn, confidence: float
) -> None:
    """Refuse a floor that could not be guaranteed even if the pair were always right.

    Args:
        floor: in [0, 1].
        count: (K,) by class, the images that tau is chosen on.
        class_names: (K,), or empty.
        floor_on: the kind of accuracy.
        confidence: in (0, 1).

    Raises:
        DuonasError: it could not; the message says which floor can, and how many images this one needs.
    """
    highest = highest_floor(count, floor_on, confidence)
    if floor <= highest:
        return
    possible = math.floor(highest * 1e4) / 1e4
    rarest = int(count.argmin())
    name = repr(class_names[rarest]) if class_names else str(rarest)
    few = "" if floor_on == "accuracy" else f", {count[rarest]} of them of class {name}"
    raise DuonasError(
        f"[route] floor = {percentage(floor)} ({choose.FLOORS[floor_on]}) can never be guaranteed with "
        f"{percentage(confidence)} confidence: tau is chosen on half of the calib split, "
        f"{plural(int(count.sum()), 'image')}{few}, and even if all answers are right they guarantee "
        f"{percentage(possible)}; {_remedy(floor, floor_on, confidence)}."
    )


def _remedy(floor: float, floor_on: FloorOn, confidence: float) -> str:
    if floor >= 1:
        return "choose a floor below 1, which no number of images can guarantee"
    if floor_on == "balanced":
        return "choose a lower floor or confidence, or a larger [data] calib with more images of its rarest class"
    # If all answers are right, the bound is that at which so many right ones have a probability of 1 - confidence.
    images = 2 * math.ceil(math.log(1 - confidence) / math.log(floor))
    where = " of every class" if floor_on == "worst_class" else ""
    return (
        f"choose a lower floor or confidence, or a larger [data] calib: this floor needs at least {images:,} calib "
        f"images{where}"
    )
