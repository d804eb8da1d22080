"""How a bundle runs on a device: its networks in turns, then minutes of sustained load.

This is paper D's stability under load (appendices D.3 and D.4). Images are classified one at a time, as fast as
possible or as frames of a camera, and what happens is summed up by windows of time. Before that the bundle tests
itself on its stored images, and the routed pair is timed in turns with big and little alone.
"""

from __future__ import annotations

import json
import math
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import machine
from .bundle import Bundle
from .comparison import compare, sentence
from .energy import GivenPower, Measurement, Meter, MeterError
from .engine import DEFAULT, find_engine
from .errors import BundleError
from .files import MODEL, POLICY, check_out, write_whole
from .golden import Golden, SelfTest, load_golden, self_test
from .histogram import Histogram
from .policy import load_policy
from .session import RUNTIME
from .timing import Clock

VERSION = 1
KIND = "sustained load"  # by which the report knows the file
WINDOWS = 120  # that a run has, about
SHORTEST, LONGEST = 1.0, 30.0  # s of a window
QUANTILES = (50, 95, 99)
EDGE, FEWEST_AT_EDGE = 0.1, 3  # part of the windows, and their least number, that are its first and its last
MOST_FPS = 1_000_000
MADE_UP = 32  # random images, where a bundle has none


@dataclass(frozen=True)
class Load:
    """What a bundle has to bear.

    Args:
        minutes: how long.
        fps: frames a second that a camera gives; ``None``: an image follows the other at once.
        threads: CPU threads of ONNX Runtime; 0: as many as ``Bundle.load`` takes for the pair.
        spinning: whether threads that wait for work within a call keep their cores busy.
        window: s of a window; ``None``: about 120 windows, of 1 to 30 s.
        engine: what runs the bundle, as ``Bundle.load`` knows it.

    Raises:
        BundleError: a figure is not above 0.
    """

    minutes: float = 10.0
    fps: float | None = None
    threads: int = 0
    spinning: bool = False
    window: float | None = None
    engine: str = DEFAULT

    def __post_init__(self) -> None:
        for name in ("minutes", "fps", "window"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise BundleError(f"{name} must be above 0, got {value:g}.")
        if self.fps is not None and self.fps > MOST_FPS:
            raise BundleError(f"fps must be at most {MOST_FPS:,}, got {self.fps:g}.")

    @property
    def seconds(self) -> float:
        """How long, in s."""
        return 60 * self.minutes

    @property
    def window_seconds(self) -> float:
        """How long a window is, in s."""
        return self.window or min(max(self.seconds / WINDOWS, SHORTEST), LONGEST)


@dataclass(frozen=True)
class Sensors:
    """What is asked of the machine at the end of each window; tests have their own."""

    temperature: Callable[[], float | None] = machine.temperature_c
    clock: Callable[[], float | None] = machine.clock_mhz
    memory: Callable[[], int | None] = machine.resident_bytes
    cpu: Callable[[], float] = time.process_time


@dataclass
class Window:
    """What is noted of a stretch of time."""

    start: float
    cpu: float
    joules: float | None
    times: array = field(default_factory=lambda: array("d"))
    kept: int = 0
    dropped: int = 0


@dataclass
class Bench:
    """Runs a bundle under load, and keeps what it finds; ``result`` may be asked at any time.

    Args:
        bundle: the bundle.
        images: (N, 3, H, W) uint8, shown in turn.
        load: what it has to bear.
        meter: of energy; ``None`` if there is none.
        clock: time and sleep.
        sensors: what is asked of the machine.
    """

    bundle: Bundle
    images: np.ndarray
    load: Load
    meter: Meter | None = None
    clock: Clock = field(default_factory=Clock)
    sensors: Sensors = field(default_factory=Sensors)
    windows: list[dict[str, Any]] = field(default_factory=list)
    times: Histogram = field(default_factory=Histogram)
    interrupted: bool = False

    def run(self, each: Callable[[], None] = lambda: None) -> None:
        """Run for as long as the load says, or until Ctrl-C, which ends it as if the time were over.

        Args:
            each: called after every window.
        """
        self.bundle.predict(self.images[:1])  # the first call is not typical
        if self.meter is None or isinstance(self.meter, GivenPower):
            self._run(None, each)
            return
        with self.meter.measuring(self.clock.now) as energy:
            self._run(energy, each)

    def _run(self, energy: Measurement | None, each: Callable[[], None]) -> None:
        begun = self.clock.now()
        window = self._open(begun, energy)
        frame, end, length = 0, begun + self.load.seconds, self.load.window_seconds
        try:
            while (now := self.clock.now()) < end:
                if now - window.start >= length and len(window.times):
                    self._close(window, now, begun, energy)
                    window = self._open(now, energy)
                    each()
                frame += self._wait(frame, begun, window)
                if self.clock.now() >= end:
                    break
                self._classify(frame, window)
                frame += 1
        except KeyboardInterrupt:
            self.interrupted = True
        if len(window.times):
            self._close(window, self.clock.now(), begun, energy)
            each()

    def _wait(self, frame: int, begun: float, window: Window) -> int:
        """Wait for a frame of the camera; return how many came and went while the last image was classified."""
        if self.load.fps is None:
            return 0
        late = (self.clock.now() - begun) * self.load.fps - frame  # in frames
        if late < 0:
            left = begun + self.load.seconds - self.clock.now()
            self.clock.sleep(max(0.0, min(-late / self.load.fps, left)))  # the next frame may come after the end
            return 0
        window.dropped += int(late)
        return int(late)

    def _classify(self, frame: int, window: Window) -> None:
        place = frame % len(self.images)
        image = self.images[place : place + 1]
        start = self.clock.now()
        found = self.bundle.predict(image)
        window.times.append((self.clock.now() - start) * 1e3)
        window.kept += bool(found.is_little[0])

    def _open(self, now: float, energy: Measurement | None) -> Window:
        return Window(now, self.sensors.cpu(), _joules(energy))

    def _close(self, window: Window, now: float, begun: float, energy: Measurement | None) -> None:
        seconds, times = now - window.start, np.frombuffer(window.times)
        self.times.add(times)
        joules = _joules(energy)
        used = None if joules is None or window.joules is None else joules - window.joules
        power = None if used is None else used / seconds
        if isinstance(self.meter, GivenPower):  # drawn while it computes, and not while it waits for a frame
            used = self.meter.watts * float(times.sum()) / 1e3
        row = {
            "start_s": window.start - begun,
            "seconds": seconds,
            "images": len(times),
            "dropped": window.dropped,
            "images_per_s": len(times) / seconds,
            "little_share": window.kept / len(times),
            **{f"p{rank}_ms": float(np.percentile(times, rank)) for rank in QUANTILES},
            "mean_ms": float(times.mean()),
            "max_ms": float(times.max()),
            "cpu_share": (self.sensors.cpu() - window.cpu) / seconds,
            "temperature_c": self.sensors.temperature(),
            "clock_mhz": self.sensors.clock(),
            "memory_bytes": self.sensors.memory(),
            "energy_mj": None if used is None else 1e3 * used / len(times),
            "watts": power,
        }
        self.windows.append(row)

    def summary(self) -> dict[str, Any]:
        """Return the figures of the whole time; empty before the first window.

        ``drift`` says whether the device became slower, see the function. ``memory_growth`` is how much more memory the
        last quarter has than the second.
        """
        if not self.windows:
            return {}
        rows = self.windows
        images, seconds = sum(row["images"] for row in rows), sum(row["seconds"] for row in rows)
        return {
            "images": images,
            "seconds": seconds,
            "dropped": sum(row["dropped"] for row in rows),
            "images_per_s": images / seconds,
            "little_share": _mean(rows, "little_share", "images"),
            **{f"p{rank}_ms": self.times.percentile(rank) for rank in QUANTILES},
            "mean_ms": _mean(rows, "mean_ms", "images"),
            "max_ms": max(row["max_ms"] for row in rows),
            "drift": drift(rows),
            "cpu_share": _mean(rows, "cpu_share", "seconds"),
            "temperature_c": _most(rows, "temperature_c"),
            "memory_bytes": _most(rows, "memory_bytes"),
            "memory_growth": _growth(rows),
            "energy_mj": _mean(rows, "energy_mj", "images"),
            "watts": _mean(rows, "watts", "seconds"),
        }


def drift(windows: Sequence[Mapping[str, Any]]) -> float | None:
    """How much slower a device became: the mean time of an image at the end, divided by that in the beginning.

    Both are medians over the last and the first tenth of the windows, three at least, so that a single window, in which
    the machine did something else, does not count. ``None`` with fewer than two windows for each.
    """
    edge = max(FEWEST_AT_EDGE, int(EDGE * len(windows)))
    edge = min(edge, len(windows) // 2)
    if edge < 2:
        return None
    times = [row["mean_ms"] for row in windows]
    return float(np.median(times[-edge:]) / np.median(times[:edge]))


def describe_machine(threads: int, *, spinning: bool) -> dict[str, Any]:
    """Return what the machine is and how ONNX Runtime runs on it, with 0 threads by its own choice."""
    return {
        **machine.describe(),
        "runtime": RUNTIME,
        "threads": threads or "default",
        "spinning": spinning,
    }


def sustained(
    folder: Path, load: Load, out: Path, meter: Meter | None = None, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Test a bundle, time its networks in turns, run it under load, and write as JSON what was found, also meanwhile.

    Args:
        folder: of the bundle.
        load: what it has to bear.
        out: the file.
        meter: of energy; ``None`` if there is none.
        say: shows a line.

    Returns:
        The content of the file.

    Raises:
        BundleError: the bundle cannot be used or fails its self-test, or the file cannot be written.
    """
    check_out(out)
    policy = load_policy(folder / POLICY)
    bundle = Bundle.load(folder, load.threads, spinning=load.spinning, engine=load.engine)
    stored = load_golden(folder, policy.onnx)
    tested = _tested(bundle, stored, say)
    images = stored.images if stored else _made_up(bundle.image_shape)
    compared = compare(folder, policy, images, (load.threads, load.spinning), load.seconds, engine=load.engine)
    say(sentence(compared))
    bench = Bench(bundle, images, load, meter)
    about = {
        "version": VERSION,
        "kind": KIND,
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "machine": describe_machine(policy.threads(load.threads), spinning=load.spinning)
        | {"runtime": find_engine(load.engine).version()},
        "load": asdict(load) | {"window": load.window_seconds},
        "bundle": {
            "onnx": {name: value for name, value in policy.onnx.items() if name != MODEL},
            "tau": _finite(bundle.tau),
        },
        "energy": None if meter is None else meter.describe(),
        "self_test": tested and tested.to_json(),
        "times": compared,
    }

    def result() -> dict[str, Any]:
        found = {"interrupted": bench.interrupted, "summary": bench.summary(), "windows": bench.windows}
        return about | found

    _write(out, result())
    bench.run(lambda: _note(out, result, bench, say))
    _write(out, result())
    return result()


def _tested(bundle: Bundle, stored: Golden | None, say: Callable[[str], None]) -> SelfTest | None:
    if stored is None:
        say("No self-test: the bundle has no golden.npz with stored images, so its answers are not checked here.")
        return None
    found = self_test(bundle, stored)
    say(found.sentence)
    return found


def _note(out: Path, result: Callable[[], dict[str, Any]], bench: Bench, say: Callable[[str], None]) -> None:
    _write(out, result())
    row = bench.windows[-1]
    done, left = row["start_s"] + row["seconds"], bench.load.seconds - row["start_s"] - row["seconds"]
    heat = "" if row["temperature_c"] is None else f", {row['temperature_c']:.0f} °C"
    say(
        f"{done:6.0f} s: {row['images_per_s']:.4g} images/s, p50 {row['p50_ms']:.3g} ms, p95 {row['p95_ms']:.3g} ms"
        f"{heat}; {max(left, 0):.0f} s left"
    )


def _write(path: Path, value: dict[str, Any]) -> None:
    write_whole(path, json.dumps(value, indent=1, allow_nan=False))


def _finite(tau: float) -> float | str:
    """Return a threshold as JSON has it, which knows no infinity."""
    return tau if math.isfinite(tau) else str(tau)


def _made_up(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (MADE_UP, *shape), dtype=np.uint8)


def _joules(energy: Measurement | None) -> float | None:
    """Return the energy so far; ``None`` without a meter, or once it cannot be read any more."""
    try:
        return None if energy is None else energy.joules
    except MeterError:
        return None


def _known(rows: list[dict[str, Any]], name: str) -> list[float]:
    return [row[name] for row in rows if row[name] is not None]


def _mean(rows: list[dict[str, Any]], name: str, weight: str) -> float | None:
    known = [row for row in rows if row[name] is not None]
    return sum(row[name] * row[weight] for row in known) / sum(row[weight] for row in known) if known else None


def _most(rows: list[dict[str, Any]], name: str) -> float | None:
    return max(_known(rows, name), default=None)


def _quarter(rows: list[dict[str, Any]], number: int, name: str) -> float | None:
    """Return the median of a figure over one quarter of the windows, from 0 to 3."""
    known = _known(rows[len(rows) * number // 4 : len(rows) * (number + 1) // 4], name)
    return float(np.median(known)) if known else None


def _growth(rows: list[dict[str, Any]]) -> float | None:
    before, after = _quarter(rows, 1, "memory_bytes"), _quarter(rows, 3, "memory_bytes")
    return None if before is None or after is None else after - before
