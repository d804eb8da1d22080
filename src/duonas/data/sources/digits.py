"""The handwritten digits of scikit-learn: 1,797 images of 8 x 8 pixels, without a download."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duonas.data.listing import Listing
from duonas.data.options import DataOptions
from duonas.data.source import Source

LEVELS = 16  # the data set's gray values are 0..16


class Digits(Source):
    """Digits as grey images of 8 x 8 pixels, without a test split."""

    @dataclass(frozen=True)
    class Options(DataOptions):
        """Keys of ``[data]``."""

        name: str = "digits"

    def list(self) -> Listing:
        """List the digits, in scikit-learn's order."""
        from sklearn.datasets import load_digits  # here, because importing scikit-learn takes a second

        bunch = load_digits()
        return Listing(
            names=[f"digit {i}" for i in range(len(bunch.target))],
            images=[*np.rint(bunch.images * (255 / LEVELS)).astype(np.uint8)],
            labels=bunch.target.astype(np.int64),
            splits=np.full(len(bunch.target), ""),
            class_names=tuple(str(name) for name in bunch.target_names),
        )
