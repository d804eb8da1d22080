"""Thresholds of a network of N exits for a mean cost: the geometric shares of MSDNet, and a sweep.

Both see the images that thresholds are chosen on, and no others.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from duonas.exits.answers import Exits
from duonas.routing.threshold import steps

RATIOS = np.arange(1, 41) / 20  # of the share of an exit to that of the one before, as in the authors' evaluation
PRICES = np.geomspace(1e-3, 3, 24)  # of the dearest image, in accuracy: how much worse an answer may be that costs none
ROUNDS = 10  # over all exits, at most; nearly always two are enough


def geometric(exits: Exits, ratio: float) -> np.ndarray:
    """Return the thresholds (N - 1,) at which geometric shares of the images leave (Huang et al. 2018, section 5).

    Exit n gets ``ratio ** n`` of the images, in all one: of those that did not leave before it, the surest.

    Args:
        exits: the answers to the images that thresholds are chosen on.
        ratio: of the share of an exit to that of the one before.
    """
    images, count = exits.confidence.shape
    shares = ratio ** np.arange(1, count + 1)
    wanted = np.floor(images * shares / shares.sum() + 1e-9).astype(int)
    thresholds, here = np.full(count - 1, np.inf), np.ones(images, bool)
    for number in range(count - 1):
        sure = np.sort(exits.confidence[here, number])[::-1]
        if wanted[number] and len(sure):
            thresholds[number] = sure[min(wanted[number], len(sure)) - 1]
            here &= exits.confidence[:, number] < thresholds[number]
    return thresholds


def swept(exits: Exits, budgets: np.ndarray) -> list[np.ndarray]:
    """Return the thresholds (N - 1,) for each mean cost: as accurate as any that were found, and no dearer.

    Each threshold is swept over all values that make a difference while the others stay: exactly, by one sort. That is
    done in turn until none gains: first for prices of the cost, then within the budget, from the best that the prices
    and the geometric shares gave. For two exits the result is the best there is; for more there may be a better one.

    Args:
        exits: the answers to the images that thresholds are chosen on.
        budgets: (T,) mean multiply-accumulates of an image, none below the cost of the first exit.
    """
    at_once = np.append(-np.inf, np.full(len(exits.macs) - 2, np.inf))  # all images leave at the first exit
    known = [at_once, *_priced(exits), *(geometric(exits, ratio) for ratio in RATIOS)]
    merits, chosen = [_merit(exits, each) for each in known], [at_once] * len(budgets)
    for place in np.argsort(budgets, kind="stable"):
        most = budgets[place] * len(exits.right)
        allowed = [number for number, (_, saved) in enumerate(merits) if -saved <= most]
        best = max(allowed, key=merits.__getitem__, default=0)
        chosen[place] = _within(exits, known[best], float(budgets[place]))
        known.append(chosen[place])  # what a smaller budget allows, a larger one does
        merits.append(_merit(exits, chosen[place]))
    return chosen


def _merit(exits: Exits, thresholds: np.ndarray) -> tuple[int, int]:
    """Return the right answers, and of equally many the cheapest, as what is larger is better."""
    leave = exits.leave_at(thresholds)
    return int(exits.right_at(leave).sum()), -int(exits.macs[leave].sum())


def _priced(exits: Exits) -> Iterator[np.ndarray]:
    """Yield the thresholds that are best at each price of the cost, as far as sweeps find them."""
    thresholds = np.full(len(exits.macs) - 1, np.inf)
    for price in PRICES:
        value = exits.right - price * exits.macs / exits.macs[-1]
        for _ in range(ROUNDS):
            before = thresholds.copy()
            for number in reversed(range(len(thresholds))):
                taus, gained = _sweep(exits, thresholds, number, value)
                thresholds[number] = taus[int(gained.argmax())]
            if np.array_equal(before, thresholds):
                break
        yield thresholds.copy()


def _within(exits: Exits, start: np.ndarray, budget: float) -> np.ndarray:
    """Return the thresholds that sweeps within a budget lead to."""
    thresholds, images = start.copy(), len(exits.right)
    macs = np.broadcast_to(exits.macs.astype(np.float64), exits.right.shape)
    for _ in range(ROUNDS):
        before = thresholds.copy()
        for number in reversed(range(len(thresholds))):
            taus, right = _sweep(exits, thresholds, number, exits.right.astype(np.float64))
            _, cost = _sweep(exits, thresholds, number, macs)
            allowed = np.flatnonzero(cost <= budget * images)
            if not len(allowed):
                continue
            best = allowed[np.lexsort((cost[allowed], -right[allowed]))[0]]
            if (right[best], -cost[best]) > _merit(exits, thresholds):
                thresholds[number] = taus[best]
        if np.array_equal(before, thresholds):
            break
    return thresholds


def _sweep(exits: Exits, thresholds: np.ndarray, number: int, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all thresholds (T,) of an exit that make a difference, and the sum of a value over the images at each.

    Args:
        exits: the answers.
        thresholds: (N - 1,) of all exits.
        number: of the exit.
        value: (M, N) of an image that leaves at an exit.
    """
    others = thresholds.copy()
    others[number] = np.inf
    leave = exits.leave_at(others)
    here, later = leave > number, np.take_along_axis(value, leave[:, None], 1)[:, 0]
    order, kept, taus = steps(exits.confidence[here, number])
    gain = (value[here, number] - later[here])[order]
    return taus, later.sum() + np.append(0.0, np.cumsum(gain))[kept]
