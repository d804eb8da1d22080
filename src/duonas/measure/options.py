"""The keys of ``[measure]``."""

from __future__ import annotations

from dataclasses import dataclass

from duonas.core.fields import Count, CountOrZero


@dataclass(frozen=True)
class MeasureOptions:
    """``[measure]``: how latency is measured."""

    latency_images: Count = 300
    """Number of single images to time."""
    throughput_batches: Count = 20
    """Number of batches of 64 images to time."""
    threads: CountOrZero = 0
    """CPU threads of ONNX Runtime; 0: its default."""
    spinning: bool = False
    """Whether ONNX Runtime's threads keep their cores busy while they wait for work, as in ``Bundle.load``."""
