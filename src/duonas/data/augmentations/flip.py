"""Random horizontal flips, with a probability of one half."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from duonas.data.augmentation import Batch, Variation
from duonas.data.images import to_device


class Flip(Variation):
    """Flips each image horizontally with a probability of one half."""

    order = 30

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[data]``."""

        flip: bool = False
        """Whether to flip images horizontally with a probability of one half."""

    @property
    def active(self) -> bool:
        """Whether flips are on."""
        return bool(self.options.flip)

    def draw(self, batch: Batch, rng: np.random.Generator) -> np.ndarray:
        """Draw which images are flipped, (B,) bool."""
        return rng.random(batch.images) < 0.5

    def vary(self, pixels: Tensor, drawn: np.ndarray) -> Tensor:
        """Flip some of the images (M, 3, H, W)."""
        return mirror(pixels, drawn)


def mirror(pixels: Tensor, mirrored: np.ndarray) -> Tensor:
    """Flip the images of (B, 3, H, W) horizontally where ``mirrored`` (B,) is true."""
    chosen = to_device(mirrored, pixels.device)[:, None, None, None]
    return torch.where(chosen, pixels.flip(3), pixels)
