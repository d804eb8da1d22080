"""The base class of data sources, which read the images of a data set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from duonas.core.protocols import Progress, silent
from duonas.core.registry import Part
from duonas.data.images import Images
from duonas.data.options import DataOptions


@dataclass(frozen=True)
class DataSet:
    """The images of a data set, before they are split.

    Args:
        images: all images but those of ``test``.
        test: the data set's test split, if it has one.
        class_names: names (K,) of the classes.
    """

    images: Images
    test: Images | None
    class_names: tuple[str, ...]


class Source(Part, ABC):
    """Reads a data set.

    Args:
        options: the ``[data]`` table, an ``Options`` of this class.
    """

    Options = DataOptions

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def read(self, progress: Progress = silent) -> DataSet:
        """Read images and labels, equal on every call.

        Args:
            progress: called with the number of decoded images and the total number.

        Raises:
            DuonasError: the data cannot be read.
        """
