"""The keys of ``[data]`` that every data source has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from duonas.core.fields import Count, OpenFraction, PartOf


@dataclass(frozen=True)
class DataOptions:
    """``[data]``: which images, how they are split, how training images are varied."""

    name: Annotated[str, PartOf("source")] = "digits"
    """The data set: a shipped one, or your own as file.py:CLASS."""
    image_size: Count | None = None
    """Side of the images in pixels; default: the data set's own."""
    val: OpenFraction = 0.05
    """Share of the images that are not test images; pairs are searched on it."""
    calib: OpenFraction = 0.05
    """Share of the images that are not test images; the router is calibrated on it."""
    test: OpenFraction = 0.2
    """Share of all images, where the data set has no test split of its own."""
    augmentations: Annotated[tuple[str, ...], PartOf("augmentation", every=True)] = ()
    """Your own augmentations as file.py:CLASS, after the shipped ones in this order; their keys join this table."""
