"""CIFAR-10: 60,000 images of 32 x 32 pixels in 10 classes, downloaded or from Parquet shards."""

from __future__ import annotations

from dataclasses import dataclass

from duonas.data.sources._cifar import Cifar


class Cifar10(Cifar):
    """CIFAR-10 (Krizhevsky, 2009), with its test split."""

    @dataclass(frozen=True)
    class Options(Cifar.Options):
        """Keys of ``[data]``."""

        name: str = "cifar10"
