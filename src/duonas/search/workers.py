"""Workers that evaluate archs at the same time as others: processes of this machine, or those of a cluster."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import reduce
from multiprocessing.connection import Connection
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from duonas.core.pair import Subnet
from duonas.core.plugin import load_again, loaded_plugins
from duonas.routing.router import Router
from duonas.search.evaluate import NO_READINGS, Evaluator, Reading, SubnetResult

LOSSES = 3  # of workers in a row, after which the search goes on by itself
ALONE = (
    "the workers that evaluate archs ended {count} times without an answer, so this process goes on alone (too little "
    "memory? A script of your own that has workers must begin its work under if __name__ == '__main__')."
)


class WorkerLost(Exception):
    """A worker ended before it answered."""


class Workers(ABC):
    """Computes the logits of subnets ahead of their evaluation; subclasses say where.

    Which worker computes them changes nothing: each has the same supernet, images and number of threads. At most twice
    as many subnets as workers are with these at a time, so that few logits wait in memory. A subnet whose worker ended
    is given to another one.

    Args:
        count: the number of workers.
        warn: called with a sentence where the workers are given up.
    """

    def __init__(self, count: int, warn: Callable[[str], None]) -> None:
        self._count, self._warn, self._losses = count, warn, 0
        self._waiting: deque[Subnet] = deque()
        self._begun: dict[Subnet, Any] = {}

    def begin(self, subnets: Sequence[Subnet]) -> None:
        """Compute the logits of these subnets, in their order, after those that were begun before."""
        self._waiting.extend(subnet for subnet in subnets if subnet not in self._begun)
        self._fill()

    def logits(self, subnet: Subnet) -> np.ndarray | None:
        """The logits (N, K) float32 of a subnet, once; ``None`` if it is with no worker."""
        while subnet in self._begun:
            try:
                found = self._result(self._begun[subnet])
            except WorkerLost:
                self._begin_again()
                continue
            del self._begun[subnet]
            self._losses = 0
            self._fill()
            return found
        if subnet in self._waiting:
            self._waiting.remove(subnet)
        return None

    @abstractmethod
    def close(self) -> None:
        """End the workers, whatever they do."""

    @abstractmethod
    def _start(self, subnet: Subnet) -> Any:
        """Give a subnet to a worker, and return what ``_result`` takes."""

    @abstractmethod
    def _result(self, begun: Any) -> np.ndarray:
        """Wait for the logits (N, K) float32.

        Raises:
            WorkerLost: the worker ended.
        """

    @abstractmethod
    def _renew(self) -> None:
        """Replace workers that ended."""

    def _fill(self) -> None:
        while self._waiting and len(self._begun) < 2 * self._count:
            subnet = self._waiting.popleft()
            self._begun[subnet] = self._start(subnet)

    def _begin_again(self) -> None:
        """Give what lost workers had to others, or, where that fails again and again, give up."""
        self._losses += 1
        if self._losses < LOSSES:
            self._renew()
            for subnet in self._begun:
                self._begun[subnet] = self._start(subnet)
            return
        self._waiting.clear()
        self._begun.clear()
        self.close()
        self._warn(ALONE.format(count=self._losses))


class Processes(Workers):
    """Processes of this machine, by ``concurrent.futures``.

    Each gets the evaluator once. It ends with this process, however that ends: it holds one end of a pipe, and closes
    when nobody holds the other.

    Args:
        evaluator: evaluates subnets.
        count: the number of processes.
        warn: called with a sentence where they are given up.
    """

    def __init__(self, evaluator: Evaluator, count: int, warn: Callable[[str], None]) -> None:
        super().__init__(count, warn)
        self._packed = packed(evaluator)
        self._open()

    def close(self) -> None:
        """End the processes."""
        self._alive.close()
        self._pool.shutdown(cancel_futures=True)
        self._watched.close()

    def _open(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._watched, self._alive = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(
            self._count, context, initializer=_begin, initargs=(self._packed, torch.get_num_threads(), self._watched)
        )

    def _start(self, subnet: Subnet) -> Future[np.ndarray]:
        try:
            with _interrupts_for_parent():
                return self._pool.submit(_answer, subnet)
        except BrokenProcessPool as error:
            lost: Future[np.ndarray] = Future()
            lost.set_exception(error)
            return lost

    def _result(self, begun: Future[np.ndarray]) -> np.ndarray:
        try:
            return begun.result()
        except BrokenProcessPool as error:
            raise WorkerLost from error

    def _renew(self) -> None:
        self.close()
        self._open()


@contextmanager
def _interrupts_for_parent() -> Iterator[None]:
    """Processes that begin in this context get no interrupt from the keyboard, which is for this process to handle."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_evaluators: list[Evaluator] = []  # that of this process, if it is a worker


def _begin(given: bytes, threads: int, parent: Connection) -> None:
    """Begin as a worker."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(threads)
    _evaluators[:] = [unpacked(given)]


def _end_with(parent: Connection) -> None:
    try:
        parent.recv()
    except (EOFError, OSError):
        os._exit(1)  # at once, in the middle of an evaluation, too


def _answer(subnet: Subnet) -> np.ndarray:
    return _evaluators[0].answers(subnet)


def packed(evaluator: Evaluator) -> bytes:
    """An evaluator, and the user's own parts, as bytes for another process of this run."""
    given = io.BytesIO()
    _Pickler(given).dump(evaluator)
    return pickle.dumps((loaded_plugins(), given.getvalue()))


def unpacked(given: bytes) -> Evaluator:
    """The evaluator from what ``packed`` gave."""
    modules, rest = pickle.loads(given)
    load_again(modules)  # which the evaluator's classes may be in
    evaluator: Evaluator = pickle.loads(rest)
    return evaluator


class _Pickler(pickle.Pickler):
    """Names classes and functions of the user's own parts by their file, which is no module that can be imported."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type | FunctionType) and value.__module__.endswith(".py"):
            return _own, (value.__module__, value.__qualname__)
        return NotImplemented


def _own(module: str, name: str) -> Any:
    return reduce(getattr, name.split("."), sys.modules[module])


class Ahead:
    """An evaluator whose logits are computed by workers ahead of their use; all else is as without workers.

    Results go into the evaluator's cache, in the order in which they are asked for.

    Args:
        evaluator: reads what the logits say, and has the cache.
        workers: compute the logits.
    """

    def __init__(self, evaluator: Evaluator, workers: Workers) -> None:
        self._evaluator, self._workers = evaluator, workers
        self.labels: np.ndarray = evaluator.labels

    def ahead(self, wanted: Mapping[Subnet, Collection[str]]) -> None:
        """Begin with subnets that are not in the cache with the wanted readings; they are evaluated in this order."""
        self._workers.begin([each for each, names in wanted.items() if not self._evaluator.knows(each, names)])

    def evaluate(self, subnet: Subnet, readings: Mapping[str, Reading] = NO_READINGS) -> SubnetResult:
        """Evaluate a subnet; see ``Evaluator.evaluate``."""
        return self._evaluator.evaluate(subnet, readings, self._logits)

    def _logits(self, subnet: Subnet) -> np.ndarray:
        found = self._workers.logits(subnet)
        return self._evaluator.answers(subnet) if found is None else found

    def describe(self, router: Router, subnet: Subnet, shared: int) -> Tensor:
        """A router's features; see ``Evaluator.describe``."""
        return self._evaluator.describe(router, subnet, shared)

    def kept(
        self,
        name: str,
        about: Mapping[str, Any],
        compute: Callable[[], dict[str, np.ndarray]],
        wanted: Collection[str] = (),
    ) -> dict[str, np.ndarray]:
        """The arrays of ``compute``, from the cache if possible; see ``Evaluator.kept``."""
        return self._evaluator.kept(name, about, compute, wanted)
