"""Whether the true class is among the five most probable ones (paper D, section 4.3)."""

from __future__ import annotations

import numpy as np

from duonas.measure.accuracy import Outputs

FROM = 11  # classes: of ten, five are half of them
FIVE = 5


def top5_accuracy(logits: np.ndarray, labels: np.ndarray) -> float | None:
    """Return the fraction of images with the true class among the five highest logits; ``None`` for few classes.

    Of equal logits those of lower classes come first, as ``argmax`` has it.

    Args:
        logits: (N, K).
        labels: (N,) int64.
    """
    classes = logits.shape[1]
    if classes < FROM:
        return None
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    before = (logits > own) | ((logits == own) & (np.arange(classes) < labels[:, None]))
    return float((before.sum(1) < FIVE).mean())


def top5(outputs: Outputs) -> dict[str, float]:
    """Return the top-5 accuracy of little, big and the routed pair by role; empty for few classes."""
    logits = {"little": outputs.little_logits, "big": outputs.big_logits, "routed": outputs.routed_logits}
    found = {role: top5_accuracy(each, outputs.labels) for role, each in logits.items()}
    return {role: each for role, each in found.items() if each is not None}
