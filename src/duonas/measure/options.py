"""The keys of ``[measure]``."""

from __future__ import annotations

from dataclasses import dataclass

from duonas.core.fields import Count, CountOrZero, Watts

BATCH = 64  # the batch size of ``images_per_s``


@dataclass(frozen=True)
class MeasureOptions:
    """``[measure]``: how latency and energy are measured."""

    latency_images: Count = 300
    """Number of single images to time."""
    throughput_batches: Count = 20
    """Number of batches to time of each larger batch size."""
    batch_sizes: tuple[Count, ...] = (1, 64)
    """Images that are classified at once; times are measured at each size, and always at 1 and 64."""
    threads: CountOrZero = 0
    """CPU threads of ONNX Runtime; 0: as many as ``Bundle.load`` takes for the pair."""
    spinning: bool = False
    """Whether ONNX Runtime's threads keep their cores busy while they wait for work in a call, as in
    ``Bundle.load``."""
    watts: Watts | None = None
    """Power in W that the device draws while it computes, for energies where the machine has no meter."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """All batch sizes to time, in rising order."""
        return tuple(sorted({1, BATCH, *self.batch_sizes}))
