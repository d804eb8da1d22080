"""The keys of ``[search.device]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from duonas.core.fields import Count, Location, Positive

HERE, NONE = "here", "none"
Missing = Literal["fit", "refuse"]


@dataclass(frozen=True)
class DeviceOptions:
    """``[search.device]``: what blocks or archs take on a device, as costs of the search beside MACs."""

    renamed = (("path", "table"),)

    table: Annotated[str, Location(content=True, words=(HERE, NONE))] = HERE
    """"here": this machine is measured, once; "none": MACs alone; or a Parquet or CSV file with one row for each block
    (with a column ``block``) or for each arch."""
    minutes: Positive = 3.0
    """For "here": the most that measuring may take."""
    threads: Count = 1
    """For "here": CPU threads of ONNX Runtime."""
    provider: str = "CPUExecutionProvider"
    """For "here": the execution provider of ONNX Runtime."""
    precision: Literal["fp32", "fp16"] = "fp32"
    """For "here": of weights and activations."""
    missing: Missing = "fit"
    """Blocks that the table does not have: they are fitted from those that it has, or refused."""
    latency: str | None = None
    """The column of latencies in ms; default: none, or latency_ms in a table of blocks."""
    energy: str | None = None
    """The column of energies in mJ; default: none, or energy_mj in a table of blocks."""
    key: str = "arch"
    """The column of archs in a table of whole networks, such as nasbench201's cell strings."""
