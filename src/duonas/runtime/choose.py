"""Choose a threshold of a trade-off curve by a budget, a little share or an accuracy floor.

A curve is given by its columns (T,), from "no image stays little" to "all do".
"""

from __future__ import annotations

import numpy as np

from .errors import BundleError, TargetError
from .units import percentage

FLOORS = {
    "accuracy": "an accuracy floor",
    "balanced": "a floor on the balanced accuracy",
    "worst_class": "a floor on the accuracy of the worst class",
}


def at_budget(
    expected: np.ndarray, accuracy: np.ndarray, budget: float, what: str = "a budget", unit: str = "MACs"
) -> int:
    """Return the index of the most accurate threshold of expected cost at most ``budget``; of equals the cheapest.

    Args:
        expected: (T,) expected cost per image, in ``unit``.
        accuracy: (T,), in any unit.
        budget: budget per image.
        what: name of the budget in messages.
        unit: unit of cost and budget, for messages.

    Raises:
        TargetError: the budget is below the lowest cost, which the message gives.
    """
    affordable = np.flatnonzero(expected <= budget)
    if len(affordable) == 0:
        least = _rounded_up(expected.min())
        raise TargetError(
            f"{what} of {budget:.12g} {unit} cannot be met: the smallest possible is {least} {unit} an "
            "image, where all images stay little.",
            least,
        )
    return int(affordable[np.lexsort((expected[affordable], -accuracy[affordable]))[0]])


def at_share(little_share: np.ndarray, tau: np.ndarray, wanted: float) -> int:
    """Return the index of the nearest little share; of equals an infinite tau, which is exact for any images."""
    if not 0 <= wanted <= 1:
        raise BundleError(f"a little share must be between 0 and 1, got {wanted:g}.")
    return int(np.lexsort((np.isfinite(tau), np.abs(little_share - wanted)))[0])


def at_floor(holds: np.ndarray, floor: float, floor_on: str = "accuracy", proof: str = "") -> int:
    """Return the index of the cheapest threshold, the last, that guarantees an accuracy of at least ``floor``.

    Args:
        holds: (T,) accuracy that is guaranteed at each threshold.
        floor: in [0, 1].
        floor_on: the kind of accuracy, a key of ``FLOORS``, for the message.
        proof: basis of the guarantee, for the message.

    Raises:
        TargetError: no threshold does; the message gives the highest possible floor.
    """
    held = np.flatnonzero(holds >= floor)
    if len(held) == 0:
        best = f"{np.floor(holds.max() * 1e4) / 1e4:.4f}"  # rounded down, so that this floor is possible
        raise TargetError(
            f"{FLOORS[floor_on]} of {percentage(floor)} cannot be guaranteed{proof}: the highest possible is "
            f"{percentage(float(best))}.",
            best,
        )
    return int(held[-1])


def _rounded_up(value: float) -> str:
    """Format a cost with few digits, rounded up: 12346 for 12345.1, 0.1235 for 0.12342."""
    step = 10.0 ** min(0, np.floor(np.log10(value)) - 3) if value > 0 else 1.0
    return f"{np.ceil(value / step) * step:.12g}"
