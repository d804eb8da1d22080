"""Two images in one: mixup (Zhang et al., 2018) and cutmix (Yun et al., 2019), with soft targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Mixing:
    """The random choices of mixup or cutmix for a batch of B images.

    Args:
        partner: (B,) index of the image that each image is mixed with.
        share: weight of the image itself in its target, in [0, 1]; its partner has the rest.
        box: the part of the partner that cutmix pastes in; ``None`` for mixup, which blends whole images.
    """

    partner: np.ndarray
    share: float
    box: Box | None = None

    def images(self, images: Tensor, partners: Tensor) -> Tensor:
        """Mix images (M, 3, H, W) float with their partners, in the same order."""
        return blend(images, partners, self.share) if self.box is None else paste(images, partners, self.box)

    def targets(self, targets: Tensor, partners: Tensor) -> Tensor:
        """Mix targets (M, K) float with those of the partners."""
        return blend(targets, partners, self.share)


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Labels (B,) to targets (B, K) float32. (PyTorch's own checks the labels' range and makes a GPU wait.)"""
    targets = torch.zeros(labels.shape[0], num_classes, device=labels.device)
    return targets.scatter_(1, labels[:, None], 1.0)


def blend(values: Tensor, partners: Tensor, share: float) -> Tensor:
    """The weighted mean of values and partners; ``share`` is the weight of the values."""
    return values * share + partners * (1 - share)


def paste(images: Tensor, partners: Tensor, box: Box) -> Tensor:
    """Images (M, 3, H, W) with a box of their partners pasted in: top, bottom, left, right in pixels, ends excluded."""
    top, bottom, left, right = box
    pasted = images.clone(memory_format=torch.preserve_format)
    pasted[:, :, top:bottom, left:right] = partners[:, :, top:bottom, left:right]
    return pasted


def random_box(height: int, width: int, area: float, rng: np.random.Generator) -> Box:
    """A box of about ``area`` (a fraction) around a random pixel, clipped to the image: top, bottom, left, right."""
    side = float(np.sqrt(area))
    tall, wide = int(height * side), int(width * side)
    top, left = int(rng.integers(height)) - tall // 2, int(rng.integers(width)) - wide // 2
    return max(top, 0), min(top + tall, height), max(left, 0), min(left + wide, width)
