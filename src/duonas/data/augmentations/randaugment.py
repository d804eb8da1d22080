"""RandAugment: random operations of one magnitude on each image (Cubuk et al., 2020, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from torch import Tensor

from duonas.core.fields import CountOrZero
from duonas.data.augmentation import Batch, Variation


class RandAugment(Variation):
    """Applies random operations of ``duonas.data.operations`` to each image."""

    order = 40

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[data]``."""

        randaugment: CountOrZero = 0
        """Number of RandAugment operations on each image; 0: off."""
        magnitude: Annotated[float, Ge(0), Le(30)] = 9.0
        """Magnitude of the RandAugment operations."""

    @property
    def active(self) -> bool:
        """Whether there are operations to apply."""
        return bool(self.options.randaugment)

    def draw(self, batch: Batch, rng: np.random.Generator) -> np.ndarray:
        """Draw indices of N operations and their directions, (2, N, B)."""
        from duonas.data.operations import draw  # here, because importing torchvision takes seconds

        return draw(self.options.randaugment, batch.images, rng)

    def vary(self, pixels: Tensor, drawn: np.ndarray) -> Tensor:
        """Apply the operations to images (M, 3, H, W)."""
        from duonas.data.operations import randaugment

        return randaugment(pixels, drawn, self.options.magnitude)
