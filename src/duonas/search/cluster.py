"""Workers of a Ray cluster (the extra ``ray``)."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from duonas.core.errors import DuonasError
from duonas.core.pair import Subnet
from duonas.search.workers import WorkerLost, Workers, packed, unpacked

if TYPE_CHECKING:
    from duonas.search.evaluate import Evaluator

INSTALL = "pip install 'duonas[ray]'"
AUTO = "auto"
ANSWER = 5  # seconds that a cluster may take to answer a call
RETRIES = 3  # of a subnet by other processes where one was killed, which Ray does by itself


class Cluster(Workers):
    """Processes of a Ray cluster: as many at a time as the cluster has cores for.

    The evaluator is put into the cluster's store once; every process takes it from there once.

    Args:
        evaluator: evaluates subnets.
        address: of the cluster, as HOST:PORT; ``auto``: the one that this machine belongs to.
        warn: called with a sentence where the cluster is given up.

    Raises:
        DuonasError: Ray is not installed, or there is no such cluster.
    """

    def __init__(self, evaluator: Evaluator, address: str, warn: Callable[[str], None]) -> None:
        self._ray, self._ours = connect(address)
        threads = torch.get_num_threads()
        super().__init__(max(1, int(self._ray.cluster_resources().get("CPU", 1)) // threads), warn)
        self._given = self._ray.put(np.frombuffer(packed(evaluator), np.uint8))  # arrays are read without a copy
        self._key, self._threads = evaluator.fingerprint, threads
        self._task = self._ray.remote(num_cpus=threads, max_retries=RETRIES)(_answer)

    def close(self) -> None:
        """Cancel what is not done, and leave the cluster, unless the caller was in it before."""
        for begun in self._begun.values():
            self._ray.cancel(begun, force=True)
        self._begun.clear()
        if self._ours:
            self._ray.shutdown()

    def _start(self, subnet: Subnet) -> Any:
        return self._task.remote(self._given, self._key, self._threads, subnet)

    def _result(self, begun: Any) -> np.ndarray:
        errors = self._ray.exceptions
        try:
            found: np.ndarray = np.array(self._ray.get(begun))
            return found
        except errors.RayTaskError as error:  # the work itself failed, as without a cluster
            raise error.cause from error
        except errors.RayError as error:  # its process, or its machine
            raise WorkerLost from error

    def _renew(self) -> None:
        """Nothing: Ray begins processes as it needs them."""


_evaluators: dict[str, Evaluator] = {}  # that of this process, by its fingerprint


def _answer(given: np.ndarray, key: str, threads: int, subnet: Subnet) -> np.ndarray:
    if key not in _evaluators:
        torch.set_num_threads(threads)
        _evaluators.clear()
        _evaluators[key] = unpacked(given.tobytes())
    return _evaluators[key].answers(subnet)


def connect(address: str) -> tuple[Any, bool]:
    """Join a cluster; return Ray, and whether this process was in no cluster before.

    Raises:
        DuonasError: Ray is not installed, or there is no such cluster.
    """
    if find_spec("ray") is None:
        raise DuonasError(f"[search] ray = {address!r} needs Ray, which {INSTALL} installs.")
    import ray

    if ray.is_initialized():
        return ray, False
    try:
        if address != AUTO:
            _call(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        where = "of this machine" if address == AUTO else f"at {address}"
        raise DuonasError(
            f"[search] ray: there is no cluster {where}: begin one by `ray start --head`, give its address as "
            "HOST:PORT, or leave ray out."
        ) from error
    return ray, True


def _call(address: str) -> None:
    """Fail at once where nobody answers, for which Ray itself waits minutes.

    Raises:
        OSError: there is nobody.
        ValueError: the address is not one.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    socket.create_connection((host, int(port)), timeout=ANSWER).close()


def check_cluster(address: str) -> None:
    """Check that there is a cluster before any long work.

    Raises:
        DuonasError: Ray is not installed, or there is no such cluster.
    """
    ray, ours = connect(address)
    if ours:
        ray.shutdown()
