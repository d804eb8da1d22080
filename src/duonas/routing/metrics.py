"""What a router is measured against: chance, and the one that knows the answers."""

from __future__ import annotations

import numpy as np

from duonas.routing.router import Answers
from duonas.routing.threshold import Curve, sweep


def chord(little_accuracy: float, big_accuracy: float, little_share: float | np.ndarray) -> float | np.ndarray:
    """The accuracy of random routing at a little share: the straight line between big and little."""
    return little_share * little_accuracy + (1 - little_share) * big_accuracy


def oracle_accuracy(little_correct: np.ndarray, big_correct: np.ndarray) -> float:
    """The accuracy of the router that sends to big just where little is wrong and big is right."""
    return float(np.mean(np.asarray(little_correct, bool) | np.asarray(big_correct, bool)))


def oracle_share(little_correct: np.ndarray, big_correct: np.ndarray) -> float:
    """The little share of that router: no smaller one is as accurate, no other so cheap."""
    return float(1 - np.mean(~np.asarray(little_correct, bool) & np.asarray(big_correct, bool)))


def oracle_curve(little_correct: np.ndarray, big_correct: np.ndarray) -> Curve:
    """At most four points; the lines between them bound every router on these images at every little share."""
    gain = np.asarray(little_correct, np.float32) - np.asarray(big_correct, np.float32)
    return sweep(gain, little_correct, big_correct)


def area(curve: Curve) -> float:
    """The area under accuracy over little share, in [0, 1]: the mean accuracy over all shares.

    Random routing has the mean of both accuracies.
    """
    return float(np.trapezoid(curve.accuracy, curve.little_share))


def area_above_chance(score: np.ndarray, answers: Answers) -> float:
    """The area under a score's curve (N,) above the chord's, from -0.5 to 0.5: what it adds to random routing."""
    curve = sweep(score, answers.little_right, answers.big_right)
    return area(curve) - float(answers.little_right.mean() + answers.big_right.mean()) / 2
