"""An augmentation of your own: a square of every image is erased (Zhong et al. 2020, Random Erasing).

duonas run digits --set data.augmentations='["examples/own_augmentation.py:Erase"]' --set data.erase=3 --out runs/e
"""

from dataclasses import dataclass

import torch

from duonas.data.augmentation import Variation


class Erase(Variation):
    """Blackens a square at a random place."""

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[data]``: each is followed by its help."""

        erase: int = 0
        """Side in pixels of the square that is erased; 0: off."""

    @property
    def active(self):
        """Whether there is a square."""
        return self.options.erase > 0

    def draw(self, batch, rng):
        """What is random, for the whole batch: the row and column (2, B) where each square begins."""
        return rng.integers(0, [[batch.height], [batch.width]], (2, batch.images))

    def vary(self, pixels, drawn):
        """Images (M, 3, H, W) uint8 without the squares that were drawn for them, (2, M)."""
        top, left = torch.from_numpy(drawn).to(pixels.device)[:, :, None]
        rows, columns = (torch.arange(side, device=pixels.device) for side in pixels.shape[2:])
        tall = (rows >= top) & (rows < top + self.options.erase)
        wide = (columns >= left) & (columns < left + self.options.erase)
        return pixels.masked_fill((tall[:, :, None] & wide[:, None, :])[:, None], 0)
