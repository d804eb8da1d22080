"""Photographs of clothing: 3,781 images of 64 x 64 pixels in 10 classes, without a download."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from duonas.data.listing import Listing
from duonas.data.options import DataOptions
from duonas.data.source import Source
from duonas.data.sources._rows import NO_SPLIT, Columns
from duonas.data.sources._tables import list_table

FILE = Path(__file__).with_name("clothing.parquet")


class Clothing(Source):
    """Photographs of clothing, from dresses to t-shirts.

    They are those of https://github.com/alexeygrigorev/clothing-dataset-small, which are in the public domain (CC0):
    the square in the middle of each, made smaller and stored as WebP. The largest class has seven times the images of
    the smallest. The test photographs of that data set have another mix of classes than its training photographs (6.5 %
    against 19.6 % are shoes), so its splits are not kept: a threshold that was chosen on the one would promise nothing
    for the other.
    """

    @dataclass(frozen=True)
    class Options(DataOptions):
        """Keys of ``[data]``."""

        name: str = "clothing"

    def list(self) -> Listing:
        """List the photographs, named ``CLASS/NAME``."""
        listing = list_table(FILE, Columns("image", "label", NO_SPLIT))
        names = [name.partition("/")[2] for name in listing.names]  # without the folder of the split
        return replace(listing, names=names, root=None, table=None)
