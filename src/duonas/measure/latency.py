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
from duonas.measure.sessions import Sessions, open_sessions, run

BATCH = 64
WARMUP = 10
ROLES = ("little", "big", "routed")
Times = dict[str, list[float]]


def latency(
    bundle: Path, pixels: np.ndarray, is_little: np.ndarray, tau: float, options: MeasureOptions,
    progress: Progress = silent,
) -> dict[str, Any]:  # fmt: skip
    """Time little, big and the routed pair over the same real images, in turn, in one run.

    The ideal is ``S + L + R + (1 - a) B`` in time, of parts that are cut out of the deployed graph. ``S + L + R`` is
    one network that ends in the score. At batch 1, B is the time of big less that of the stem; at batch 64 it is the
    time of big's tower on the hard rows of that batch. What the routing itself costs (comparing, gathering, branching,
    scattering) is in the routed time alone. In each turn the order is shuffled, so that no network always finds the
    caches as the same other one left them, and medians keep out what else the machine does.

    Args:
        bundle: an export folder.
        pixels: (N, 3, H, W) uint8, the test images.
        is_little: (N,) bool, how they are routed at ``tau``.
        tau: the threshold.
        options: the ``[measure]`` table.
        progress: told after each turn.

    Returns:
        For each role ``latency_ms`` (p50, p95, p99 at batch 1) and ``images_per_s`` (at batch 64), and
        ``ratio_to_ideal`` (``batch_1``, ``batch_64``).
    """
    sessions = open_sessions(bundle, options.threads)
    order = stream(0, "latency")
    total = options.latency_images + options.throughput_batches

    def timed(turns: int, size: int, after: int) -> Times:
        times: Times = {}
        for turn in range(-WARMUP if size == 1 else -2, turns):  # below 0: not counted
            rows = np.arange(turn * size, (turn + 1) * size) % len(pixels)
            jobs = _jobs(sessions, pixels[rows].astype(np.float32) / np.float32(255), ~is_little[rows], tau)
            taken = {name: _time(jobs[name]) for name in order.permutation(list(jobs))}
            if turn >= 0:
                for name, milliseconds in taken.items():
                    times.setdefault(name, []).append(milliseconds)
                progress(after + turn + 1, total)
        return times

    single = timed(options.latency_images, 1, 0)
    hard = ~is_little[np.arange(options.latency_images) % len(pixels)]
    batched = timed(options.throughput_batches, BATCH, options.latency_images)
    return {
        **{
            role: {"latency_ms": _percentiles(single[role]), "images_per_s": BATCH * 1e3 / _median(batched[role])}
            for role in ROLES
        },
        "ratio_to_ideal": {"batch_1": ratio_one(single, hard), "batch_64": ratio_many(batched)},
    }


def ratio_one(times: Times, hard: np.ndarray) -> float:
    """The routed time over the ideal at batch 1, both summed over the images by the medians of easy and hard ones.

    Args:
        times: milliseconds by name, (T,) each.
        hard: (T,) bool.
    """
    share = float(hard.mean())
    routed = np.asarray(times["routed"])
    taken = sum(
        weight * _median(routed[rows]) for weight, rows in ((1 - share, ~hard), (share, hard)) if rows.any()
    )  # fmt: skip
    rest_of_big = _median(times["big"]) - (_median(times["stem"]) if "stem" in times else 0.0)
    return float(taken / (_median(times["light"]) + share * rest_of_big))


def ratio_many(times: Times) -> float:
    """The routed time over the ideal of the same batches: medians of batches that take the same path."""
    ideal = np.asarray(times["light"]) + np.asarray(times["tower"])
    return _median(times["routed"]) / _median(ideal)


def _jobs(sessions: Sessions, images: np.ndarray, hard: np.ndarray, tau: float) -> dict[str, Callable[[], object]]:
    threshold = np.array(tau, np.float32)
    jobs: dict[str, Callable[[], object]] = {
        "little": lambda: run(sessions.little, images),
        "big": lambda: run(sessions.big, images),
        "routed": lambda: run(sessions.routed, images, tau=threshold),
        "light": lambda: run(sessions.light, images),
    }
    if sessions.stem is not None:
        jobs["stem"] = lambda: run(sessions.stem, images)
    features = np.ascontiguousarray(sessions.features(images)[hard])
    jobs["tower"] = (lambda: run(sessions.tower, features)) if len(features) else (lambda: None)
    return jobs


def _time(job: Callable[[], object]) -> float:
    start = perf_counter()
    job()
    return (perf_counter() - start) * 1e3


def _percentiles(times: list[float]) -> dict[str, float]:
    return {f"p{rank}": float(np.percentile(times, rank)) for rank in (50, 95, 99)}


def _median(values: Any) -> float:
    return float(np.median(values))
