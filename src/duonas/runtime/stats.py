"""What a bundle has answered so far, in constant memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from .histogram import Histogram


class Stats:
    """How many images a bundle answered, which network did, and how long they took.

    Every image counts, whichever method it was given to. The time of an image is what its caller waited for: checks,
    preparation where ``predict_frame`` does it, and the networks; each image of a batch took its part of the batch.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget all that was counted, and count from now on."""
        self._since = self._clock()
        self._count = self._little = 0
        self._total = 0.0
        self._times = Histogram()

    def add(self, images: int, little: int, ms: float) -> None:
        """Count answers.

        Args:
            images: how many were answered together.
            little: how many of them little answered.
            ms: that all of them took.
        """
        if images:
            self._count += images
            self._little += little
            self._total += ms
            self._times.add_equal(ms / images, images)

    @property
    def since(self) -> datetime:
        """When counting began, in local time."""
        return datetime.fromtimestamp(self._since).astimezone()

    @property
    def count(self) -> int:
        """Number of images."""
        return self._count

    @property
    def little_share(self) -> float | None:
        """Fraction of the images that little answered; ``None`` before the first, as all that follows."""
        return self._little / self._count if self._count else None

    @property
    def mean_ms(self) -> float | None:
        """Mean time of an image in ms."""
        return self._total / self._count if self._count else None

    @property
    def p50_ms(self) -> float | None:
        """Time in ms that half of the images do not exceed, right to a quarter of a per cent."""
        return self._times.percentile(50)

    @property
    def p95_ms(self) -> float | None:
        """Time in ms that 95 % of the images do not exceed, right to a quarter of a per cent."""
        return self._times.percentile(95)

    def __repr__(self) -> str:
        since = f"since {self.since:%Y-%m-%d %H:%M:%S}"
        if not self._count:
            return f"Stats(no images {since})"
        images = f"{self.count:,} image{'' if self.count == 1 else 's'}"
        return (
            f"Stats({images} {since}: {self.little_share:.1%} little, {self.mean_ms:.3g} ms on average, "
            f"p50 {self.p50_ms:.3g} ms, p95 {self.p95_ms:.3g} ms)"
        )
