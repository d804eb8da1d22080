"""How a figure is written in a cell: its mean over the seeds, and the standard deviation where there are several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any, Literal

from duonas.report.formatting import MINUS, NOTHING, count, fixed, number, size, whole


@dataclass(frozen=True)
class Kind:
    """How one kind of figure is written; ``unit`` stands in the head of the column."""

    unit: str
    write: Callable[[float], str]
    spread: Callable[[float], str] | None = None  # where a deviation is written in another way


def _signed(value: float) -> str:
    text = fixed(abs(100 * value), 2)
    return f"{'+' if value > 0 else MINUS}{text}" if text.strip("0.") else text


NUMBERS: dict[str, Kind] = {
    "percent": Kind("%", lambda value: fixed(100 * value, 2)),
    "points": Kind("points", _signed, lambda value: fixed(100 * value, 2)),
    "count": Kind("", count),
    "whole": Kind("", whole),
    "number": Kind("", number),
    "coefficient": Kind("", lambda value: fixed(value, 3)),
    "ms": Kind("ms", number),
    "us": Kind("µs", number),
    "mj": Kind("mJ", number),
    "bytes": Kind("", size),
    "minutes": Kind("min", lambda seconds: number(seconds / 60)),
    "hours": Kind("h", lambda seconds: number(seconds / 3600)),
}
KindName = Literal[
    "text",
    "percent",
    "points",
    "count",
    "whole",
    "number",
    "coefficient",
    "ms",
    "us",
    "mj",
    "bytes",
    "minutes",
    "hours",
]
Values = Mapping[int, Any]  # by seed


def cell(values: Values, kind: str) -> str:
    """Write what the runs of a row have; a dash where none has it."""
    known = [value for value in values.values() if value is not None]
    if kind == "text":
        return ", ".join(dict.fromkeys(map(str, known))) or NOTHING
    if not known:
        return NOTHING
    form = NUMBERS[kind]
    middle = form.write(mean(known))
    if len(known) < 2:
        return middle
    deviation = (form.spread or form.write)(stdev(known))
    return f"{middle} ± {deviation}" if stdev(known) else middle


def heading(title: str, kind: str) -> str:
    """The head of a column, with its unit."""
    unit = "" if kind == "text" else NUMBERS[kind].unit
    return f"{title} ({unit})" if unit else title
