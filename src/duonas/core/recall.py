"""The recall of each class, whose mean over the classes that have images is the balanced accuracy."""

from __future__ import annotations

import numpy as np


def recalls(right: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the recall (K,) of each class: the fraction of its images that are right; NaN for a class without images.

    Args:
        right: (N,) bool.
        labels: (N,) int64.
        classes: number K of classes.
    """
    images = np.bincount(labels, minlength=classes)
    found = np.bincount(labels, weights=right, minlength=classes)
    recall: np.ndarray = np.divide(found, images, out=np.full(classes, np.nan), where=images > 0)
    return recall
