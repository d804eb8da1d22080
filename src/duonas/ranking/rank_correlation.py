"""How well one ranking of archs predicts another: rank correlations and top-k regret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import kendalltau, spearmanr

TOP_K = (1, 10, 50)


def rank_correlation(ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    """Compute Kendall's tau-b and Spearman's rho between two figures (N,) of N archs.

    Ties count for neither side. Both are ``None`` where one figure is the same for all archs.
    """
    varies = len(ours) > 1 and np.ptp(ours) > 0 and np.ptp(theirs) > 0
    return {
        "kendall": float(kendalltau(ours, theirs).statistic) if varies else None,
        "spearman": float(spearmanr(ours, theirs).statistic) if varies else None,
        "archs": len(ours),
    }


def rank_correlations(figures: Mapping[str, np.ndarray], target: np.ndarray) -> dict[str, Any]:
    """Compute the rank correlation of each figure (N,) with a target (N,)."""
    return {name: rank_correlation(np.asarray(values, dtype=float), target) for name, values in figures.items()}


def regrets(accuracy: np.ndarray, theirs: np.ndarray, names: Sequence[str], best: float) -> list[dict[str, Any]]:
    """Compute the top-k regret: how much worse the best of our k top-ranked archs is than the best arch of all.

    Args:
        accuracy: (N,) accuracies that rank the archs; ties are ordered by name.
        theirs: (N,) accuracies of the table.
        names: names of the archs.
        best: the best accuracy of the whole table.

    Returns:
        For every k of at most N: ``k``, the best accuracy ``found``, its ``regret`` against these archs, and
        ``regret_whole`` against the whole table.
    """
    order = sorted(range(len(names)), key=lambda place: (-accuracy[place], names[place]))
    rows = []
    for k in (k for k in TOP_K if k <= len(order)):
        found = float(theirs[order[:k]].max())
        rows.append({"k": k, "found": found, "regret": float(theirs.max()) - found, "regret_whole": best - found})
    return rows
