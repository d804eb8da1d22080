"""Times of the networks that a pair is compared with, in turns with the pair and its own two networks alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from duonas.data.images import take
from duonas.data.ondisk import Pixels, read
from duonas.deploy.builder import THRESHOLDS
from duonas.measure.options import MeasureOptions
from duonas.measure.sessions import threads_of
from duonas.runtime.comparison import LONGEST, WAYS, Time, in_turns
from duonas.runtime.files import FILE_OF
from duonas.runtime.session import open_session
from duonas.runtime.timing import Call, Clock, clock_for

SHOWN = 40  # images, one in each round

Way = tuple[str, int]  # a network, and the exit by which an image leaves it, from 1; 0: it has one way only
PAIR: dict[str, Way] = {way: ("routed", number) for number, way in enumerate(WAYS, 1)}


@dataclass(frozen=True)
class Beside:
    """The mean times of an image at batch 1, all measured in turns.

    Args:
        pair: of the routed pair by the way of an image, ``stays_little`` and ``asks_big``, and of ``big``, ``little``
            and ``plain`` alone, as far as they are there.
        others: of each other network, by its exits; a static one has one.
        clock: ``processor`` or ``wall``, by which they are timed.
        threads: CPU threads; 0: ONNX Runtime's default.
    """

    pair: Mapping[str, Time]
    others: Mapping[str, tuple[Time, ...]]
    clock: str
    threads: int

    @property
    def ways_ms(self) -> tuple[float, float]:
        """The times of an image that stays little, and of one that goes to big."""
        return self.pair["stays_little"].mean, self.pair["asks_big"].mean

    def routed_ms(self, little_share: float) -> float:
        """The mean time of an image at a little share."""
        stays, asks = self.ways_ms
        return little_share * stays + (1 - little_share) * asks

    def to_json(self, little_share: float | None) -> dict[str, Any]:
        """What ``baselines.json`` has of the pair; its own mean time is at a little share, if that is known."""
        routed = {} if little_share is None else {"routed_ms": self.routed_ms(little_share)}
        times = {name: time.to_json() for name, time in self.pair.items()}
        return {"clock": self.clock, "threads": self.threads or "default", **routed, "times_ms": times}


def time_beside(
    bundle: Path, others: Mapping[str, Path], pixels: Pixels, options: MeasureOptions, clock: Clock | None = None
) -> Beside:
    """Time the networks of a bundle and others on the same images, one image at a time, in rounds of shuffled order.

    Each way through a routed pair, and each exit of a network that may stop early, is timed by itself, with thresholds
    at which every image takes it. The mean time of any thresholds is the sum of these, weighted by the images' shares.

    Args:
        bundle: an export folder.
        others: ONNX files by name; those with an input ``thresholds`` may stop early.
        pixels: (N, 3, H, W) uint8.
        options: the ``[measure]`` table.
        clock: times the networks; default: the one for these threads.
    """
    threads = threads_of(bundle, options)
    clock = clock or clock_for(threads)
    files = {role: bundle / name for role, name in FILE_OF.items() if (bundle / name).is_file()}
    sessions = {
        name: open_session(path, threads, spinning=options.spinning) for name, path in {**files, **others}.items()
    }
    images = read(take(pixels, np.arange(min(SHOWN, len(pixels))))).cpu().numpy()
    times = in_turns(partial(_calls, sessions), images, clock, clock.now() + LONGEST)
    pair = {name: times[way] for name, way in PAIR.items()} | {
        role: times[role, 0] for role in files if role != "routed"
    }
    known = {name: tuple(time for (own, _), time in sorted(times.items()) if own == name) for name in others}
    return Beside(pair, known, clock.kind, threads)


def _calls(sessions: Mapping[str, Any], image: np.ndarray) -> dict[Way, Call]:
    given = image.astype(np.float32) / np.float32(255)
    calls: dict[Way, Callable[[], object]] = {}
    for name, session in sessions.items():
        first, *more = session.get_inputs()
        feeds = {first.name: given}
        if not more:
            calls[name, 0] = partial(session.run, None, feeds)
        elif more[0].name == THRESHOLDS:
            for number, thresholds in enumerate(_leaving_at(more[0].shape[0]), 1):
                calls[name, number] = partial(session.run, None, feeds | {THRESHOLDS: thresholds})
        else:
            for number, tau in enumerate(WAYS.values(), 1):
                calls[name, number] = partial(session.run, None, feeds | {more[0].name: np.array(tau, np.float32)})
    return calls


def _leaving_at(early: int) -> list[np.ndarray]:
    """Return the thresholds (N - 1,) at which all images leave at each of the N exits in turn."""
    every = np.full(early, np.inf, np.float32)
    return [np.where(np.arange(early) == number, np.float32(-np.inf), every) for number in range(early + 1)]
