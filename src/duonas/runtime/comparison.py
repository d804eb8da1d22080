"""Is routing faster on this device? The routed pair, big, little and the plain network, timed in turns.

All run on the same images, in sessions with the same settings. An image of the routed pair takes one of two ways,
little alone or with big, so that its mean time is ``a`` times that of the first plus ``1 - a`` times that of the
second, where ``a`` is the little share.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from .engine import DEFAULT, Settings, find_engine, open_engine
from .errors import BundleError, one_line
from .files import FILE_OF, MOST_MODEL, check_file
from .policy import DevicePolicy
from .session import open_session
from .timing import Call, Clock, Key, burst, clock_for

FEWEST, MOST = 3, 40  # rounds, in each of which every network has one burst
LONGEST, PART = 30.0, 0.1  # s, and part of the time of the load, after which no further round begins
ODDS = 40  # one in so many is the chance that the median lies below its interval, and that it lies above
SAME = 0.02  # times that differ by less are called equal
ALONE: tuple[str, ...] = ("big", "little", "plain")  # networks beside the routed pair, in the order of sentences
WAYS = {"stays_little": -np.inf, "asks_big": np.inf}  # of a routed image, with the threshold that makes all take it


class Time(NamedTuple):
    """The mean time of an image in ms, and the limits of its 95 % interval by the noise of timing."""

    mean: float
    lower: float
    upper: float

    def to_json(self) -> dict[str, float]:
        """The three figures by name."""
        return self._asdict()


def middle(values: Sequence[float]) -> Time:
    """The median and the exact 95 % interval of a median, from order statistics (the extremes of fewer than six)."""
    ordered, count = sorted(values), len(values)
    rank, ways = 0, count  # of so many tosses of a coin to have rank + 1 heads
    fewer, all_ways = 1, 2**count  # with at most rank heads, and with any
    while ODDS * (fewer + ways) < all_ways:
        rank += 1
        fewer += ways
        ways = ways * (count - rank) // (rank + 1)
    return Time(median(ordered), ordered[rank], ordered[-1 - rank])


def is_faster(one: Time, other: Time) -> bool:
    """Whether one is faster than the other by more than the noise of timing explains."""
    return one.mean < (1 - SAME) * other.mean and one.upper < other.lower


def compare(
    folder: Path, policy: DevicePolicy, images: np.ndarray, load: tuple[int, bool], seconds: float,
    clock: Clock | None = None, engine: str = DEFAULT,
) -> dict[str, Any]:  # fmt: skip
    """Time the networks of a bundle in turns.

    Args:
        folder: of the bundle; ``big.onnx``, ``little.onnx`` and ``single.onnx`` are timed where they are there.
        policy: of the bundle.
        images: (N, 3, H, W) uint8.
        load: CPU threads, 0 for those of ``Bundle.load``, and whether they spin.
        seconds: how long the load lasts, of which the comparison takes no more than a tenth.
        clock: times the networks; default: the one for these threads, and the wall's for an engine with its own.
        engine: what runs them.

    Returns:
        ``little_share``, the share of images that stay little at the policy's threshold; ``clock``, whether the times
        are those of the processor or of the wall; ``routing_ms``, what routing adds to an image that stays little; and
        ``networks``: the ``mean`` time of an image in ms, ``lower`` and ``upper`` for ``routed``, and for ``big``,
        ``little`` and ``plain`` as far as they are there.
    """
    settings = Settings(policy.threads(load[0]), load[1])
    clock = clock or (clock_for(settings.threads) if engine == DEFAULT else Clock())
    networks = _opened(folder, policy, settings, engine)
    end = clock.now() + min(LONGEST, PART * seconds)
    try:
        times = in_turns(partial(_calls, networks), images, clock, end)
    except Exception as error:  # the exceptions of runtimes have no common base class
        raise BundleError(f"{engine} cannot run the networks of {folder}: {one_line(error)}.") from error
    share = policy.little_share
    kept, asked = (times.pop(way) for way in WAYS)
    routed = Time(*(share * each + (1 - share) * other for each, other in zip(kept, asked, strict=True)))
    found = {"routed": routed} | {role: times[role] for role in ALONE if role in times}
    added = max(0.0, kept.mean - found["little"].mean) if "little" in found else None
    return {
        "little_share": share,
        "clock": clock.kind,
        "routing_ms": added,
        "networks": {role: time.to_json() for role, time in found.items()},
    }


def times_of(found: Mapping[str, Any]) -> dict[str, Time]:
    """The times that ``compare`` found, by role."""
    return {role: Time(**time) for role, time in found["networks"].items()}


def sentence(found: Mapping[str, Any]) -> str:
    """Say what the networks take on this device, and what routing gains over big."""
    times = times_of(found)
    listed = ", ".join(
        f"{'the plain network' if role == 'plain' else role} {time.mean:.3g} ms" for role, time in times.items()
    )
    said = f"On this device: {listed} an image"
    routed, big = times["routed"], times.get("big")
    if big is None:
        return f"{said}. big.onnx is not in the folder: bring it, too, to see whether routing is faster than big here."
    if is_faster(routed, big):
        return f"{said}: routing is {big.mean / routed.mean:.2g} times as fast as big."
    if is_faster(big, routed):
        return f"{said}: routing takes {routed.mean / big.mean:.3g} times as long as big."
    return f"{said}: routing takes as long as big, within the noise of timing."


def _opened(folder: Path, policy: DevicePolicy, settings: Settings, engine: str) -> dict[str, Callable[..., object]]:
    """The networks that are there, by role: functions of images, and for the routed pair of images and tau."""
    there = [(role, folder / name) for role, name in FILE_OF.items() if (folder / name).is_file()]
    files = {role: check_file(path, MOST_MODEL, policy.onnx) for role, path in there}
    if engine != DEFAULT:
        opened: dict[str, Callable[..., object]] = {"routed": open_engine(engine, folder, policy, settings).run}
        alone = find_engine(engine).network
        return opened | {role: alone(path, settings) for role, path in files.items() if role != "routed"}
    sessions = {role: open_session(path, settings.threads, spinning=settings.spinning) for role, path in files.items()}
    return {role: partial(_run, session, session.get_inputs()[0].name) for role, session in sessions.items()}


def _run(session: Any, entry: str, images: np.ndarray, tau: np.ndarray | None = None) -> object:
    given = {entry: images} if tau is None else {"images": images, "tau": tau}
    return session.run(None, given)


def in_turns(
    calls_for: Callable[[np.ndarray], Mapping[Key, Call]], images: np.ndarray, clock: Clock, end: float
) -> dict[Key, Time]:
    """Time calls over rounds of shuffled order, in each of which every call has one burst.

    Args:
        calls_for: the calls for an image (1, 3, H, W) uint8, the same ones in each round.
        images: (N, 3, H, W) uint8, of which each round has the next.
        clock: times the calls.
        end: in seconds of the clock, after which no further round begins; there are three at least.
    """
    order = random.Random(0)
    times: dict[Key, list[float]] = {}
    for number in range(MOST):
        if number >= FEWEST and clock.now() > end:
            break
        place = number % len(images)
        calls = list(calls_for(images[place : place + 1]).items())
        order.shuffle(calls)
        for name, call in calls:
            times.setdefault(name, []).append(burst(call, clock))
    return {name: middle(each) for name, each in times.items()}


def _calls(networks: Mapping[str, Callable[..., object]], image: np.ndarray) -> dict[str, Call]:
    given = image.astype(np.float32) / np.float32(255)
    ways: dict[str, Call] = {
        way: partial(networks["routed"], given, np.array(tau, np.float32)) for way, tau in WAYS.items()
    }
    return ways | {role: partial(run, given) for role, run in networks.items() if role != "routed"}
