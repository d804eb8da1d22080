"""CIFAR-100: 60,000 images of 32 x 32 pixels in 100 classes, downloaded or from Parquet shards."""

from __future__ import annotations

from dataclasses import dataclass

from duonas.data.sources._cifar import Cifar


class Cifar100(Cifar):
    """CIFAR-100 (Krizhevsky, 2009), with its test split."""

    @dataclass(frozen=True)
    class Options(Cifar.Options):
        """Keys of ``[data]``."""

        name: str = "cifar100"
