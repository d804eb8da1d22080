"""How well one ranking of archs predicts another: rank correlations and top-k regret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import kendalltau, spearmanr

from duonas.core.rng import stream

TOP_K = (1, 10, 50)
RESAMPLED = 200  # times for an interval
REDRAWN = 20  # times for a ceiling
INTERVAL = (2.5, 97.5)  # percentiles of an interval of 95 %


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
    """Compute the rank correlation of each figure (N,) with a target (N,), and the interval of its tau."""
    found = {name: np.asarray(values, dtype=float) for name, values in figures.items()}
    return {
        name: rank_correlation(values, target) | {"interval": bootstrap_interval(values, target)}
        for name, values in found.items()
    }


def bootstrap_interval(ours: np.ndarray, theirs: np.ndarray) -> list[float] | None:
    """Compute a 95 % interval of Kendall's tau by resampling the N archs with replacement (Efron's percentiles).

    It says how far tau may be off since only N archs of the space were drawn; ``None`` where tau is.
    """
    rng, count = stream(0, "bootstrap"), len(ours)
    draws = (rng.integers(0, count, count) for _ in range(RESAMPLED if count > 1 else 0))
    taus = [rank_correlation(ours[drawn], theirs[drawn])["kendall"] for drawn in draws]
    known = [tau for tau in taus if tau is not None]
    return [float(value) for value in np.percentile(known, INTERVAL)] if known else None


def noise_ceiling(accuracy: np.ndarray, images: int) -> float | None:
    """Estimate the tau that a supernet would have with itself if its archs were asked about other images.

    The accuracies (N,) are known by a finite number of images, and are drawn anew from the binomial distribution that
    they follow. No tau with any table can be expected to be higher.

    Args:
        accuracy: (N,) in [0, 1].
        images: how many each is known by.
    """
    rng = stream(0, "noise ceiling")
    redrawn = (rng.binomial(images, accuracy) / images for _ in range(REDRAWN))
    taus = [rank_correlation(accuracy, each)["kendall"] for each in redrawn]
    known = [tau for tau in taus if tau is not None]
    return float(np.mean(known)) if known else None


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
