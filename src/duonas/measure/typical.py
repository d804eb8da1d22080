"""The typical time of a network: a mean over images that other load of the machine does not move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from duonas.runtime.comparison import Time, middle

BLOCK = 10  # consecutive calls of one network, which other load of the machine disturbs together
ENOUGH = 6  # blocks, from which on the least and the largest of their medians hold the median of all


def typical(times: Any, kinds: np.ndarray | None = None, shares: Mapping[int, float] | None = None) -> Time:
    """Return the mean over calls, with the time of each replaced by the median of its kind.

    The limits are those of the medians, from order statistics (the exact interval of a median), weighted alike. What
    disturbs a call disturbs its neighbours, too, so that from six blocks on each block counts once, by its median. With
    fewer than six calls of a kind the limits are the least and the largest of them.

    Args:
        times: (T,) in ms.
        kinds: (T,) the kind of each call, such as whether big ran; default: all are of one kind.
        shares: the weight of each kind in the mean, such as its share among all images; default: that among the calls.
    """
    values = np.asarray(times, float)
    kinds = np.zeros(len(values), int) if kinds is None else np.asarray(kinds)
    total = np.zeros(3)
    for kind in np.unique(kinds).tolist():
        mine = _independent(values, kinds == kind)
        share = float((kinds == kind).mean()) if shares is None else shares[kind]
        total += share * np.array(middle(mine.tolist()))
    return Time(*map(float, total))


def _independent(values: np.ndarray, mine: np.ndarray) -> np.ndarray:
    """Return the medians of the blocks of calls that are ``mine``, or the calls if there are few blocks."""
    number = np.arange(len(values)) // BLOCK
    blocks = np.unique(number[mine])
    if len(blocks) < ENOUGH:
        return values[mine]
    return np.array([np.median(values[mine & (number == block)]) for block in blocks])


def route_kinds(is_hard: np.ndarray) -> np.ndarray:
    """Return the kind of each of T batches by which networks ran: 0 where little alone, 2 where big alone, else 1.

    Args:
        is_hard: (T, N) bool, whether each image of each batch went to big.
    """
    return np.where(is_hard.all(1), 2, np.where(is_hard.any(1), 1, 0))
