"""The base class of baselines whose size is in their name, such as ``msdnet-exits4-channels8``."""

from __future__ import annotations

from abc import ABC
from typing import Generic, TypeVar

from duonas.baselines.baseline import Baseline
from duonas.baselines.sizes import read_size

_Size = TypeVar("_Size")


class Sized(Baseline, ABC, Generic[_Size]):
    """A baseline of a name and a size, both of which are in ``[baselines] networks``.

    A subclass says in ``sizes`` what its size is made of: a frozen dataclass, see ``read_size``.
    """

    sizes: type[_Size]

    @property
    def size(self) -> _Size:
        """The size in the name.

        Raises:
            DuonasError: the name has a part that is unknown or wrong.
        """
        return read_size(self.network_name, self.network_name.split("-")[1:], self.sizes)

    def check(self) -> None:
        """Check the name.

        Raises:
            DuonasError: it has a part that is unknown or wrong.
        """
        _ = self.size
