"""Chance: scores that know nothing, and whether a score knows more than another."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import norm, rankdata
from torch import Tensor

from duonas.routing.router import Answers

VALUES = 16  # that a lot is drawn from
LEVEL = 0.01  # the chance that a score that knows nothing is believed


def a_few(seen: Tensor) -> Tensor:
    """At most 16 values from the middle of each image or map (N, C, H, W), or of its logits (N, K), to draw lots."""
    if seen.ndim == 4:
        height, width = seen.shape[2:]
        seen = seen[:, :, height // 4 : height - height // 4, width // 4 : width - width // 4]
    values = seen.float().flatten(1)
    count = values.shape[1]
    return values[:, sorted({int(i * 0.618034 % 1 * count) for i in range(VALUES)})]


def hashed(values: Tensor) -> Tensor:
    """A score (N,) in [0, 1] that tells nothing of a row of values (N, D), and is the same whenever the row is.

    A sum with large factors, folded. Each row is added up in the same order in any batch, and there are no jumps, so
    that values which differ by rounding alone give scores which nearly agree.
    """
    total = torch.zeros_like(values[:, 0])
    for column in range(values.shape[1]):
        total = total + values[:, column] * (20 + 40 * (column * 0.618034 % 1))
    return (total - 2 * torch.floor(total / 2) - 1).abs()


def knows_more(score: np.ndarray, answers: Answers, than: np.ndarray | None = None, trials: int = 1) -> bool:
    """Whether a score has a larger area under the trade-off curve than another one, and not by luck.

    The difference of the areas is the mean of what big gains times how much further down the first score has an image;
    if both scores knew nothing of the gains, that would be normal around 0 with a variance that can be counted.

    Args:
        score: (N,), higher = keep little, of images that it was not fitted on.
        answers: of the pair, to the same images.
        than: (N,) the other score; default: chance.
        trials: how many scores were tried to find this one (Bonferroni).
    """
    gain = answers.big_right.astype(float) - answers.little_right
    other = places(than) if than is not None else 0.5
    further = other - places(score)
    spread = gain.std() * np.sqrt((further**2).sum())
    return bool(spread > 0 and (gain * further).sum() > norm.isf(LEVEL / trials) * spread)


def places(score: np.ndarray) -> np.ndarray:
    """The share of the images that are below each one's score (N,), in (0, 1); ties share their place."""
    return np.asarray((rankdata(score) - 0.5) / len(score))
