"""The handwritten digits that scikit-learn ships: 1,797 real images of 8x8 pixels, no download."""

from __future__ import annotations

import numpy as np
import torch

from duonas.data.images import Images, Source

LEVELS = 16  # the data set's gray values are 0..16


def read_digits() -> Source:
    """All digits as 8x8 RGB; there is no test split of their own."""
    from sklearn.datasets import load_digits  # here, because importing scikit-learn takes a second

    bunch = load_digits()
    gray = np.rint(bunch.images * (255 / LEVELS)).astype(np.uint8)
    pixels = torch.from_numpy(gray)[:, None].repeat(1, 3, 1, 1)
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    return Source(Images(pixels, labels), None, tuple(str(name) for name in bunch.target_names))
