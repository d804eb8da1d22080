"""Latency of a bundle with ONNX Runtime, and its ratio to the ideal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from duonas.core.protocols import Progress, silent
from duonas.core.rng import stream
from duonas.data.images import take
from duonas.data.ondisk import Pixels, read
from duonas.measure.options import BATCH, MeasureOptions
from duonas.measure.sessions import Sessions, bound, clock_of, open_networks, open_sessions
from duonas.measure.typical import BLOCK, route_kinds, typical
from duonas.runtime.comparison import Time
from duonas.runtime.timing import Clock, Watch

PATIENCE_S = 3.0  # that may pass with waiting for a busy machine, in all
PASSES, ENOUGH_S = 10, 1.0  # over the single images: at most so many, as long as all take less than this
ROLES = ("little", "big", "routed", "plain")
Times = dict[str, list[float]]  # in ms, by the name of the network
Call = Callable[[], object]


@dataclass(frozen=True)
class Timer:
    """Times all networks of a bundle on the same images.

    Args:
        sessions: ONNX Runtime sessions of the bundle.
        pixels: (N, 3, H, W) uint8.
        is_little: (N,) bool, how the images are routed at ``tau``.
        tau: the threshold.
        clock: times the networks.
        watch: looks at the machine before each block; ``None``: nobody does.
        fp32: sessions of the float networks by role, where the bundle is in another precision.
    """

    sessions: Sessions
    pixels: Pixels
    is_little: np.ndarray
    tau: float
    clock: Clock = field(default_factory=Clock)
    watch: Watch | None = None
    fp32: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, turn: int, size: int) -> np.ndarray:
        """Return the indices (size,) of the images of a turn, cycling through all images."""
        return np.arange(turn * size, (turn + 1) * size) % len(self.pixels)

    def repeated(self, turns: int, order: np.random.Generator, report: Callable[[int], None]) -> Times:
        """Time every network on ``turns`` single images, and on as many again while that takes less than a second.

        Where a call takes some microseconds, one pass is over before other work of the machine has changed.
        """
        begun, times = self.clock.now(), self.times(turns, 1, order, report)
        for number in range(1, PASSES):
            if (self.clock.now() - begun) * (number + 1) / number > ENOUGH_S:
                break
            for name, more in self.times(turns, 1, order, _unheard, first=number * turns).items():
                times[name].extend(more)
        return times

    def times(
        self, turns: int, size: int, order: np.random.Generator, report: Callable[[int], None], first: int = 0
    ) -> Times:
        """Time every network on each of ``turns`` batches of ``size`` images.

        The networks alternate in short blocks of shuffled order; the first call of a block is not counted.

        Args:
            turns: number of batches.
            size: images per batch.
            order: generator that shuffles the networks.
            report: called after every block with the number of turns that are done.
            first: number of batches before the first one, which decides what images it has.
        """
        times: Times = {}
        for start in range(0, turns, BLOCK):
            block = range(start, min(start + BLOCK, turns))
            calls = [self._calls(self.rows(first + turn, size)) for turn in block]
            for name in order.permutation(list(calls[0])):
                if self.watch is not None:
                    self.watch.wait()
                calls[0][name]()
                times.setdefault(name, []).extend(self.clock.time(call[name]) for call in calls)
            report(block.stop)
        return times

    def typical(self, times: Sequence[float], size: int, *, routed: bool) -> Time:
        """Return the typical time of an image in batches of ``size`` images; a routed one depends on the images."""
        values = np.asarray(times) / size
        if not routed:
            return typical(values)
        hard = np.stack([~self.is_little[self.rows(turn, size)] for turn in range(len(values))])
        return typical(values, route_kinds(hard), self.shares(len(values)) if size == 1 else None)

    def peak(self, times: Sequence[float]) -> float | None:
        """Return the typical time of a single image of the dearer kind; ``None`` if only one kind was timed."""
        hard = ~self.is_little[self.rows(0, len(times))]
        kinds = [_median(np.asarray(times)[kind]) for kind in (hard, ~hard) if kind.any()]
        return max(kinds) if len(kinds) > 1 else None

    def shares(self, turns: int) -> dict[int, float]:
        """Return the shares of easy (0) and hard (2) images: of all, or of the timed ones if these are of one kind."""
        timed = self.is_little[self.rows(0, turns)]
        little = float((timed if timed.all() or not timed.any() else self.is_little).mean())
        return {0: little, 2: 1 - little}

    def _calls(self, rows: np.ndarray) -> dict[str, Call]:
        sessions, hard = self.sessions, ~self.is_little[rows]
        images = read(take(self.pixels, rows)).cpu().numpy().astype(np.float32) / np.float32(255)
        light, features, seen = bound(sessions.light, images), sessions.features(images), sessions.seen(images)
        asked = ((sessions.little_tower, ~hard), (sessions.big_tower, hard))
        towers = [bound(tower, np.ascontiguousarray(features[its])) for tower, its in asked if tower and its.any()]
        stem = {} if sessions.stem is None else {"stem": bound(sessions.stem, images)}
        plain = {} if sessions.plain is None else {"plain": bound(sessions.plain, images)}
        return {
            **{f"fp32_{role}": bound(session, images) for role, session in self.fp32.items()},
            **stem,
            **plain,
            "light": light,
            "towers": lambda: [tower() for tower in towers],
            "score": bound(sessions.score, seen),
            "idle": bound(sessions.idle, seen),
            "little": bound(sessions.little, images),
            "big": bound(sessions.big, images),
            "routed": bound(sessions.routed, images, tau=np.array(self.tau, np.float32)),
            "two_calls": lambda: (light(), [tower() for tower in towers]),
        }


def latency(
    bundle: Path, pixels: Pixels, is_little: np.ndarray, tau: float, options: MeasureOptions,
    progress: Progress = silent, fp32: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Time little, big, the routed pair and the plain network, if there is one, on the same images, in one process.

    The ideal time is ``S + L + R + (1 - a) B``, or ``S + R + a L + (1 - a) B`` if the router decides before little,
    where S, R, L and B are stem, router, little's and big's tower, and a is the little share. The parts that run on
    every image are timed as one network. At batch 1, L and B are the network's time minus the stem's; at batch 64 the
    time of the tower on its rows of the batch. The second reference is the time of two separate calls, as in routing
    outside of ONNX: the part that runs on every image, then the towers on their rows. All parts are cut out of the
    deployed graph. Only the routed time includes the overhead of routing (compare, gather, branch, scatter).

    The networks alternate in short blocks of shuffled order, so that drift affects all equally; medians suppress other
    load of the machine. With one thread all times are of the processor, without those in which other programs have the
    core; with more it is wall time (``duonas.runtime.timing.clock_for``).

    Args:
        bundle: an export folder.
        pixels: (N, 3, H, W) uint8, the test images.
        is_little: (N,) bool, how they are routed at ``tau``.
        tau: the threshold.
        options: the ``[measure]`` table.
        progress: called before the first block and after each.
        fp32: a folder of the float networks, where the bundle is in another precision; they are timed in turn with it.

    Returns:
        For each role ``latency_ms`` (p50, p90, p95, p99 and mean at batch 1; of the routed pair also peak, the
        median of the dearer kind of image), ``times_ms`` (the mean of an image and its limits by the noise of timing,
        by batch size) and ``images_per_s`` (at batch 64); the ratios of the routed time
        to both references, ``ratio_to_ideal`` and ``ratio_to_two_calls`` (``batch_1``, ``batch_64``);
        ``busy_looks``, the share of looks at which a fixed network took 1.3 times its least time or more; and
        ``router_us``, the time of the score for one image in microseconds; with ``fp32`` also ``fp32_times_ms``, the
        ``times_ms`` of each float network by role. For a mean the time of each batch is
        replaced by the median of those on which the same networks ran, see ``typical``; the percentiles are of the same
        calls as they were, with what disturbed them.
    """
    sessions, clock = open_sessions(bundle, options), clock_of(bundle, options)
    watch = Watch(bound(sessions.reference, np.zeros((1, 32, 16, 16), np.float32)), clock, PATIENCE_S)
    others = {} if fp32 is None else open_networks(fp32, bundle, options)
    timer = Timer(sessions, pixels, is_little, tau, clock, watch, others)
    turns = {size: options.latency_images if size == 1 else options.throughput_batches for size in options.sizes}
    order, times, total = stream(0, "latency"), dict[int, Times](), sum(turns.values())
    progress(0, total)
    for size, number in turns.items():
        done = sum(turns[smaller] for smaller in times)
        report = partial(_report, progress, done, total)
        times[size] = timer.repeated(number, order, report) if size == 1 else timer.times(number, size, order, report)
    roles = [role for role in ROLES if role in times[1]]
    typicals = {
        role: {str(size): timer.typical(times[size][role], size, routed=role == "routed") for size in turns}
        for role in roles
    }
    single, batched = times[1], times[BATCH]
    speed: dict[str, Any] = {
        role: {
            "latency_ms": _percentiles(single[role]) | {"mean": typicals[role]["1"].mean},
            "times_ms": {size: each.to_json() for size, each in typicals[role].items()},
            "images_per_s": BATCH * 1e3 / _median(batched[role]),
        }
        for role in roles
    }
    speed["routed"]["latency_ms"]["peak"] = timer.peak(single["routed"])
    routed, batch = typicals["routed"]["1"].mean, _median(batched["routed"])
    shares = timer.shares(len(single["routed"]))
    ideal = _ideal(single, shares, little_is_asked=timer.sessions.little_tower is not None)
    float_times = {
        role: {str(size): timer.typical(times[size][f"fp32_{role}"], size, routed=False).to_json() for size in turns}
        for role in others
    }
    return speed | {
        **({"fp32_times_ms": float_times} if others else {}),
        "ratio_to_ideal": {
            "batch_1": routed / ideal,
            "batch_64": batch / _median(np.add(batched["light"], batched["towers"])),
        },
        "ratio_to_two_calls": {
            "batch_1": routed / timer.typical(single["two_calls"], 1, routed=True).mean,
            "batch_64": batch / _median(batched["two_calls"]),
        },
        "busy_looks": watch.share,
        "router_us": 1e3 * max(0.0, _median(single["score"]) - _median(single["idle"])),
    }


def _ideal(single: Times, shares: Mapping[int, float], *, little_is_asked: bool) -> float:
    """Return the ideal time of one image at batch 1; see ``latency``."""
    stem = _median(single["stem"]) if "stem" in single else 0.0
    asked = shares[2] * (_median(single["big"]) - stem)
    if little_is_asked:
        asked += shares[0] * (_median(single["little"]) - stem)
    return _median(single["light"]) + asked


def _report(progress: Progress, before: int, total: int, turns: int) -> None:
    progress(before + turns, total)


def _unheard(turns: int) -> None:
    """Take a report of further passes, which nobody waits for."""


def _percentiles(times: list[float]) -> dict[str, float]:
    return {f"p{rank}": float(np.percentile(times, rank)) for rank in (50, 90, 95, 99)}


def _median(values: Any) -> float:
    return float(np.median(values))
