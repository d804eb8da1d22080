"""What is known of each image after it was decoded once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class ImageFact(NamedTuple):
    """Facts of one image; see ``ImageFacts``."""

    width: int = 0
    height: int = 0
    mode: str = ""
    encoded: str = ""
    pixels: str = ""
    std: float = 0.0
    clipped: float = 0.0
    broken: str = ""
    peak: float = 0.0
    note: str = ""


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """Facts of N images, as columns.

    Args:
        width: (N,) int32 in pixels, before resizing; 0 where the image cannot be read.
        height: (N,) int32.
        mode: (N,) str, as stored: Pillow's mode such as ``"RGB"`` or ``"I;16"``, with the type for arrays.
        encoded: (N,) str, SHA-256 of the stored bytes, or of the array; ``""`` where they cannot be read.
        pixels: (N,) str, SHA-256 of the pixels that the networks see; ``""`` where the image cannot be read.
        std: (N,) float32, standard deviation of these pixels, 0 to 127.5.
        clipped: (N,) float32, fraction of their values that are 0 or 255.
        broken: (N,) str, why the image cannot be read, or ``""``.
        peak: (N,) float32, largest value of an image of more than 8 bits, as stored; 0 for other images, and for those
            whose file says what is white.
        note: (N,) str, what is lost in reading the image, such as ``"the first of several frames"``, or ``""``.
    """

    width: np.ndarray
    height: np.ndarray
    mode: np.ndarray
    encoded: np.ndarray
    pixels: np.ndarray
    std: np.ndarray
    clipped: np.ndarray
    broken: np.ndarray
    peak: np.ndarray
    note: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[ImageFact]) -> ImageFacts:
        """The facts of images as columns."""
        given = list(rows)
        columns = {
            name: np.array([getattr(row, name) for row in given], TYPES.get(name, object)) for name in ImageFact._fields
        }
        return cls(**columns)

    def at(self, rows: np.ndarray) -> ImageFacts:
        """The facts of the images at ``rows`` (M,)."""
        return ImageFacts(**{name: getattr(self, name)[rows] for name in ImageFact._fields})

    def __len__(self) -> int:
        return len(self.width)


TYPES = {"width": np.int32, "height": np.int32} | dict.fromkeys(("std", "clipped", "peak"), np.float32)
