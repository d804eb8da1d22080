"""Random crops of the original size from images padded with black (He et al., 2016, section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from duonas.core.fields import CountOrZero
from duonas.data.augmentation import Batch, Variation
from duonas.data.images import to_device


class RandomCrop(Variation):
    """Shifts each image by a random number of pixels."""

    order = 20

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[data]``."""

        crop_padding: CountOrZero = 0
        """Padding of random crops in pixels, the largest random shift; 0: off."""

    @property
    def active(self) -> bool:
        """Whether the padding is above 0."""
        return bool(self.options.crop_padding)

    def draw(self, batch: Batch, rng: np.random.Generator) -> np.ndarray:
        """Draw the first row and column of each window in the padded image, (2, B)."""
        return rng.integers(0, 2 * self.options.crop_padding + 1, (2, batch.images))

    def vary(self, pixels: Tensor, drawn: np.ndarray) -> Tensor:
        """Crop images (M, 3, H, W)."""
        return crop(pixels, self.options.crop_padding, *drawn)


def crop(pixels: Tensor, padding: int, top: np.ndarray, left: np.ndarray) -> Tensor:
    """Crop each image of (B, 3, H, W), padded with black, to a window of the original size.

    Args:
        pixels: images of any type.
        padding: pixels added on each side.
        top: (B,) first row of each window in the padded image, 0 to 2 * padding.
        left: (B,) first column of each window, 0 to 2 * padding.
    """
    height, width = pixels.shape[-2:]
    padded = F.pad(pixels, (padding,) * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: (B, 3, 2p+1, 2p+1, H, W)
    image, top_index, left_index = to_device(np.stack([np.arange(len(top)), top, left]), pixels.device)
    return windows[image, :, top_index, left_index]
