"""The keys of ``[data]`` that every data source has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from duonas.core.fields import Count, CountOrZero, Location, OpenFraction, PartOf, Positive


@dataclass(frozen=True)
class DataOptions:
    """``[data]``: which images, how they are split, how training images are varied."""

    name: Annotated[str, PartOf("source")] = "digits"
    """The data set: a shipped one, or your own as file.py:CLASS."""
    image_size: Count | None = None
    """Side of the images in pixels; default: the images' own where they are squares of one size up to 64, else 32."""
    resize: Literal["crop", "squash", "pad"] = "crop"
    """How other shapes become squares: crop resizes the short side and crops the centre, squash changes the
    proportions, pad resizes the long side and fills the rest with black."""
    working_size: Count | None = None
    """Side in pixels of the training images that random crops (crop_scale) are cut out of; default: a quarter more than
    image_size, or as much as most images have where that is less, and at least image_size."""
    white: Positive | None = None
    """The value that is white in images of more than 8 bits, such as 4095; default: of integers the most that 8, 10,
    12, 14 or 16 bits hold, whichever is enough for them, and 1 of floats."""
    val: OpenFraction = 0.05
    """Share of the images that are not test images, where the data set has no val split; pairs are searched on it."""
    calib: OpenFraction = 0.05
    """Share of the images that are not test images; the router is calibrated on it."""
    smallest_split: CountOrZero = 0
    """Images that val and calib get at least where they are split off, unless that is more than 15 % of the images that
    are not test images."""
    test: OpenFraction = 0.2
    """Share of all images, where the data set has no test split of its own."""
    on_error: Literal["stop", "skip"] = "stop"
    """What to do about images that cannot be used, and classes with too few: stop before any training, or leave them
    out and list them."""
    store: Annotated[Literal["memory", "disk"], Location(path=False)] = "memory"
    """Where to keep decoded images: in the memory of the training device, which is fastest; or in a file on disk, read
    a batch at a time, for more images than fit into memory."""
    cache: Annotated[str | None, Location(created=True)] = None
    """Folder for the decoded images of store = "disk"; default: ~/.cache/duonas."""
    augmentations: Annotated[tuple[str, ...], PartOf("augmentation", every=True)] = ()
    """Your own augmentations as file.py:CLASS, after the shipped ones in this order; their keys join this table."""
