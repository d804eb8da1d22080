"""What a routed pair gets right, and whether its router knows (paper D, sections 4.3 and 5.6)."""

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
    """Both towers' answers to N test images, whoever was asked.

    Args:
        little_logits: (N, K) float32.
        big_logits: (N, K) float32.
        score: (N,) float32, higher = keep little.
        is_little: (N,) bool.
        labels: (N,) int64.
    """

    little_logits: np.ndarray
    big_logits: np.ndarray
    score: np.ndarray
    is_little: np.ndarray
    labels: np.ndarray

    @cached_property
    def little_right(self) -> np.ndarray:
        """(N,) bool."""
        return np.asarray(self.little_logits.argmax(1) == self.labels)

    @cached_property
    def big_right(self) -> np.ndarray:
        """(N,) bool."""
        return np.asarray(self.big_logits.argmax(1) == self.labels)

    @cached_property
    def routed_right(self) -> np.ndarray:
        """(N,) bool."""
        return np.where(self.is_little, self.little_right, self.big_right)

    @property
    def routed_logits(self) -> np.ndarray:
        """(N, K): what the bundle answers."""
        return np.where(self.is_little[:, None], self.little_logits, self.big_logits)

    @property
    def little_share(self) -> float:
        """Fraction of the images that stays little."""
        return float(self.is_little.mean())


def accuracies(outputs: Outputs) -> dict[str, float]:
    """Fractions right, in [0, 1]: of little, big, routed, random routing at the same little share, the oracle."""
    little, big = float(outputs.little_right.mean()), float(outputs.big_right.mean())
    return {
        "little": little,
        "big": big,
        "routed": float(outputs.routed_right.mean()),
        "random": float(chord(little, big, outputs.little_share)),
        "oracle": oracle_accuracy(outputs.little_right, outputs.big_right),
    }


def routing(outputs: Outputs) -> dict[str, Any]:
    """Whether the router decides well, in both directions, and how far it stays behind the oracle (paper D, 4.3).

    Of the images that stay little, the fraction that little has right; of those sent to big, the fraction that needed
    it (little is wrong and big right); of those that need big, the fraction sent there. Figures over no image at all
    are ``None``.
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
    """Whether a network's probabilities can be believed, as trained and after its temperature.

    Args:
        logits: (N, K).
        labels: (N,).
        temperature: what they are divided by.
    """
    before, after = softmax(logits), softmax(logits, temperature)
    return {
        "temperature": temperature,
        "ece_before_temperature": ece(before, labels),
        "ece": ece(after, labels),
        "reliability_before_temperature": [asdict(row) for row in reliability(before, labels)],
        "reliability": [asdict(row) for row in reliability(after, labels)],
    }


def per_class(outputs: Outputs, class_names: tuple[str, ...], temperature: float) -> list[dict[str, Any]]:
    """For each class how many images there are, how many stay little, and who is right (paper D, table 10).

    ``ece`` is that of little over the images which it takes for this class (Gupta and Ramdas 2022): when little says
    "cat", is it as sure as it is right? Of few images it comes out too high.

    Args:
        outputs: of the pair.
        class_names: (K,), or empty.
        temperature: of little.
    """
    before, after = softmax(outputs.little_logits), softmax(outputs.little_logits, temperature)
    said = outputs.little_logits.argmax(1)
    rows = []
    for number in range(outputs.little_logits.shape[1]):
        mine, called = outputs.labels == number, said == number
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
    """The four kinds of images by who is right: how many there are and how many of them stay little."""
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


def by_difficulty(outputs: Outputs, bins: int = 10) -> list[dict[str, Any]]:
    """Images in bins of equal size from easy to hard, and how many stay little in each (paper D, figure 3).

    An image is as hard as big finds it: by the loss of big's answer, in nats.

    Args:
        outputs: of the pair.
        bins: at most so many; no bin is empty.
    """
    loss = -log_softmax(np.asarray(outputs.big_logits, np.float64), axis=1)[
        np.arange(len(outputs.labels)), outputs.labels
    ]
    rows = []
    for mine in np.array_split(np.argsort(loss, kind="stable"), min(bins, len(loss))):
        right = {role: float(getattr(outputs, f"{role}_right")[mine].mean()) for role in ("little", "big", "routed")}
        span = {"lowest_loss": float(loss[mine].min()), "highest_loss": float(loss[mine].max())}
        rows.append(span | {"images": len(mine), "little_share": float(outputs.is_little[mine].mean())} | right)
    return rows


def _ece(probabilities: np.ndarray, labels: np.ndarray) -> float | None:
    return ece(probabilities, labels) if len(labels) else None


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
