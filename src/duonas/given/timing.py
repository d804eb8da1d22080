"""What given networks take on this machine: timed in turns, one image at a time."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from duonas.core.cost import Cost
from duonas.core.rng import stream
from duonas.deploy.device_kit import reference
from duonas.given.candidates import Candidate
from duonas.runtime.machine import device_name
from duonas.runtime.session import RUNTIME, open_session
from duonas.runtime.timing import Watch, clock_for, in_rounds

PATIENCE = 0.2  # of the time, that may pass with waiting for a busy machine


def timed(
    found: Mapping[str, Candidate], image_size: int, seconds: float, threads: int = 1
) -> tuple[dict[str, Cost], dict[str, Any]]:
    """Return the costs of networks with their times at batch 1, and where the times are from, as JSON.

    Args:
        found: the networks by name.
        image_size: side of the images in pixels.
        seconds: that each may take.
        threads: CPU threads of ONNX Runtime.
    """
    image = stream(0, "given").random((1, 3, image_size, image_size), dtype=np.float32)  # pixels do not matter
    calls = {label: _call(each.network.proto.SerializeToString(), image, threads) for label, each in found.items()}
    clock, total = clock_for(threads), seconds * len(calls)
    still = _call(reference().SerializeToString(), np.zeros((1, 32, 16, 16), np.float32), threads)
    watch = Watch(still, clock, PATIENCE * total)
    deadline = clock.now() + total
    for call in calls.values():
        call()
    times = in_rounds(calls, watch, deadline, random.Random(0))
    late = {label: clock.time(call) for label, call in calls.items() if label not in times}
    costs = {label: replace(each.cost, latency_ms=(times | late)[label]) for label, each in found.items()}
    source = {"device": device_name(), "runtime": RUNTIME, "threads": str(threads), "clock": clock.kind}
    return costs, {**source, "given": len(costs)}


def _call(data: bytes, image: np.ndarray, threads: int) -> Callable[[], object]:
    session = open_session(data, threads)
    return partial(session.run, None, {session.get_inputs()[0].name: image})
