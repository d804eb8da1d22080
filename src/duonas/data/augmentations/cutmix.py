"""CutMix: a box of one image pasted into another, and the targets mixed by its area (Yun et al., 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duonas.core.fields import NotNegative
from duonas.data.augmentation import Batch, Mixture
from duonas.data.mix import Mixing, random_box


class CutMix(Mixture):
    """Pastes a box of another image into each image; its area before clipping follows Beta(alpha, alpha)."""

    order = 20

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[data]``."""

        cutmix: NotNegative = 0.0
        """Alpha of CutMix' Beta distribution; 0: off. With mixup, each batch gets one of the two."""

    @property
    def active(self) -> bool:
        """Whether alpha is above 0."""
        return bool(self.options.cutmix)

    def draw(self, batch: Batch, rng: np.random.Generator) -> Mixing:
        """Draw a box for the batch, and a partner for each image."""
        height, width = batch.height, batch.width
        area = 1 - rng.beta(self.options.cutmix, self.options.cutmix)
        partner = rng.permutation(batch.images)
        top, bottom, left, right = box = random_box(height, width, area, rng)
        return Mixing(partner, 1 - (bottom - top) * (right - left) / (height * width), box)
