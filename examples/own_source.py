"""A data source of your own: stripes of three directions, drawn as they are needed.

duonas run digits --set data.name="examples/own_source.py:Stripes" --set data.images=300 --out runs/own-source
"""

from dataclasses import dataclass

import numpy as np

from duonas.data.listing import Listing
from duonas.data.options import DataOptions
from duonas.data.source import Source

SIDE, DIRECTIONS = 8, ("across", "down", "slanted")


class Stripes(Source):
    """Grey stripes of 8 x 8 pixels in noise."""

    @dataclass(frozen=True)
    class Options(DataOptions):
        """Keys of ``[data]``: each is followed by its help."""

        images: int = 300
        """How many images there are."""

    def list(self):
        """Images (N, H, W) uint8 and labels (N,); without splits, so that all of them are made."""
        rng, count = np.random.default_rng(0), self.options.images
        labels = np.arange(count) % len(DIRECTIONS)
        y, x = np.mgrid[:SIDE, :SIDE]
        waves = np.stack([np.sin(y), np.sin(x), np.sin(x + y)])[labels] + rng.normal(0, 0.7, (count, SIDE, SIDE))
        images = (127 + 60 * waves).clip(0, 255).astype(np.uint8)
        return Listing([f"stripes {i}" for i in range(count)], [*images], labels, np.full(count, ""), DIRECTIONS)
