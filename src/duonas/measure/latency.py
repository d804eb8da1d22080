"""How fast a bundle is with ONNX Runtime, and how near it comes to the ideal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from duonas.core.options import MeasureOptions
from duonas.core.protocols import Progress, silent
from duonas.core.rng import stream
from duonas.data.images import take
from duonas.data.ondisk import Pixels, read
from duonas.measure.sessions import Sessions, bound, open_sessions

BATCH = 64
BLOCK = 10  # single images, or batches, between two changes of network
ROLES = ("little", "big", "routed")
Times = dict[str, list[float]]
Job = Callable[[], object]


def latency(
    bundle: Path, pixels: Pixels, is_little: np.ndarray, tau: float, options: MeasureOptions,
    progress: Progress = silent,
) -> dict[str, Any]:  # fmt: skip
    """Time little, big and the routed pair over the same real images, in turn, in one run.

    The ideal is ``S + L + R + (1 - a) B`` in time, or ``S + R + a L + (1 - a) B`` where the router stands before
    little. What runs on every image is one network that ends in the score. L and B are, at batch 1, the network's time
    less the stem's, and at batch 64 the time of its tower on the rows of that batch that it is asked for. A milder
    yardstick is what the same work takes as separate calls, first what runs on every image and then the towers that are
    asked: routing written by hand on the device. All parts are cut out of the deployed graph. What the routing itself
    costs (comparing, gathering, branching, scattering) is in the routed time alone.

    The networks alternate in short blocks of shuffled order, so that drift hits all alike, and medians keep out what
    else the machine does.

    Args:
        bundle: an export folder.
        pixels: (N, 3, H, W) uint8, the test images.
        is_little: (N,) bool, how they are routed at ``tau``.
        tau: the threshold.
        options: the ``[measure]`` table.
        progress: told before the first block and after each.

    Returns:
        For each role ``latency_ms`` (p50, p95, p99 at batch 1) and ``images_per_s`` (at batch 64), and the routed time
        over both yardsticks: ``ratio_to_ideal`` and ``ratio_to_two_calls`` (``batch_1``, ``batch_64``). ``router_us``
        is what the score alone adds to a call, for one image in microseconds.
    """
    sessions = open_sessions(bundle, options.threads)
    order = stream(0, "latency")
    total = options.latency_images + options.throughput_batches

    def timed(turns: int, size: int, after: int) -> Times:
        times: Times = {}
        for start in range(0, turns, BLOCK):
            block = range(start, min(start + BLOCK, turns))
            rows = [np.arange(turn * size, (turn + 1) * size) % len(pixels) for turn in block]
            jobs = [_jobs(sessions, _floats(pixels, r), ~is_little[r], tau) for r in rows]
            for name in order.permutation(list(jobs[0])):
                jobs[0][name]()
                times.setdefault(name, []).extend(_time(job[name]) for job in jobs)
            progress(after + block.stop, total)
        return times

    progress(0, total)
    single = timed(options.latency_images, 1, 0)
    hard = ~is_little[np.arange(options.latency_images) % len(pixels)]
    batched = timed(options.throughput_batches, BATCH, options.latency_images)
    speed: dict[str, Any] = {
        role: {"latency_ms": _percentiles(single[role]), "images_per_s": BATCH * 1e3 / _median(batched[role])}
        for role in ROLES
    }
    rest = {role: _median(single[role]) - (_median(single["stem"]) if "stem" in single else 0.0) for role in ROLES[:2]}
    asked = hard.mean() * rest["big"] + ((~hard).mean() * rest["little"] if sessions.little_tower else 0.0)
    return speed | {
        "ratio_to_ideal": {
            "batch_1": _typical(single["routed"], hard) / (_median(single["light"]) + asked),
            "batch_64": _median(batched["routed"]) / _median(np.add(batched["light"], batched["towers"])),
        },
        "ratio_to_two_calls": {
            "batch_1": _typical(single["routed"], hard) / _typical(single["two_calls"], hard),
            "batch_64": _median(batched["routed"]) / _median(batched["two_calls"]),
        },
        "router_us": 1e3 * max(0.0, _median(single["score"]) - _median(single["idle"])),
    }


def _floats(pixels: Pixels, rows: np.ndarray) -> np.ndarray:
    return read(take(pixels, rows)).cpu().numpy().astype(np.float32) / np.float32(255)


def _jobs(sessions: Sessions, images: np.ndarray, hard: np.ndarray, tau: float) -> dict[str, Job]:
    light, features, seen = bound(sessions.light, images), sessions.features(images), sessions.seen(images)
    rows = ((sessions.little_tower, ~hard), (sessions.big_tower, hard))
    towers = [bound(tower, np.ascontiguousarray(features[its])) for tower, its in rows if tower and its.any()]
    stem = {} if sessions.stem is None else {"stem": bound(sessions.stem, images)}
    return stem | {
        "light": light,
        "towers": lambda: [tower() for tower in towers],
        "score": bound(sessions.score, seen),
        "idle": bound(sessions.idle, seen),
        "little": bound(sessions.little, images),
        "big": bound(sessions.big, images),
        "routed": bound(sessions.routed, images, tau=np.array(tau, np.float32)),
        "two_calls": lambda: (light(), [tower() for tower in towers]),
    }


def _time(job: Job) -> float:
    start = perf_counter()
    job()
    return (perf_counter() - start) * 1e3


def _typical(times: list[float], hard: np.ndarray) -> float:
    """The mean over images, of which easy ones (and hard ones) count as their median."""
    values = np.asarray(times)
    return sum(float(rows.mean()) * _median(values[rows]) for rows in (hard, ~hard) if rows.any())


def _percentiles(times: list[float]) -> dict[str, float]:
    return {f"p{rank}": float(np.percentile(times, rank)) for rank in (50, 95, 99)}


def _median(values: Any) -> float:
    return float(np.median(values))
