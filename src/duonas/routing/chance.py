"""Random scores, and a significance test for the difference between two scores."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import norm, rankdata
from torch import Tensor

from duonas.routing.router import Answers

VALUES = 16  # values that a random score is hashed from
LEVEL = 0.01  # significance level: the probability that an uninformative score passes the test


def a_few(seen: Tensor) -> Tensor:
    """Return at most 16 values from the middle of each map (N, C, H, W), or of logits (N, K), as input of a hash."""
    if seen.ndim == 4:
        height, width = seen.shape[2:]
        seen = seen[:, :, height // 4 : height - height // 4, width // 4 : width - width // 4]
    values = seen.float().flatten(1)
    count = values.shape[1]
    return values[:, sorted({int(i * 0.618034 % 1 * count) for i in range(VALUES)})]


def hashed(values: Tensor) -> Tensor:
    """Return a pseudo-random score (N,) in [0, 1] of each row of values (N, D); equal rows get equal scores.

    It is a sum with large factors, folded into [0, 1]. It is continuous, and rows are summed in the same order in any
    batch, so that rounding errors change it only slightly.
    """
    total = torch.zeros_like(values[:, 0])
    for column in range(values.shape[1]):
        total = total + values[:, column] * (20 + 40 * (column * 0.618034 % 1))
    return (total - 2 * torch.floor(total / 2) - 1).abs()


def knows_more(score: np.ndarray, answers: Answers, than: np.ndarray | None = None, trials: int = 1) -> bool:
    """Whether a score has a significantly larger area under the trade-off curve than another one.

    The difference of the areas is the mean over images of big's gain times the difference in rank. If both scores were
    independent of the gains, it would be normal around 0 with a known variance.

    Args:
        score: (N,), higher = keep little.
        answers: predictions of the pair for the same images.
        than: the other score (N,); default: a random one.
        trials: number of scores that this one is the best of (Bonferroni correction).
    """
    gain = answers.big_right.astype(float) - answers.little_right
    other = places(than) if than is not None else 0.5
    further = other - places(score)
    spread = gain.std() * np.sqrt((further**2).sum())
    return bool(spread > 0 and (gain * further).sum() > norm.isf(LEVEL / trials) * spread)


def places(score: np.ndarray) -> np.ndarray:
    """Return the rank of each score (N,) as a fraction in (0, 1); ties get their mean rank."""
    return np.asarray((rankdata(score) - 0.5) / len(score))
