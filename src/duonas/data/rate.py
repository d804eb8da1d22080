"""How many images a second are made ready for training, apart from what the training does with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHARE = 0.5  # of the time of a step that the images of the next may take before something is said
STEADY = 2  # reports of a training after which its speed is known


class Rate:
    """Counts images and the time that it took to make them, in whichever thread that was.

    Args:
        clock: the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._made = self._told = (0, 0.0)  # images and seconds since the begin, and at the last call

    @contextmanager
    def making(self, images: int) -> Iterator[None]:
        """Time the making of some images."""
        begun = self._clock()
        yield
        made, seconds = self._made
        self._made = (made + images, seconds + self._clock() - begun)

    def __call__(self) -> float:
        """Images a second since the last call; 0 where none were made."""
        now, before, self._told = self._made, self._told, self._made
        images, seconds = now[0] - before[0], now[1] - before[1]
        return images / seconds if seconds > 0 else 0.0


class Waiting:
    """Says once that a training waits for its images a good part of the time."""

    def __init__(self) -> None:
        self._calls = 0
        self._said = False

    def advice(self, trained: float, made: float) -> str:
        """Return what to do about it, as soon as it is known; else nothing.

        Args:
            trained: images a second that the training takes in all.
            made: images a second that are made ready for it; 0 if that is not known.
        """
        self._calls += 1
        if self._said or self._calls < STEADY or made <= 0 or trained < SHARE * made:
            return ""
        self._said = True
        return (
            f"training images are made ready at {made:,.0f} a second and trained on at {trained:,.0f}, so the training "
            "waits for them: fewer augmentations in [data] make it faster, randaugment first of all."
        )
