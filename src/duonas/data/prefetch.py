"""Prefetching: the next batch is made in a thread while the last one is used."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import torch

T = TypeVar("T")


class Prefetch(Generic[T]):
    """Makes the batch, or whatever ``make`` gives, of a number, and in the meantime that of the next number.

    Args:
        make: a pure function of the number; only one call of it runs at a time.
        end: the first number that is not prefetched, if there is one.
    """

    def __init__(self, make: Callable[[int], T], end: int | None = None) -> None:
        self._make, self._end = make, end
        device = torch.cuda.current_device() if torch.cuda.is_initialized() else None
        self._pool = ThreadPoolExecutor(1, "prefetch", _use, (device,))
        self._pending: tuple[int, Future[T]] | None = None

    def __call__(self, number: int) -> T:
        """What ``make`` gives for this number; its exceptions are raised here."""
        pending, self._pending = self._pending, None
        if pending is not None and pending[0] == number:
            made = pending[1].result()
        else:
            made = self._pool.submit(self._make, number).result()  # after a prefetched one that is not needed
        if number + 1 != self._end:
            self._pending = (number + 1, self._pool.submit(self._make, number + 1))
        return made


def _use(device: int | None) -> None:
    """Use the GPU of the calling thread; a new thread would use the first one."""
    if device is not None:
        torch.cuda.set_device(device)
