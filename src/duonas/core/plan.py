"""The plan of a run with a limit of time: what each of its parts gets, and what it took."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import read_json, reading, write_json
from duonas.core.text import format_seconds, plural

VERSION = 1
SUPERNET, SEARCH, PAIR, PLAIN = "supernet", "search", "pair", "plain"
UNITS = {SUPERNET: "step", SEARCH: "pair", PAIR: "step", PLAIN: "step"}
MARGIN = 1.05  # of the minutes that are said to be enough, since times vary
LONGER = 0.08  # part of the minutes that a run may take longer, so that a pair is trained as planned
STRETCH = 2.0  # times its share, up to which a search has the fewest pairs that make sense


@dataclass(frozen=True)
class Unit:
    """How long one unit of a part takes: a training step, or in a search the evaluation of a pair.

    Args:
        seconds: of a unit, as timed.
        least: the fewest units that make sense: some epochs, or some pairs.
        most: the most units that are wanted; ``None``: as many as the time allows.
        epoch: training steps of an epoch; ``None`` in a search.
    """

    seconds: float
    least: int
    most: int | None = None
    epoch: int | None = None

    def within(self, seconds: float) -> int:
        """The units that fit into a time, and never less than 1."""
        fitting = max(1, math.floor(seconds / self.seconds + 1e-9))  # rounding takes none off
        return fitting if self.most is None else min(fitting, self.most)


@dataclass(frozen=True)
class Part:
    """What a part of a run gets.

    Args:
        seconds: planned for it.
        count: training steps, or pairs to evaluate.
        unit: what it is planned by.
        begun: whether it has begun, after which its count stays.
        used: seconds that it took so far.
    """

    seconds: float
    count: int
    unit: Unit
    begun: bool = False
    used: float = 0.0

    @classmethod
    def of(cls, seconds: float, unit: Unit) -> Part:
        """The part that makes the best of a time."""
        return cls(seconds, unit.within(seconds), unit)

    @property
    def epochs(self) -> float | None:
        """Passes over the training images; ``None`` in a search."""
        return None if self.unit.epoch is None else self.count / self.unit.epoch

    def in_words(self, name: str) -> str:
        """What it gets, such as ``6:12 for 512 steps (25.3 epochs)``; ``name`` is the part's."""
        return f"{format_seconds(self.seconds)} for {self.work(name)}"

    def work(self, name: str) -> str:
        """Its steps and epochs, or the pairs that it evaluates."""
        counted = plural(self.count, UNITS[name])
        return counted if self.epochs is None else f"{counted} ({self.epochs:.3g} epoch{'s' * (self.epochs != 1)})"


@dataclass(frozen=True)
class Plan:
    """What the parts of a run get of its minutes.

    The learning rate of a training follows its steps, so a part that has begun keeps them, however fast the machine
    turns out to be. What has not begun is planned anew by what is left, each time that a part begins. What the supernet
    and the search took less than planned is the pair's; what they took more, search, pair and plain network lack in
    proportion. The plain network is trained for as long as supernet, search and pair took together, or for what is
    left.

    Args:
        minutes: of the whole run.
        before: seconds that images, device table and the timing of steps took.
        after: seconds that are kept for routing, export, measurement and report.
        parts: supernet, search, pair and plain, those of them that the run has.
    """

    minutes: float
    before: float
    after: float
    parts: Mapping[str, Part] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """What supernet, search and pair have together; the plain network takes as long again."""
        left = 60 * self.minutes - self.before - self.after
        return left / 2 if PLAIN in self.parts else left

    def begin(self, name: str, unit: Unit | None = None, after: float | None = None) -> Plan:
        """The plan when a part begins, whose time is then planned anew by what is left.

        Args:
            name: of the part; one that has begun before stays as it is.
            unit: by a newer timing than the one of the plan.
            after: seconds to keep for what comes after the trainings, by a newer estimate.
        """
        part = self.parts[name]
        if part.begun:
            return self
        plan = self if after is None else replace(self, after=after)
        unit = unit or plan._slowed(part.unit)
        if name == SEARCH:
            seconds = max(0.0, min(part.seconds, plan._proportional(name)))
            part = Part.of(max(seconds, min(unit.least * unit.seconds, STRETCH * seconds)), unit)
        elif name in (PAIR, PLAIN):
            seconds = plan._for_pair() if name == PAIR else min(plan._used(), plan._left())
            part = Part.of(max(seconds, unit.least * unit.seconds), unit)
        return plan._with(name, replace(part, begun=True))

    def shortage(self, name: str) -> str:
        """Says that a part gets less than makes sense, since the others took longer than planned; else empty."""
        part = self.parts[name]
        if part.count >= part.unit.least:
            return ""
        return (
            f"the {'plain network' if name == PLAIN else name} gets {part.work(name)}, and less than "
            f"{plural(part.unit.least, UNITS[name])} makes little sense: what came before took longer than planned, so "
            f"give more than {self.minutes:g} minutes."
        )

    def _used(self) -> float:
        return sum(part.used for name, part in self.parts.items() if name != PLAIN)

    def _left(self) -> float:
        """The seconds that all parts together still have."""
        return 60 * self.minutes - self.before - self.after - self._used()

    def _proportional(self, name: str) -> float:
        """What a part has of the time that is left, if all that have not begun lack or gain in proportion."""
        waiting = sum(part.seconds for part in self.parts.values() if not part.begun)
        return self._left() * self.parts[name].seconds / waiting

    def _for_pair(self) -> float:
        planned = self.parts[PAIR].seconds
        found = self._left()
        if PLAIN in self.parts:  # which has as long as all others, unless these took too long
            found = max(self.seconds - self._used(), self._proportional(PAIR))
        return max(found, min(planned, found + LONGER * 60 * self.minutes))

    def _slowed(self, unit: Unit) -> Unit:
        """A unit that was timed with the plan, as slow as the machine turned out to be in the supernet's training."""
        done = self.parts.get(SUPERNET)
        if done is None or not done.used:
            return unit
        return replace(unit, seconds=unit.seconds * done.used / (done.count * done.unit.seconds))

    def spend(self, name: str, seconds: float) -> Plan:
        """The plan after a part has taken some more seconds."""
        return self._with(name, replace(self.parts[name], used=self.parts[name].used + seconds))

    def _with(self, name: str, part: Part) -> Plan:
        return replace(self, parts={**self.parts, name: part})

    def rows(self) -> Iterator[tuple[str, str, float, float | None]]:
        """Yield for each part its name, what it does, the seconds planned for it, and those that it took."""
        yield "images, prices, timing", "", self.before, self.before
        for name, part in self.parts.items():
            yield "plain network" if name == PLAIN else name, part.work(name), part.seconds, part.used or None
        yield "export, measurement, report", "", self.after, None

    def in_words(self) -> str:
        """The plan in one line."""
        parts = [
            f"{name} {format_seconds(seconds)}" + (f" for {what}" if what else "")
            for name, what, seconds, _ in self.rows()
        ]
        return f"plan of {self.minutes:g} minutes: {'; '.join(parts)}"

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON, to be read by ``from_json``."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, value: Any) -> Plan:
        """Read a plan that ``to_json`` wrote."""
        if value["version"] != VERSION:
            raise ValueError(f"version {value['version']!r}, expected {VERSION}")
        parts = {name: Part(**{**part, "unit": Unit(**part["unit"])}) for name, part in value["parts"].items()}
        return cls(float(value["minutes"]), float(value["before"]), float(value["after"]), parts)

    def save(self, path: Path) -> Path:
        """Write ``plan.json``, atomically."""
        return write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read ``plan.json``.

        Raises:
            DuonasError: it is missing or damaged.
        """
        value = read_json(path)
        with reading(path):
            return cls.from_json(value)


@dataclass(frozen=True)
class Division:
    """How a run's minutes are divided.

    Args:
        minutes: of the whole run.
        before: seconds that it took already.
        after: seconds to keep for what comes after the trainings.
        shares: of supernet, search and pair, those that the run has; only their ratios count. Each part has its least
            first, so that no fixed share asks for many times what all of them need.
    """

    minutes: float
    before: float
    after: float
    shares: Mapping[str, float]

    def plan(self, units: Mapping[str, Unit]) -> Plan:
        """Return the plan.

        Args:
            units: of the parts in ``shares``, and of the plain network where one is to be trained.

        Raises:
            DuonasError: the time is too short for the least of a part that makes sense; the message says how long would
                be enough.
        """
        parts = {name: Part(0.0, 0, unit) for name, unit in units.items()}
        empty = Plan(self.minutes, self.before, self.after, parts)
        self._check(empty.seconds, units)
        seconds = self._divided(empty.seconds, units)
        if SEARCH in seconds and len(seconds) > 1:  # what a search does not need is for training
            needed = min(seconds[SEARCH], units[SEARCH].within(seconds[SEARCH]) * units[SEARCH].seconds)
            heir = PAIR if PAIR in seconds else SUPERNET
            seconds[heir] += seconds[SEARCH] - needed
            seconds[SEARCH] = needed
        seconds |= {PLAIN: empty.seconds} if PLAIN in units else {}
        return replace(empty, parts={name: Part.of(seconds[name], units[name]) for name in UNITS if name in units})

    def least(self, units: Mapping[str, Unit]) -> float:
        """The fewest minutes that are enough for the least of every part."""
        span = self._least_span(units)
        return (self.before + self.after + span * (2 if PLAIN in units else 1)) / 60

    def _divided(self, span: float, units: Mapping[str, Unit]) -> dict[str, float]:
        """The seconds of each part in ``shares``: its share of the span, or its least where that is more."""
        fixed: dict[str, float] = {}
        while True:
            free = {name: share for name, share in self.shares.items() if name not in fixed}
            left, whole = span - sum(fixed.values()), sum(free.values())
            found = {name: left * share / whole for name, share in free.items()}
            short = {name: _least(units[name]) for name in free if found[name] < _least(units[name])}
            if not short or len(short) == len(free):  # all are short of rounding alone, see _check
                return fixed | found
            fixed |= short

    def _least_span(self, units: Mapping[str, Unit]) -> float:
        """The fewest seconds of supernet, search and pair together, in which the plain network has its least, too."""
        together = sum(_least(units[name]) for name in self.shares)
        return max(together, _least(units[PLAIN])) if PLAIN in units else together

    def _check(self, span: float, units: Mapping[str, Unit]) -> None:
        if span >= self._least_span(units) * (1 - 1e-9):  # rounding must not refuse what the message says is enough
            return
        needs = ", ".join(_need(name, unit) for name, unit in units.items())
        without = {name: unit for name, unit in units.items() if name != PLAIN}
        alone = f" ({_enough(self.least(without)):g} with [baselines] plain = false)" if PLAIN in units else ""
        raise DuonasError(
            f"[budget] minutes = {self.minutes:g} is too short for the least that makes sense: here {needs}; images, "
            f"prices and timing took {format_seconds(self.before)}, and export, measurement and report are going to "
            f"take {format_seconds(self.after)}. Give {_enough(self.least(units)):g} minutes or "
            f"more{alone}, or take fewer or smaller images, or a smaller [space]."
        )


def _enough(minutes: float) -> float:
    """Minutes that are enough where so many are the least."""
    return math.ceil(10 * MARGIN * minutes) / 10


def _least(unit: Unit) -> float:
    """The seconds of the fewest units that make sense."""
    return unit.least * unit.seconds


def _need(name: str, unit: Unit) -> str:
    seconds = format_seconds(_least(unit))
    if name == SEARCH:
        return f"a search of {plural(unit.least, 'pair')} takes {seconds}"
    of = {SUPERNET: "the supernet", PAIR: "the pair", PLAIN: "the plain network"}[name]
    return f"{Part(0.0, unit.least, unit).work(name)} of {of} take {seconds}"
