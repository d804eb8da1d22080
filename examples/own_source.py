"""A data source of your own: stripes of three directions, drawn as they are needed.

duonas run quickstart --set data.name="examples/own_source.py:Stripes" --set data.images=300 --out runs/own-source
"""

from dataclasses import dataclass

import numpy as np
import torch

from duonas.data.images import Images
from duonas.data.options import DataOptions
from duonas.data.source import DataSet, Source

SIDE, DIRECTIONS = 8, ("across", "down", "slanted")


class Stripes(Source):
    """Grey stripes of 8 x 8 pixels in noise."""

    @dataclass(frozen=True)
    class Options(DataOptions):
        """Keys of ``[data]``: each is followed by its help."""

        images: int = 300
        """How many images there are."""

    def read(self, progress=lambda done, total: None):
        """Pixels (N, 3, H, W) uint8 and labels (N,); without a test split, so that one is made."""
        rng = np.random.default_rng(0)
        labels = np.arange(self.options.images) % len(DIRECTIONS)
        y, x = np.mgrid[:SIDE, :SIDE]
        waves = np.stack([np.sin(y), np.sin(x), np.sin(x + y)])[labels] + rng.normal(0, 0.7, (len(labels), SIDE, SIDE))
        pixels = (127 + 60 * waves).clip(0, 255).astype(np.uint8)
        images = Images(torch.from_numpy(pixels)[:, None].repeat(1, 3, 1, 1), torch.from_numpy(labels))
        return DataSet(images, None, DIRECTIONS)
