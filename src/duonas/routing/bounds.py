"""Confidence bounds on accuracies: exact or conservative for any number of images, never of width zero."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincc, betaincinv, betaln, xlog1py, xlogy
from scipy.stats import beta

from duonas.routing.options import FloorOn

NODES = 100  # of the quadrature over a confidence distribution, which is smooth
TAIL = 1e-12  # probability of a confidence distribution that the quadrature leaves out
TILTS = 32  # values of lambda that the Chernoff bound is minimised over; any number of them is valid
LARGEST = 600.0  # exponent, so that its exponential is finite
HALVINGS = 45  # of a bisection, which always ends on the safe side


class Interval(NamedTuple):
    """A two-sided confidence interval."""

    lower: float
    upper: float


def clopper_pearson(correct: np.ndarray | int, count: np.ndarray | int, confidence: float) -> np.ndarray:
    """Return the one-sided lower bound on a probability for ``correct`` of ``count`` (Clopper and Pearson 1934).

    It is 0 where ``count`` is 0.
    """
    correct = np.asarray(correct)
    bound = beta.ppf(1 - confidence, np.maximum(correct, 1), count - correct + 1)
    return np.where(correct > 0, bound, 0.0)


def worst_class(correct: np.ndarray, count: np.ndarray, confidence: float) -> np.ndarray:
    """Return one-sided lower bounds (T,) on the accuracy of the class with the lowest accuracy.

    The bound is the lowest of the classes' Clopper-Pearson bounds, each with the full ``confidence``. It needs no
    correction for the number of classes (intersection-union test: Berger 1982): whichever class is the worst, the
    lowest bound is at most that class's own, which is above its accuracy with a probability of at most
    ``1 - confidence``. So all classes are above the bound simultaneously, with that confidence.

    Args:
        correct: (T, K) correct images by class.
        count: (K,) images by class; a class without images has a bound of 0.
        confidence: in (0, 1).
    """
    return clopper_pearson(np.asarray(correct), np.asarray(count), confidence).min(axis=-1)


def balanced(correct: np.ndarray, count: np.ndarray, confidence: float) -> np.ndarray:
    """Return one-sided lower bounds (T,) on the balanced accuracy, the mean of the accuracies of the K classes.

    The images of class k are ``n_k`` independent draws that are correct with an unknown probability ``p_k``. For the
    observed balanced accuracy ``s`` and any lambda > 0, Markov's inequality gives

        P(S >= s) <= exp(-lambda s) prod_k (1 + p_k (exp(lambda / (K n_k)) - 1)) ** n_k

    (Chernoff 1952). The bound is the lowest mean of any ``p`` for which the right side is not below
    ``1 - confidence`` for some lambda: all classes are taken together at their worst, so it holds simultaneously for
    every combination of class accuracies, also where a class has very few images. It depends on the images by ``s``
    alone and rises with it, so that the best of several lambdas may be taken.

    Args:
        correct: (T, K) correct images by class.
        count: (K,) images by class; a class without images counts as never correct.
        confidence: in (0, 1).
    """
    correct, count = np.atleast_2d(correct), np.asarray(count, np.float64)
    classes, seen = len(count), count > 0
    if not seen.any():
        return np.zeros(len(correct))
    count = count[seen]
    # Equal values of s give equal bounds, up to rounding: the mean is computed from integers in one order.
    observed, which = np.unique((correct[:, seen] / count).sum(axis=1) / classes, return_inverse=True)
    widest = np.sqrt((1 / (4 * count)).sum()) / classes  # the largest possible standard deviation of s
    steepest = classes * min(30 * count.max(), LARGEST * count.min())
    tilts = np.geomspace(min(1 / widest, steepest), steepest, TILTS)
    best = _lowest_means(observed, count, classes, tilts, np.log(1 - confidence)).max(axis=0)
    return np.asarray(np.maximum(best, 0.0)[which])


def _lowest_means(observed: np.ndarray, count: np.ndarray, classes: int, tilts: np.ndarray, level: float) -> np.ndarray:
    """Return the lowest means (L, S) of class accuracies that Chernoff's inequality allows at each lambda (L,).

    They minimise a linear function under one concave constraint: the optimal ``p_k`` is ``n_k nu - 1 / c_k`` in [0, 1],
    with ``c_k = exp(lambda / (K n_k)) - 1``, for a multiplier ``nu`` that bisection finds.
    """
    inverse = (1 / np.expm1(tilts[:, None] / (classes * count)))[:, None, :]
    needed = level + tilts[:, None] * observed

    def accuracies(multiplier: np.ndarray) -> np.ndarray:
        return np.asarray(np.clip(multiplier[:, :, None] * count - inverse, 0.0, 1.0))

    low, high = np.zeros(needed.shape), np.broadcast_to(((1 + inverse) / count).max(axis=2), needed.shape)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = (np.log1p(accuracies(middle) / inverse) @ count) >= needed
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.asarray(accuracies(low).sum(axis=2) / classes)


LOWER_BOUNDS = {"balanced": balanced, "worst_class": worst_class}


def lower_bound(kind: FloorOn, correct: np.ndarray, count: np.ndarray, confidence: float) -> np.ndarray:
    """Return one-sided lower bounds (T,) on an accuracy of the kind that a floor is on.

    Args:
        kind: the accuracy over all images, the balanced one, or that of the worst class.
        correct: (T, K) correct images by class.
        count: (K,) images by class.
        confidence: in (0, 1).
    """
    if kind == "accuracy":
        return clopper_pearson(np.asarray(correct).sum(axis=-1), int(np.sum(count)), confidence)
    return LOWER_BOUNDS[kind](correct, count, confidence)


def paired_difference(only_first: int, only_second: int, count: int, confidence: float = 0.95) -> Interval:
    """Return the two-sided interval of the difference between two accuracies on the same images.

    It is the exact interval of Fay and Lumbard (2021, Statistics in Medicine 40, 1147-1159): of ``count`` images,
    the number on which exactly one is correct is binomial, and so is, among these, the number on which the first is.
    The confidence distributions of both probabilities (Clopper-Pearson) are melded to that of the difference
    ``P(discordant) (2 P(first | discordant) - 1)``. It excludes 0 if and only if the exact McNemar test rejects at
    ``1 - confidence``, and has no width of zero. Coverage of at least the nominal one is the authors' conjecture,
    which they and our tests support by computing it.

    Args:
        only_first: images on which only the first classifier is correct.
        only_second: images on which only the second is.
        count: all images, at least 1.
        confidence: in (0, 1).

    Returns:
        The limits of first minus second, in [-1, 1].
    """
    tail = (1 - confidence) / 2
    return Interval(
        _lower_difference(only_first, only_second, count, tail),
        -_lower_difference(only_second, only_first, count, tail),
    )


def _lower_difference(first: int, second: int, count: int, tail: float) -> float:
    """Return the lower limit: the ``tail`` quantile of the difference's lower confidence distribution."""
    discordant = first + second
    if first == 0:  # the conditional probability may be 0: only the number of discordant images matters
        return -float(betaincinv(discordant + 1, count - discordant, 1 - tail)) if discordant < count else -1.0

    def excess(limit: float) -> float:
        return _melded(limit, first, second, count) - tail

    # Next to +-1 the distribution has its whole probability on one side.
    return float(brentq(excess, -1 + 1e-12, 1 - 1e-12, xtol=1e-12))


def _melded(limit: float, first: int, second: int, count: int) -> float:
    """Return the probability that the difference is at most ``limit``, by its lower confidence distribution.

    The probability of a discordant image has its lower distribution Beta(m, n - m + 1) where the difference is
    positive, and its upper one Beta(m + 1, n - m) where it is negative: both make the difference smaller.
    """
    discordant, shape = first + second, (float(first), second + 1.0)
    low, high = betaincinv(*shape, TAIL), betaincinv(*shape, 1 - TAIL)
    turn = (1 + limit) / 2
    if limit < 0:
        theta, weight = _quadrature(low, min(turn, high), shape)
        above = -limit / (1 - 2 * theta)
        beyond = (
            betaincc(discordant + 1, count - discordant, np.minimum(above, 1.0))
            if discordant < count
            else np.ones_like(theta)
        )
        return float(weight @ beyond)
    theta, weight = _quadrature(max(turn, low), high, shape)
    above = limit / np.maximum(2 * theta - 1, 1e-300)
    return 1 - float(weight @ betaincc(discordant, count - discordant + 1, np.minimum(above, 1.0)))


_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(NODES)


def _quadrature(low: float, high: float, shape: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes between two probabilities, and weights with the density of Beta(*shape); none if ``low >= high``."""
    if low >= high:
        return np.empty(0), np.empty(0)
    theta = low + (high - low) * (_POINTS + 1) / 2
    a, b = shape
    density = np.exp(xlogy(a - 1, theta) + xlog1py(b - 1, -theta) - betaln(a, b))
    return theta, _WEIGHTS * (high - low) / 2 * density
