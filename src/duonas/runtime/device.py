"""What the blocks, networks and routed pairs of a device kit take on this machine."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from math import ceil, inf
from pathlib import Path
from statistics import mean, median
from typing import Any, TypeVar

import numpy as np

from . import machine
from .device_kit import EMPTY, REFERENCE, KitPair, Manifest, NetworkTime, RawTable, Reference, RouterTime, Row, Settings
from .energy import GivenPower, Meter, energy_mj
from .errors import BundleError, one_line
from .files import MOST_MODEL, opened
from .onnx_file import check_onnx
from .session import RUNTIME, open_session
from .timing import FEWEST_ROUNDS, WAITING, Call, Clock, Watch, in_rounds

CHUNK = 64  # blocks whose sessions are open at once
# Parts of the time after which the blocks of whole networks, whole networks, and their memory must be measured. The
# last two have at least what lies between, however long the blocks took.
BLOCKS, WHOLE, MEMORY = 0.5, 0.75, 0.9
FEWEST = 20  # blocks that others are fitted from
PARTS = 5  # of a pair that are timed
INSIDE = 0.1  # of a block's time that is left at least where the time of an empty call is taken off
Key = TypeVar("Key", bound=Hashable)
Report = Callable[[str, int, int, float], None]  # of what, how many, of how many, seconds that are left
PeakMemory = Callable[[Path], int | None]  # bytes that the process of a network takes; None if that is not known


def silent(what: str, done: int, total: int, left: float) -> None:
    """Report nothing."""


@dataclass
class Device:
    """Measures the files of a kit on this machine.

    Args:
        folder: of the kit.
        manifest: its content.
        settings: threads, spinning, provider and minutes.
        meter: of energy; ``None`` if there is none.
        peak_memory: measures the memory that one network takes, in a process of its own.
        report: is told what is done.
        clock: time; by which one calls are timed depends on the settings, see ``clock_for``.
    """

    folder: Path
    manifest: Manifest
    settings: Settings
    meter: Meter | None
    peak_memory: PeakMemory
    report: Report = silent
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self._start = self.clock.now()
        self._random = random.Random(0)
        self._rows: dict[int, float] = {}  # ms by the place of a block in the manifest
        self._networks: dict[int, NetworkTime] = {}
        self._routers: dict[str, RouterTime] = {}
        self._powers: list[float] = []  # W of each network
        self._failed: dict[str, str] = {}  # why, by file
        self._watch = Watch(self._open(REFERENCE), self.clock, WAITING * 60 * self.settings.minutes)

    def measure(self) -> None:
        """Measure all that there is time for; after Ctrl-C, what was measured until then stays.

        Raises:
            BundleError: ONNX Runtime cannot run the first block.
        """
        first = len({place for network in self.manifest.networks for place in network.blocks})
        with suppress(KeyboardInterrupt):
            self._empty = in_rounds({EMPTY: self._open(EMPTY)}, self._watch, inf, self._random)[EMPTY]
            self._measure_blocks(self._one_of_each_kind(), self._until(BLOCKS))
            self._measure_blocks(range(first), self._until(BLOCKS))
            self._measure_networks()
            self._measure_memory(self._stage(WHOLE, MEMORY))
            self._measure_blocks(range(len(self.manifest.blocks)), self._until(1))

    def table(self) -> RawTable:
        """The table of what was measured; blocks of networks that were not have a row without figures.

        Raises:
            BundleError: no block was measured.
        """
        if not self._rows:
            why = next(iter(self._failed.values()), f"the time was too short{self._more()}")
            raise BundleError(f"no block could be measured: {why}.")
        found = [network for _, network in sorted(self._networks.items())]
        places = sorted({*self._rows, *(place for network in found for place in network.blocks)})
        number = {place: row for row, place in enumerate(places)}
        networks = [replace(network, blocks=tuple(number[place] for place in network.blocks)) for network in found]
        return RawTable(
            rows={self.manifest.blocks[place].block: self._row(self._rows.get(place)) for place in places},
            about=self._about(),
            networks=tuple(networks),
            routers={name: found.drawing(self._power) for name, found in self._routers.items()},
            reference=Reference(self._watch.least, median(self._watch.times), round(self._watch.share, 4)),
            energy=self.meter.describe() if self.meter and self._power is not None else {},
        )

    @property
    def failed(self) -> Mapping[str, str]:
        """Why files could not be measured, by their name."""
        return self._failed

    @property
    def shortage(self) -> str:
        """That the time was too short for a table of use, and what would do, in a sentence; empty if it was not."""
        blocks, of = len(self._rows), len(self.manifest.blocks)
        few = blocks < min(FEWEST, of)
        if self.clock.now() < self._until(1) or (self._networks and not few):
            return ""
        missed = "others can be fitted" if few else "a whole network was measured, which tells the error of the table"
        return f"the time was over after {blocks:,} of {of:,} blocks, before {missed}{self._more()}."

    def _more(self) -> str:
        """The minutes that all networks, their blocks and the pairs would take, as far as can be told from the pace."""
        if not self._watch.bursts:
            return ""
        manifest = self.manifest
        calls = len({place for network in manifest.networks for place in network.blocks})
        calls += len(manifest.networks) + PARTS * len(manifest.pairs)
        seconds = (self.clock.now() - self._start) / self._watch.bursts * FEWEST_ROUNDS * calls / WHOLE
        return f": give it {max(0.1, ceil(seconds / 6) / 10):g} minutes"

    def _one_of_each_kind(self) -> list[int]:
        """The first block of each kind, without which others of its kind cannot be fitted."""
        kinds: dict[str, int] = {}
        for place, block in enumerate(self.manifest.blocks):
            kinds.setdefault(block.kind, place)
        return list(kinds.values())

    def _tell(self, what: str, done: int, total: int) -> None:
        self.report(what, done, total, max(0.0, self._until(1) - self.clock.now()))

    def _until(self, part: float) -> float:
        return self._start + part * 60 * self.settings.minutes

    def _stage(self, begin: float, end: float) -> float:
        """When a stage must be over that begins now; it has its part of the time also where others took longer."""
        part = (end - begin) * 60 * self.settings.minutes
        return max(self._until(end), min(self.clock.now() + part, self._until(1)))

    def _about(self) -> dict[str, str]:
        settings = self.settings
        return {
            **{name: str(value) for name, value in machine.describe().items()},
            "runtime": RUNTIME,
            "threads": str(settings.threads),
            "spinning": str(settings.spinning).lower(),
            "provider": settings.provider,
            "clock": self.clock.kind,
            "precision": settings.precision,
            "date": date.today().isoformat(),
            "space": self.manifest.space,
            "image_size": str(self.manifest.image_size),
            "minutes": f"{settings.minutes:g}",
        }

    def _row(self, latency: float | None) -> Row:
        if latency is None:
            return Row(None, origin="fitted")
        return Row(latency, None if self._power is None else self._power * latency)  # W times ms is mJ

    @property
    def _power(self) -> float | None:
        """The mean power in W of whole networks, by which the energy of blocks is told from their time."""
        if isinstance(self.meter, GivenPower):
            return self.meter.watts
        return mean(self._powers) if self._powers else None

    def _measure_blocks(self, places: Sequence[int], until: float) -> None:
        """Measure those blocks that were not yet, some at a time, each in its part of the time that is left."""
        places = [place for place in places if place not in self._rows]
        for begin in range(0, len(places), CHUNK):
            chunk = places[begin : begin + CHUNK]
            now = self.clock.now()
            if now > until:
                return
            calls = self._calls({place: self.manifest.blocks[place].file for place in chunk})
            part = (until - now) * len(chunk) / (len(places) - begin)
            for place, latency in in_rounds(calls, self._watch, now + part, self._random).items():
                self._rows[place] = max(latency - self._empty, INSIDE * latency)
            self._tell("blocks", len(self._rows), len(self.manifest.blocks))

    def _measure_networks(self) -> None:
        """Measure whole networks and routed pairs, all in turns."""
        files = {f"network {number}": each.file for number, each in enumerate(self.manifest.networks)}
        calls = self._calls(files)
        for number, pair in enumerate(self.manifest.pairs):
            calls |= {f"{part} {number}": call for part, call in self._pair_calls(pair).items()}
        self._tell("networks", 0, len(files))
        times = in_rounds(calls, self._watch, self._stage(BLOCKS, WHOLE), self._random)
        for number, network in enumerate(self.manifest.networks):
            name = f"network {number}"
            if name in times:
                energy = self._energy(calls[name], times[name])
                self._networks[number] = NetworkTime(network.blocks, network.use, times[name], energy_mj=energy)
        self._routers = _routing(self.manifest.pairs, times)
        self._tell("networks", len(self._networks), len(files))

    def _pair_calls(self, pair: KitPair) -> dict[str, Call]:
        files = {"little": pair.little, "big": pair.big} | ({"stem": pair.stem} if pair.stem else {})
        calls = self._calls(files)
        for name, tau in (("kept", -np.inf), ("asked", np.inf)):
            with self._noted(pair.routed):
                calls[name] = self._open(pair.routed, tau)
        return calls

    def _energy(self, call: Call, latency: float) -> float | None:
        """Return the energy of one image in mJ; ``None`` without a meter."""
        if self.meter is None:
            return None
        if isinstance(self.meter, GivenPower):
            return self.meter.watts * latency
        found = energy_mj(self.meter, call, clock=self.clock.now)
        self._powers.append(found / latency)
        return found

    def _measure_memory(self, until: float) -> None:
        for done, (number, found) in enumerate(self._networks.items(), 1):
            if self.clock.now() > until:
                return
            file = self.folder / self.manifest.networks[number].file
            self._networks[number] = replace(found, peak_memory_bytes=self.peak_memory(file))
            self._tell("memory of networks", done, len(self._networks))

    def _calls(self, files: Mapping[Key, str]) -> dict[Key, Call]:
        """Return a call for each file that ONNX Runtime can run."""
        calls: dict[Key, Call] = {}
        for key, file in files.items():
            with self._noted(file):
                calls[key] = self._open(file)
        return calls

    def _open(self, file: str, tau: float = 0.0) -> Call:
        return open_call(self.folder / file, self.settings, tau)

    @contextmanager
    def _noted(self, file: str) -> Iterator[None]:
        """Note why a file cannot be run, and go on with the others."""
        try:
            yield
        except BundleError as error:
            self._failed[file] = str(error).rstrip(".")


def open_call(path: Path, settings: Settings, tau: float = 0.0) -> Call:
    """Open a network, and return a call that runs it on one random image.

    Raises:
        BundleError: it is no ONNX file or needs others, or ONNX Runtime cannot open or run it.
    """
    with opened(path, MOST_MODEL) as file:
        check_onnx(path, file)
    session = open_session(path, settings.threads, spinning=settings.spinning, provider=settings.provider)
    given = {each.name: _input(each, tau) for each in session.get_inputs()}

    def call() -> object:
        return session.run(None, given)

    try:
        call()
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        raise BundleError(f"ONNX Runtime cannot run {path}: {one_line(error)}.") from error
    return call


def _input(node: Any, tau: float) -> np.ndarray:
    """Return what is fed for an input of a session: the threshold, or one image or feature map of random values."""
    kind = np.float16 if node.type == "tensor(float16)" else np.float32
    if not node.shape:
        return np.array(tau, kind)
    shape = [side if isinstance(side, int) else 1 for side in node.shape]
    return np.random.default_rng(0).random(shape).astype(kind)


def _routing(pairs: Sequence[KitPair], times: Mapping[str, float]) -> dict[str, RouterTime]:
    """Return what each router adds, the mean over its pairs; pairs that were not timed do not count.

    ``times`` are in ms, such as ``big 0`` of pair 0; ``kept`` and ``asked`` are those of the routed pair where all
    images stay little, and where none does.
    """
    found: dict[str, list[RouterTime]] = {}
    for number, pair in enumerate(pairs):
        parts = ["kept", "asked", "little", "big", *(["stem"] if pair.stem else [])]
        if any(f"{part} {number}" not in times for part in parts):
            continue
        kept, asked, little, big, *stem = (times[f"{part} {number}"] for part in parts)
        keep = max(0.0, kept - little)
        without_big = kept if pair.router.endswith("@after_little") else keep + sum(stem)
        ask = asked - without_big - (big - sum(stem))
        found.setdefault(pair.router, []).append(RouterTime(keep, max(0.0, ask)))
    return {
        router: RouterTime(mean(each.keep_ms for each in of), mean(each.ask_ms for each in of))
        for router, of in found.items()
    }
