"""Accuracy where classes are of unequal size: balanced, of the worst class, and of the majority class as baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binomtest

from duonas.core.recall import recalls
from duonas.measure.accuracy import Outputs
from duonas.pair.facts import ROLES

ALL = (*ROLES, "routed")
SIGNIFICANT = 0.05  # p-value from which on a pair is called no better than the majority class


def balance(outputs: Outputs, class_names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return the balanced accuracy and the class of the lowest recall of little, big and the routed pair, by role.

    Args:
        outputs: predictions of the pair.
        class_names: (K,), or empty.
    """
    return {role: by_class(getattr(outputs, f"{role}_right"), outputs, class_names) for role in ALL}


def by_class(right: np.ndarray, outputs: Outputs, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Return the balanced accuracy and the class of the lowest recall of answers that are ``right`` (N,) bool."""
    recall = recalls(right, outputs.labels, outputs.little_logits.shape[1])
    worst = int(np.nanargmin(recall))
    return {
        "balanced_accuracy": float(np.nanmean(recall)),
        "worst_class": {
            "class": name_of(worst, class_names),
            "images": int((outputs.labels == worst).sum()),
            "accuracy": float(recall[worst]),
        },
    }


def majority(outputs: Outputs, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Compare the routed pair with always answering the most frequent class of the test split.

    ``p_value`` is that of the exact sign test on the images that only one of the two answers correctly: how probable at
    least as many wins of the pair are if it is no better. ``better`` says whether it is below 5 %.

    Args:
        outputs: predictions of the pair.
        class_names: (K,), or empty.

    Returns:
        ``class``, its ``accuracy`` and ``balanced_accuracy`` as a constant answer, ``p_value`` and ``better``; also the
        number of ``images``, and the ``imbalance``: the size of the largest class divided by that of the smallest.
    """
    counts = np.bincount(outputs.labels)
    most = int(counts.argmax())
    constant = outputs.labels == most
    wins, losses = int((outputs.routed_right & ~constant).sum()), int((~outputs.routed_right & constant).sum())
    p_value = float(binomtest(wins, wins + losses, alternative="greater").pvalue) if wins + losses else 1.0
    return {
        "class": name_of(most, class_names),
        "accuracy": float(constant.mean()),
        "balanced_accuracy": 1 / int((counts > 0).sum()),
        "p_value": p_value,
        "better": p_value < SIGNIFICANT,
        "images": len(outputs.labels),
        "imbalance": float(counts.max() / counts[counts > 0].min()),
    }


def name_of(number: int, class_names: tuple[str, ...]) -> str:
    """Return the name of a class, or its number where there are no names."""
    return class_names[number] if class_names else str(number)
