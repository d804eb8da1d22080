"""The handwritten digits of scikit-learn: 1,797 images of 8 x 8 pixels, without a download."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from duonas.core.protocols import Progress, silent
from duonas.data.images import Images
from duonas.data.options import DataOptions
from duonas.data.source import DataSet, Source

LEVELS = 16  # the data set's gray values are 0..16


class Digits(Source):
    """Digits as 8 x 8 RGB images, without a test split."""

    @dataclass(frozen=True)
    class Options(DataOptions):
        """Keys of ``[data]``."""

        name: str = "digits"

    def read(self, progress: Progress = silent) -> DataSet:
        """Read the digits, in scikit-learn's order."""
        from sklearn.datasets import load_digits  # here, because importing scikit-learn takes a second

        bunch = load_digits()
        gray = np.rint(bunch.images * (255 / LEVELS)).astype(np.uint8)
        pixels = torch.from_numpy(gray)[:, None].repeat(1, 3, 1, 1)
        labels = torch.from_numpy(bunch.target.astype(np.int64))
        return DataSet(Images(pixels, labels), None, tuple(str(name) for name in bunch.target_names))
