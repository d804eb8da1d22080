"""The keys of ``[search.device]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from duonas.core.fields import Location


@dataclass(frozen=True)
class DeviceOptions:
    """``[search.device]``: a table of latencies and energies on a device, as costs of the search beside MACs."""

    path: Annotated[str, Location(content=True)]
    """Parquet or CSV file with one row for each block (with a column ``block``) or for each arch."""
    latency: str | None = None
    """The column of latencies in ms; default: none, or latency_ms in a table of blocks."""
    energy: str | None = None
    """The column of energies in mJ; default: none, or energy_mj in a table of blocks."""
    key: str = "arch"
    """The column of archs in a table of whole networks, such as nasbench201's cell strings."""
