"""What is known of each image after it was decoded once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """Facts of N images, as columns.

    Args:
        width: (N,) int32 in pixels, before resizing; 0 where the image cannot be read.
        height: (N,) int32.
        mode: (N,) str, as stored: Pillow's mode such as ``"RGB"`` or ``"I;16"``, with the type for arrays.
        encoded: (N,) str, SHA-256 of the stored bytes, or of the array.
        pixels: (N,) str, SHA-256 of the pixels that the networks see.
        std: (N,) float32, standard deviation of these pixels, 0 to 127.5.
        clipped: (N,) float32, fraction of their values that are 0 or 255.
        broken: (N,) str, why the image cannot be read, or ``""``.
    """

    width: np.ndarray
    height: np.ndarray
    mode: np.ndarray
    encoded: np.ndarray
    pixels: np.ndarray
    std: np.ndarray
    clipped: np.ndarray
    broken: np.ndarray

    def __len__(self) -> int:
        return len(self.width)
