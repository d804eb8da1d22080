"""The base class of data sources, which list the images of a data set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from duonas.core.registry import Part
from duonas.data.listing import Listing
from duonas.data.options import DataOptions


class Source(Part, ABC):
    """Lists the images of a data set; decoding, resizing and splitting them is the same for all sources.

    Args:
        options: the ``[data]`` table, an ``Options`` of this class.

    Attributes:
        base_key: the key that names the folder that paths of images are relative to, for messages; empty without one.
    """

    Options = DataOptions
    base_key: ClassVar[str] = ""

    def __init__(self, options: Any) -> None:
        self.options = options

    @property
    def downloads(self) -> bool:
        """Whether ``list`` is going to download images that are not on this machine yet."""
        return False

    @abstractmethod
    def list(self) -> Listing:
        """Return the images with their labels and own splits, equal on every call.

        What is wrong with single images, files or classes is a ``Problem`` of the listing, which leaves them out: so
        all of it can be reported at once.

        Raises:
            DuonasError: there is nothing to list, such as no folder at all.
        """
