"""Classes of unequal size: weights of their images in a loss, and an order in which all of them come equally often."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def balanced_weights(labels: Tensor, num_classes: int) -> Tensor:
    """Return the weight (K,) float32 of an image of each class, by which all classes count equally.

    The weight is inverse to the number of images of the class, and 1 on average over the images. A class without images
    has weight 0.

    Args:
        labels: (N,) int64.
        num_classes: number K of classes.
    """
    counts = torch.bincount(labels.cpu(), minlength=num_classes).double()
    present = counts > 0
    weights = torch.where(present, len(labels) / (present.sum() * counts.clamp(min=1)), 0.0)
    return weights.float()


def image_weights(targets: Tensor, class_weights: Tensor) -> Tensor:
    """Return the weight (B,) of each image: that of its class, or the mean of its classes under mixup and cutmix.

    Args:
        targets: labels (B,) int64, or class probabilities (B, K).
        class_weights: (K,).
    """
    return class_weights[targets] if targets.ndim == 1 else targets @ class_weights


def balanced_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw N of N images in random order, the same number of every class, give or take one.

    No image is drawn twice before all other images of its class are drawn.

    Args:
        labels: (N,) int64.
        rng: random generator.

    Returns:
        Indices (N,) of the images.
    """
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    least, more = divmod(len(labels), len(members))
    wanted = np.full(len(members), least)
    wanted[rng.permutation(len(members))[:more]] += 1
    drawn = [_drawn(images, int(count), rng) for images, count in zip(members, wanted, strict=True)]
    return rng.permutation(np.concatenate(drawn))


def _drawn(images: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    rounds = [rng.permutation(images) for _ in range(-(-count // len(images)))]
    return np.concatenate(rounds)[:count]
