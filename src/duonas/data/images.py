"""Labelled images, uint8 to save memory: in a tensor on the device, or in a file where that is too small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from duonas.data.ondisk import Pixels, read

PART = 256  # images read at a time


@dataclass(frozen=True)
class Images:
    """Images and their labels.

    Args:
        pixels: (N, 3, H, W) uint8, as the networks see them.
        labels: (N,) int64.
        working: (N, 3, W, W) uint8, the same images larger, to cut training images out of; ``None`` where none are.
    """

    pixels: Pixels
    labels: Tensor
    working: Pixels | None = None

    def __len__(self) -> int:
        return self.pixels.shape[0]

    def subset(self, indices: np.ndarray) -> Images:
        """Copies of the images at ``indices`` (M,), in that order; on disk nothing is copied."""
        working = None if self.working is None else take(self.working, indices)
        return Images(take(self.pixels, indices), select(self.labels, indices), working)

    def to(self, device: torch.device | str) -> Images:
        """The same images on ``device``; images on disk are moved to it as they are read."""
        working = None if self.working is None else self.working.to(device)
        return Images(self.pixels.to(device), self.labels.to(device), working)


def to_float(pixels: Tensor) -> Tensor:
    """(B, 3, H, W) uint8 to float32 in [0, 1], channels last."""
    return pixels.to(torch.float32, memory_format=torch.channels_last).div_(255)


def to_device(array: np.ndarray, device: torch.device) -> Tensor:
    """A tensor of ``array`` on ``device``, without waiting for the device."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def select(values: Tensor, rows: np.ndarray) -> Tensor:
    """Rows of a tensor, in the order of ``rows`` (M,)."""
    return values.index_select(0, to_device(rows, values.device))


def take(pixels: Pixels, rows: np.ndarray) -> Pixels:
    """Rows of images, in the order of ``rows`` (M,); images on disk are not read yet."""
    return select(pixels, rows) if isinstance(pixels, Tensor) else pixels[rows]


def compact(pixels: Pixels) -> Pixels:
    """The same images, in memory of their own where they are in a tensor that is larger; on disk they stay there."""
    if isinstance(pixels, Tensor) and pixels.untyped_storage().nbytes() > pixels.nbytes:
        return pixels.clone()
    return pixels


def parts(pixels: Pixels, size: int = PART) -> Iterator[Tensor]:
    """All images in order, in tensors of ``size`` images; of no images one empty tensor."""
    for start in range(0, max(len(pixels), 1), size):
        yield read(pixels[start : start + size])
