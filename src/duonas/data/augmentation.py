"""The base classes of augmentations, which vary training images a batch at a time.

Random numbers are drawn on the host from a generator argument, always for the whole batch, so that the result for an
image does not depend on the process that computes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from duonas.core.registry import Part
from duonas.data.mix import Mixing


@dataclass(frozen=True)
class Batch:
    """The size of a batch: B images of H x W pixels."""

    images: int
    height: int
    width: int


class Augmentation(Part, ABC):
    """Varies training images if its keys in ``[data]`` switch it on.

    Args:
        options: the keys of this augmentation in ``[data]``, an ``Options`` of this class.
    """

    order: ClassVar[int] = 100  # augmentations are applied in ascending order

    def __init__(self, options: Any) -> None:
        self.options = options

    @property
    @abstractmethod
    def active(self) -> bool:
        """Whether the options switch it on."""


class Variation(Augmentation):
    """Varies each image separately."""

    @abstractmethod
    def draw(self, batch: Batch, rng: np.random.Generator) -> np.ndarray:
        """Draw the random numbers (..., B) for a batch."""

    @abstractmethod
    def vary(self, pixels: Tensor, drawn: np.ndarray) -> Tensor:
        """Vary M images of the batch.

        Args:
            pixels: (M, 3, H, W) uint8; not modified.
            drawn: random numbers (..., M) for these images.

        Returns:
            (M, 3, H, W) uint8.
        """


class Crop(Augmentation):
    """Cuts each image out of a larger one, its working image, before anything else; only one crop may be on.

    While a crop is on, training images are kept in the working size, which ``[data] working_size`` sets, so that a part
    of an image need not be enlarged from the few pixels that the networks see.
    """

    @abstractmethod
    def draw(self, batch: Batch, rng: np.random.Generator) -> np.ndarray:
        """Draw the random numbers (..., B) for a batch of working images."""

    @abstractmethod
    def cut(self, pixels: Tensor, drawn: np.ndarray, size: tuple[int, int]) -> Tensor:
        """Cut M images of the batch.

        Args:
            pixels: working images (M, 3, H, W) uint8; not modified.
            drawn: random numbers (..., M) for these images.
            size: height and width of the result in pixels.

        Returns:
            (M, 3, *size) uint8.
        """


class Mixture(Augmentation):
    """Mixes each image and target with another of the batch; if several are on, each batch gets a random one."""

    @abstractmethod
    def draw(self, batch: Batch, rng: np.random.Generator) -> Mixing:
        """Draw which images are mixed, and how."""
