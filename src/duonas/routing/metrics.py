"""Reference points for routers: random routing, the oracle, and the area under the trade-off curve."""

from __future__ import annotations

import numpy as np

from duonas.routing.router import Answers
from duonas.routing.threshold import Curve, sweep


def chord(little_accuracy: float, big_accuracy: float, little_share: float | np.ndarray) -> float | np.ndarray:
    """Return the accuracy of random routing at a little share: the straight line between big and little."""
    return little_share * little_accuracy + (1 - little_share) * big_accuracy


def oracle_accuracy(little_correct: np.ndarray, big_correct: np.ndarray) -> float:
    """Return the accuracy of the router that sends to big exactly the images where only big is correct."""
    return float(np.mean(np.asarray(little_correct, bool) | np.asarray(big_correct, bool)))


def oracle_share(little_correct: np.ndarray, big_correct: np.ndarray) -> float:
    """Return the little share of that router: the largest, and so the cheapest, at the oracle's accuracy."""
    return float(1 - np.mean(~np.asarray(little_correct, bool) & np.asarray(big_correct, bool)))


def oracle_curve(little_correct: np.ndarray, big_correct: np.ndarray) -> Curve:
    """Return the curve of the oracle, of at most four points: an upper bound for every router on these images."""
    gain = np.asarray(little_correct, np.float32) - np.asarray(big_correct, np.float32)
    return sweep(gain, little_correct, big_correct)


def area(curve: Curve) -> float:
    """Return the area under accuracy over little share, in [0, 1]: the mean accuracy over all shares.

    For random routing that is the mean of both networks' accuracies.
    """
    return float(np.trapezoid(curve.accuracy, curve.little_share))


def area_above_chance(score: np.ndarray, answers: Answers) -> float:
    """Return the area between the curve of a score (N,) and that of random routing, from -0.5 to 0.5."""
    curve = sweep(score, answers.little_right, answers.big_right)
    return area(curve) - float(answers.little_right.mean() + answers.big_right.mean()) / 2
