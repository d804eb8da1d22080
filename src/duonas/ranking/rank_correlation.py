"""How well one ranking of archs agrees with another: correlations, and what is lost by trusting it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import kendalltau, spearmanr

FIRST = (1, 10, 50)  # how many of the top-ranked are looked at


def agreement(ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    """Rank correlations of two figures (N,), and over how many archs.

    Kendall's tau is tau-b and Spearman's rho takes mean ranks, so that equal figures count for neither side; both are
    ``None`` where one figure is the same for all archs.
    """
    varies = len(ours) > 1 and np.ptp(ours) > 0 and np.ptp(theirs) > 0
    return {
        "kendall": float(kendalltau(ours, theirs).statistic) if varies else None,
        "spearman": float(spearmanr(ours, theirs).statistic) if varies else None,
        "archs": len(ours),
    }


def agreements(figures: Mapping[str, np.ndarray], theirs: np.ndarray) -> dict[str, Any]:
    """``agreement`` of each figure with one that they are to tell."""
    return {name: agreement(np.asarray(values, dtype=float), theirs) for name, values in figures.items()}


def regrets(accuracy: np.ndarray, theirs: np.ndarray, names: Sequence[str], best: float) -> list[dict[str, Any]]:
    """Top-k regret: how far the best of our k top-ranked archs is from the best there is, by the table.

    Args:
        accuracy: (N,) what we rank by; among equals the order is that of the names, which is as good as drawn.
        theirs: (N,) the table's.
        names: of the archs.
        best: of the whole table.

    Returns:
        For each k that there are archs for: ``k``, the best ``found``, its ``regret`` against these archs, and
        ``regret_whole`` against the whole table.
    """
    order = sorted(range(len(names)), key=lambda place: (-accuracy[place], names[place]))
    rows = []
    for k in (k for k in FIRST if k <= len(order)):
        found = float(theirs[order[:k]].max())
        rows.append({"k": k, "found": found, "regret": float(theirs.max()) - found, "regret_whole": best - found})
    return rows
