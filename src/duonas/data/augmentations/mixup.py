"""Mixup: two images blended, and their targets with them (Zhang et al., 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duonas.core.fields import NotNegative
from duonas.data.augmentation import Batch, Mixture
from duonas.data.mix import Mixing


class Mixup(Mixture):
    """Blends every image with another; the share of the first follows Beta(alpha, alpha) (section 2)."""

    order = 10

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[data]``."""

        mixup: NotNegative = 0.0
        """Alpha of mixup's Beta distribution; 0: off. With cutmix, each batch gets one of the two."""

    @property
    def active(self) -> bool:
        """Whether alpha is above 0."""
        return bool(self.options.mixup)

    def draw(self, batch: Batch, rng: np.random.Generator) -> Mixing:
        """Draw a share for the batch, and a partner for each image."""
        share = rng.beta(self.options.mixup, self.options.mixup)
        return Mixing(rng.permutation(batch.images), share)
