"""Two images in one: mixup (Zhang et al., 2018) and cutmix (Yun et al., 2019), with soft targets."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

Box = tuple[int, int, int, int]


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Labels (B,) to targets (B, K) float32. (PyTorch's own checks the labels' range and makes a GPU wait.)"""
    targets = torch.zeros(labels.shape[0], num_classes, device=labels.device)
    return targets.scatter_(1, labels[:, None], 1.0)


def mixup(images: Tensor, targets: Tensor, share: float, partner: Tensor) -> tuple[Tensor, Tensor]:
    """Blend each image with its partner's.

    Args:
        images: (B, 3, H, W) float.
        targets: (B, K) float.
        share: of the image itself in the blend, in [0, 1]; its partner has the rest.
        partner: (B,) index of each image's partner.
    """
    blended = images * share + images.index_select(0, partner) * (1 - share)
    return blended, targets * share + targets.index_select(0, partner) * (1 - share)


def cutmix(images: Tensor, targets: Tensor, box: Box, partner: Tensor) -> tuple[Tensor, Tensor]:
    """Paste a box of its partner into each image; targets are blended by area.

    Args:
        images: (B, 3, H, W) float.
        targets: (B, K) float.
        box: top, bottom, left, right in pixels, ends excluded.
        partner: (B,) index of each image's partner.
    """
    top, bottom, left, right = box
    pasted = images.clone(memory_format=torch.preserve_format)
    pasted[:, :, top:bottom, left:right] = images[:, :, top:bottom, left:right].index_select(0, partner)
    share = 1 - (bottom - top) * (right - left) / (images.shape[-2] * images.shape[-1])
    return pasted, targets * share + targets.index_select(0, partner) * (1 - share)


def random_box(height: int, width: int, area: float, rng: np.random.Generator) -> Box:
    """A box of about ``area`` (a fraction) around a random pixel, clipped to the image: top, bottom, left, right."""
    side = float(np.sqrt(area))
    tall, wide = int(height * side), int(width * side)
    top, left = int(rng.integers(height)) - tall // 2, int(rng.integers(width)) - wide // 2
    return max(top, 0), min(top + tall, height), max(left, 0), min(left + wide, width)
