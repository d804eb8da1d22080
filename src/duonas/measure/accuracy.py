"""What a routed pair gets right, and whether its router knows (paper D, sections 4.3 and 5.6)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from duonas.routing.calibration import auroc, ece, reliability, softmax
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

    @property
    def little_right(self) -> np.ndarray:
        """(N,) bool."""
        return self.little_logits.argmax(1) == self.labels

    @property
    def big_right(self) -> np.ndarray:
        """(N,) bool."""
        return self.big_logits.argmax(1) == self.labels

    @property
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
    """Whether the router decides well, in both directions, and how far it stays behind the oracle.

    Figures over no image at all are ``None``.
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


def calibration(outputs: Outputs, temperature: float) -> dict[str, Any]:
    """Whether little's probabilities can be believed: ``ece`` and ``auroc``, and what stands behind them.

    Args:
        outputs: of the pair.
        temperature: what the router divides little's logits by.
    """
    before, after = (softmax(outputs.little_logits, t) for t in (1.0, temperature))
    return {
        "ece": ece(after, outputs.labels),
        "ece_before_temperature": ece(before, outputs.labels),
        "auroc": auroc(outputs.score, outputs.little_right),
        "reliability": [asdict(row) for row in reliability(after, outputs.labels)],
    }


def per_class(outputs: Outputs, class_names: tuple[str, ...]) -> list[dict[str, Any]]:
    """For each class how many images there are, how many stay little, and who is right (paper D, table 10)."""
    rows = []
    for number in range(outputs.little_logits.shape[1]):
        mine = outputs.labels == number
        rows.append(
            {
                "class": class_names[number] if class_names else str(number),
                "images": int(mine.sum()),
                "little_share": _mean(outputs.is_little[mine]),
                "little": _mean(outputs.little_right[mine]),
                "big": _mean(outputs.big_right[mine]),
                "routed": _mean(outputs.routed_right[mine]),
            }
        )
    return rows


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
