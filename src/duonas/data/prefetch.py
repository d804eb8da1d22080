"""One thing made ahead of its time, in a thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import torch

T = TypeVar("T")


class Ahead(Generic[T]):
    """Makes what is asked for by its number, and in the meantime what would be asked for next.

    Args:
        make: gives the thing of a number, and depends on nothing but that; is never at work twice at a time.
        end: the number that is not made ahead any more, if there is one.
    """

    def __init__(self, make: Callable[[int], T], end: int | None = None) -> None:
        self._make, self._end = make, end
        device = torch.cuda.current_device() if torch.cuda.is_initialized() else None
        self._pool = ThreadPoolExecutor(1, "ahead", _use, (device,))
        self._pending: tuple[int, Future[T]] | None = None

    def __call__(self, number: int) -> T:
        """The thing of this number; what went wrong while it was made is raised here."""
        pending, self._pending = self._pending, None
        if pending is not None and pending[0] == number:
            made = pending[1].result()
        else:
            made = self._pool.submit(self._make, number).result()  # after what nobody wants any more
        if number + 1 != self._end:
            self._pending = (number + 1, self._pool.submit(self._make, number + 1))
        return made


def _use(device: int | None) -> None:
    """Compute on the GPU of the thread that asks; a new thread would take the first one."""
    if device is not None:
        torch.cuda.set_device(device)
