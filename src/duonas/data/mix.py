"""Two images in one: mixup (Zhang et al., 2018) and cutmix (Yun et al., 2019), with soft targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Mixing:
    """What was drawn for a batch of B images.

    Args:
        partner: (B,) number of the image that each is mixed with.
        share: of the image itself in its target, in [0, 1]; its partner has the rest.
        box: what cutmix takes from the partner; ``None`` for mixup, which blends the whole images.
    """

    partner: np.ndarray
    share: float
    box: Box | None = None

    @classmethod
    def mixup(cls, batch: int, alpha: float, rng: np.random.Generator) -> Mixing:
        """Draw for mixup: the share follows Beta(alpha, alpha)."""
        share = rng.beta(alpha, alpha)
        return cls(rng.permutation(batch), share)

    @classmethod
    def cutmix(cls, batch: int, alpha: float, height: int, width: int, rng: np.random.Generator) -> Mixing:
        """Draw for cutmix of images (B, 3, H, W): the box's area follows Beta(alpha, alpha), less what is clipped."""
        area = 1 - rng.beta(alpha, alpha)
        partner = rng.permutation(batch)
        top, bottom, left, right = box = random_box(height, width, area, rng)
        return cls(partner, 1 - (bottom - top) * (right - left) / (height * width), box)

    def images(self, images: Tensor, partners: Tensor) -> Tensor:
        """Images (M, 3, H, W) float with their partners in the same order."""
        return blend(images, partners, self.share) if self.box is None else paste(images, partners, self.box)

    def targets(self, targets: Tensor, partners: Tensor) -> Tensor:
        """Targets (M, K) float with those of the partners."""
        return blend(targets, partners, self.share)


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Labels (B,) to targets (B, K) float32. (PyTorch's own checks the labels' range and makes a GPU wait.)"""
    targets = torch.zeros(labels.shape[0], num_classes, device=labels.device)
    return targets.scatter_(1, labels[:, None], 1.0)


def blend(values: Tensor, partners: Tensor, share: float) -> Tensor:
    """``share`` of the one and the rest of the other."""
    return values * share + partners * (1 - share)


def paste(images: Tensor, partners: Tensor, box: Box) -> Tensor:
    """Images (M, 3, H, W) with a box (top, bottom, left, right in pixels, ends excluded) of their partners in them."""
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
