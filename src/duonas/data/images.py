"""Labelled images in memory, as whole tensors: uint8, so that even a large set fits on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

RESIZE_CHUNK = 4096  # images resized at a time, so that their float copies stay small


@dataclass(frozen=True)
class Images:
    """Images and their labels.

    Args:
        pixels: (N, 3, H, W) uint8.
        labels: (N,) int64.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return self.pixels.shape[0]

    def subset(self, indices: np.ndarray | Tensor) -> Images:
        """Copies of the images at ``indices`` (M,), in that order."""
        chosen = torch.as_tensor(indices, dtype=torch.int64, device=self.pixels.device)
        return Images(self.pixels[chosen], self.labels[chosen])

    def to(self, device: torch.device | str) -> Images:
        """The same images on ``device``."""
        return Images(self.pixels.to(device), self.labels.to(device))

    def resized(self, size: int) -> Images:
        """The same images with sides of ``size`` pixels, by antialiased bilinear interpolation."""
        if self.pixels.shape[-2:] == (size, size):
            return self
        return Images(
            torch.cat([_resize(chunk, size) for chunk in torch.split(self.pixels, RESIZE_CHUNK)]), self.labels
        )


@dataclass(frozen=True)
class Source:
    """What the reader of a data set gives, before it is split.

    Args:
        images: all images, or those that are not test where the data set has a test split of its own.
        test: the data set's own test split, if it has one.
        class_names: the name of each label.
    """

    images: Images
    test: Images | None
    class_names: tuple[str, ...]


def to_float(pixels: Tensor) -> Tensor:
    """(B, 3, H, W) uint8 to float32 in [0, 1], channels last."""
    return pixels.to(torch.float32, memory_format=torch.channels_last).div_(255)


def to_device(array: np.ndarray, device: torch.device) -> Tensor:
    """A tensor of ``array`` on ``device``, without waiting for the device."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def _resize(pixels: Tensor, size: int) -> Tensor:
    resized = F.interpolate(pixels.float(), (size, size), mode="bilinear", antialias=True)
    return resized.round_().clamp_(0, 255).to(torch.uint8)
