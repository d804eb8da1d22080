"""Calibration of probabilities: temperature scaling, expected calibration error, and AUROC of a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_softmax
from scipy.special import softmax as _softmax
from scipy.stats import rankdata

from duonas.core.errors import DuonasError

COLDEST, WARMEST = 0.05, 20.0


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return the probabilities (N, K) of logits (N, K)."""
    return np.asarray(_softmax(np.asarray(logits, np.float64) / temperature, axis=1))


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Return the mean negative log-likelihood of the labels (N,) under logits (N, K), in nats."""
    logs = log_softmax(np.asarray(logits, np.float64) / temperature, axis=1)
    return float(-logs[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the maximum-likelihood temperature T (Guo et al. 2017, section 4.2), between 0.05 and 20.

    The problem is convex in 1 / T, so the root of the derivative is the optimum. As in Platt scaling (1999) the
    targets are smoothed by 1 / (N + 1): on a small split without errors T would otherwise go to 0.

    Args:
        logits: (N, K).
        labels: (N,) class indices.

    Raises:
        DuonasError: there are no images, or a logit is not finite.
    """
    logits = np.asarray(logits, np.float64)
    if len(logits) == 0:
        raise DuonasError("a temperature cannot be fitted: the calib split has no images.")
    if not np.isfinite(logits).all():
        raise DuonasError("a temperature cannot be fitted: some logits are not finite.")
    chance = 1 / (len(logits) + 1)
    targets = (1 - chance) * logits[np.arange(len(labels)), labels] + chance * logits.mean(1)

    def slope(inverse: float) -> float:
        return float(((_softmax(logits * inverse, axis=1) * logits).sum(1) - targets).mean())

    low, high = 1 / WARMEST, 1 / COLDEST
    if slope(low) >= 0:
        return WARMEST
    if slope(high) <= 0:
        return COLDEST
    return float(1 / brentq(slope, low, high))


@dataclass(frozen=True)
class Bin:
    """The images whose top-1 probability is in (lower, upper]."""

    lower: float
    upper: float
    count: int
    confidence: float  # mean top-1 probability; 0 where the bin is empty
    accuracy: float


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> list[Bin]:
    """Return the reliability diagram of probabilities (N, K) and labels (N,), in bins of equal width."""
    sure = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    filled = np.maximum(counts, 1)
    confidence = np.bincount(index, sure, bins) / filled
    accuracy = np.bincount(index, right, bins) / filled
    rows = zip(edges[:-1], edges[1:], counts, confidence, accuracy, strict=True)
    return [Bin(float(a), float(b), int(n), float(c), float(d)) for a, b, n, c, d in rows]


def ece(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Return the expected calibration error, in [0, 1], over bins of equal width (Guo et al. 2017)."""
    table = reliability(probabilities, labels, bins)
    total = max(1, sum(row.count for row in table))
    return sum(row.count * abs(row.confidence - row.accuracy) for row in table) / total


def auroc(score: np.ndarray, correct: np.ndarray) -> float | None:
    """Return the area under the ROC curve of a score (N,) that predicts whether little is ``correct`` (N,).

    The value is in [0, 1], and ties count half. It is ``None`` where little is correct on all images or on none.
    """
    correct = np.asarray(correct, bool)
    right, wrong = int(correct.sum()), int((~correct).sum())
    if right == 0 or wrong == 0:
        return None
    ranks = rankdata(score)
    return float((ranks[correct].sum() - right * (right + 1) / 2) / (right * wrong))
