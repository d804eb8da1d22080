"""Accuracy of a routed pair and quality of its router (paper D, sections 4.3 and 5.6)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import log_softmax

from duonas.routing.calibration import ece, reliability, softmax
from duonas.routing.metrics import chord, oracle_accuracy, oracle_share


@dataclass(frozen=True)
class Outputs:
    """The predictions of both networks for N test images, and how the images are routed.

    Args:
        little_logits: (N, K) float32.
        big_logits: (N, K) float32.
        score: (N,) float32, higher = keep little.
        is_little: (N,) bool, whether the image stays little.
        labels: (N,) int64.
    """

    little_logits: np.ndarray
    big_logits: np.ndarray
    score: np.ndarray
    is_little: np.ndarray
    labels: np.ndarray

    @cached_property
    def little_right(self) -> np.ndarray:
        """Whether little is correct, (N,) bool."""
        return np.asarray(self.little_logits.argmax(1) == self.labels)

    @cached_property
    def big_right(self) -> np.ndarray:
        """Whether big is correct, (N,) bool."""
        return np.asarray(self.big_logits.argmax(1) == self.labels)

    @cached_property
    def routed_right(self) -> np.ndarray:
        """Whether the routed pair is correct, (N,) bool."""
        return np.where(self.is_little, self.little_right, self.big_right)

    @property
    def routed_logits(self) -> np.ndarray:
        """Logits (N, K) of the routed pair."""
        return np.where(self.is_little[:, None], self.little_logits, self.big_logits)

    @property
    def little_share(self) -> float:
        """Fraction of the images that stays little."""
        return float(self.is_little.mean())


def accuracies(outputs: Outputs) -> dict[str, float]:
    """Return accuracies in [0, 1] of little, big, routed, random routing at the same little share, and the oracle."""
    little, big = float(outputs.little_right.mean()), float(outputs.big_right.mean())
    return {
        "little": little,
        "big": big,
        "routed": float(outputs.routed_right.mean()),
        "random": float(chord(little, big, outputs.little_share)),
        "oracle": oracle_accuracy(outputs.little_right, outputs.big_right),
    }


def routing(outputs: Outputs) -> dict[str, Any]:
    """Return how well the router decides in both directions, and its gap to the oracle (paper D, section 4.3).

    ``little_right_when_kept``: little's accuracy on the images that stay little; ``big_needed_when_sent``: the fraction
    of images at big on which only big is correct; ``sent_when_big_needed``: the fraction of the latter that goes to
    big. Each is ``None`` if there is no such image.
    """
    kept, sent = outputs.is_little, ~outputs.is_little
    needed = ~outputs.little_right & outputs.big_right
    return {
        "little_right_when_kept": _mean(outputs.little_right[kept]),
        "big_needed_when_sent": _mean(needed[sent]),
        "sent_when_big_needed": _mean(sent[needed]),
        "oracle_gap": oracle_accuracy(outputs.little_right, outputs.big_right) - float(outputs.routed_right.mean()),
        "oracle_little_share": oracle_share(outputs.little_right, outputs.big_right),
    }


def calibration(logits: np.ndarray, labels: np.ndarray, temperature: float) -> dict[str, Any]:
    """Return the calibration of logits (N, K) with labels (N,), before and after temperature scaling."""
    before, after = softmax(logits), softmax(logits, temperature)
    return {
        "temperature": temperature,
        "ece_before_temperature": ece(before, labels),
        "ece": ece(after, labels),
        "reliability_before_temperature": [asdict(row) for row in reliability(before, labels)],
        "reliability": [asdict(row) for row in reliability(after, labels)],
    }


def per_class(outputs: Outputs, class_names: tuple[str, ...], temperature: float) -> list[dict[str, Any]]:
    """Return number of images, little share and accuracies by class (paper D, table 10).

    ``ece`` is little's over the images that it predicts as this class (Gupta and Ramdas 2022); it is biased upwards for
    few images.

    Args:
        outputs: predictions of the pair.
        class_names: (K,), or empty.
        temperature: little's temperature.
    """
    before, after = softmax(outputs.little_logits), softmax(outputs.little_logits, temperature)
    predicted = outputs.little_logits.argmax(1)
    rows = []
    for number in range(outputs.little_logits.shape[1]):
        mine, called = outputs.labels == number, predicted == number
        rows.append(
            {
                "class": class_names[number] if class_names else str(number),
                "images": int(mine.sum()),
                "little_share": _mean(outputs.is_little[mine]),
                "little": _mean(outputs.little_right[mine]),
                "big": _mean(outputs.big_right[mine]),
                "routed": _mean(outputs.routed_right[mine]),
                "called": int(called.sum()),
                "ece_before_temperature": _ece(before[called], outputs.labels[called]),
                "ece": _ece(after[called], outputs.labels[called]),
            }
        )
    return rows


def outcomes(outputs: Outputs) -> list[dict[str, Any]]:
    """Return count and little share of the images on which both, one or neither of the networks are correct."""
    little, big = outputs.little_right, outputs.big_right
    kinds = {
        "both": little & big,
        "only_big": ~little & big,
        "only_little": little & ~big,
        "neither": ~little & ~big,
    }
    return [
        {"right": kind, "images": int(mask.sum()), "little_share": _mean(outputs.is_little[mask])}
        for kind, mask in kinds.items()
    ]


def difficulty_parts(outputs: Outputs, bins: int = 10) -> list[np.ndarray]:
    """Return image indices in bins of equal size from easy to hard images; none is empty.

    The difficulty of an image is big's cross-entropy loss, in nats.
    """
    order = np.argsort(_big_loss(outputs), kind="stable")
    return np.array_split(order, min(bins, len(order)))


def by_difficulty(outputs: Outputs, bins: int = 10) -> list[dict[str, Any]]:
    """Return little share and accuracies in bins of equal size from easy to hard images (paper D, figure 3).

    Args:
        outputs: predictions of the pair.
        bins: maximum number of bins, see ``difficulty_parts``.
    """
    loss, rows = _big_loss(outputs), []
    for mine in difficulty_parts(outputs, bins):
        right = {role: float(getattr(outputs, f"{role}_right")[mine].mean()) for role in ("little", "big", "routed")}
        span = {"lowest_loss": float(loss[mine].min()), "highest_loss": float(loss[mine].max())}
        rows.append(span | {"images": len(mine), "little_share": float(outputs.is_little[mine].mean())} | right)
    return rows


def _big_loss(outputs: Outputs) -> np.ndarray:
    """Return big's cross-entropy loss (N,) in nats."""
    logs = log_softmax(np.asarray(outputs.big_logits, np.float64), axis=1)
    return np.asarray(-logs[np.arange(len(outputs.labels)), outputs.labels])


def _ece(probabilities: np.ndarray, labels: np.ndarray) -> float | None:
    return ece(probabilities, labels) if len(labels) else None


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
