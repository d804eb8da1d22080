"""Read the part of ``policy.json`` that a device needs."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath, PureWindowsPath
from reprlib import repr as short
from typing import Any, NamedTuple, get_args

import numpy as np

from .arguments import thread_count
from .choose import FLOORS, at_budget, at_floor, at_share
from .errors import BundleError
from .files import MOST_POLICY, read
from .prepare import KINDS, MOST_SIZE, Preparation, Resize
from .strict_json import parse_json

VERSION = 2
MOST_IMAGES = 10**9  # that a table can be counted on
# Up to so many MACs of the dearest path one thread is as fast as two that sleep while they wait: each of about 50
# layers wakes a thread, which takes some 10 us (benchmarks/2026-11-30-overhead).
MACS_OF_ONE_THREAD = 50e6


class Row(NamedTuple):
    """A threshold and its figures on the calib images that tau was chosen on.

    Args:
        tau: the threshold.
        little_share: fraction of the images that stays little, in [0, 1].
        accuracy: in [0, 1].
        accuracy_lower: one-sided lower bound on the accuracy, for this threshold only.
        accuracy_upper: one-sided upper bound.
        holds: guaranteed accuracy floor; 0 where the threshold was chosen on the same images.
        expected_macs: expected MACs per image.
        expected_ms: expected latency per image on the machine where the pair was timed; ``None`` if it was not timed.
    """

    tau: float
    little_share: float
    accuracy: float
    accuracy_lower: float
    accuracy_upper: float
    holds: float
    expected_macs: float
    expected_ms: float | None = None


# The least and most that each figure can be; only tau can be infinite.
FRACTION, COST = (0.0, 1.0), (0.0, sys.float_info.max)
RANGES = {
    **dict.fromkeys(Row._fields, FRACTION),
    "tau": (-math.inf, math.inf),
    "expected_macs": COST,
    "expected_ms": COST,
}


@dataclass(frozen=True)
class DevicePolicy:
    """How a bundle routes.

    Args:
        tau: an image stays little if ``score >= tau``.
        table: other thresholds to choose from.
        num_classes: number K of classes.
        class_names: (K,), or empty.
        onnx: SHA-256 of each file by its name.
        floor_on: what the floors in the table guarantee, a key of ``choose.FLOORS``.
        preparation: what makes a square of 8-bit RGB of an image; ``None`` where the policy does not say it.
        images: number of calib images that the table was counted on; 0 where the policy does not say it.
        little_temperature: divisor of little's logits for calibrated probabilities.
        big_temperature: divisor of big's logits for calibrated probabilities.
    """

    tau: float
    table: tuple[Row, ...]
    num_classes: int
    class_names: tuple[str, ...]
    onnx: dict[str, str]
    floor_on: str = "accuracy"
    preparation: Preparation | None = None
    images: int = 0
    little_temperature: float = 1.0
    big_temperature: float = 1.0

    @property
    def little_share(self) -> float:
        """The share of the calib images that stay little at tau, in [0, 1]; between two rows that of the upper."""
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            tau = np.float32(self.tau)
            above = [row for row in self.table if np.float32(row.tau) >= tau]
        return (above or self.table[:1])[-1].little_share

    def at_budget(self, expected_macs: float) -> Row:
        """Return the most accurate row of at most ``expected_macs`` per image; of equals the cheapest."""
        return self.table[at_budget(self._column("expected_macs"), self._column("accuracy"), expected_macs)]

    def at_latency(self, expected_ms: float) -> Row:
        """Return the most accurate row of at most ``expected_ms`` per image; of equals the fastest."""
        if any(row.expected_ms is None for row in self.table):
            raise BundleError("this pair was not timed: `duonas route RUN --latency 2ms` times it.")
        found = at_budget(self._column("expected_ms"), self._column("accuracy"), expected_ms, "a latency", "ms")
        return self.table[found]

    def at_share(self, little_share: float) -> Row:
        """Return the row of the nearest little share; of equals that of an infinite tau."""
        return self.table[at_share(self._column("little_share"), self._column("tau"), little_share)]

    def at_floor(self, accuracy: float) -> Row:
        """Return the cheapest row that guarantees an accuracy of at least ``accuracy``; see ``floor_on``."""
        return self.table[at_floor(self._column("holds"), accuracy, self.floor_on)]

    def threads(self, asked: int) -> int:
        """Return the number of CPU threads to run with, where 0 is ONNX Runtime's own choice, one for each core.

        Args:
            asked: the number that was asked for; 0: what is usual for a pair of this size.

        Raises:
            BundleError: it is no number of threads.
        """
        return usual_threads(asked, float(self._column("expected_macs").max()))

    def _column(self, name: str) -> np.ndarray:
        return np.array([getattr(row, name) for row in self.table])


def usual_threads(asked: int, dearest: float) -> int:
    """Return ``asked``, or where it is 0 one thread for a pair whose dearest path has few MACs; see ``threads``."""
    return thread_count(asked) or (1 if dearest <= MACS_OF_ONE_THREAD else 0)


def load_policy(path: Path) -> DevicePolicy:
    """Read ``policy.json``.

    Raises:
        BundleError: the file is missing, damaged or of another version.
    """
    try:
        value = parse_json(read(path, MOST_POLICY))
        found = value.get("version") if isinstance(value, dict) else None
        if found != VERSION:
            raise BundleError(f"{path} must be a policy of version {VERSION}, got version {short(found)}.")
        return _parsed(value)
    except KeyError as error:
        raise BundleError(f"{path} is damaged: {error.args[0]!r} is missing.") from error
    except (TypeError, ValueError) as error:
        raise BundleError(f"{path} is damaged: {error}.") from error


def read_number(value: Any) -> float:
    """Read a number from JSON, where infinite ones are ``"inf"`` and ``"-inf"``.

    Raises:
        TypeError: it is no number.
        ValueError: it is NaN, or too large.
    """
    if value in ("inf", "-inf"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, got {short(value)}")
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError("a number is too large") from error
    if math.isnan(number):
        raise ValueError("a number is NaN")
    return number


def read_table(rows: Any) -> tuple[Row, ...]:
    """Read the table from JSON.

    Raises:
        KeyError, TypeError, ValueError: a value is missing, of the wrong type or out of its range, or the rows are not
            in order.
    """
    if not isinstance(rows, list):
        raise TypeError(f"the table must be a list, got {short(rows)}")
    table = tuple(map(read_row, rows))
    if not table:
        raise ValueError("the table is empty")
    if len({row.expected_ms is None for row in table}) > 1:
        raise ValueError("some rows of the table have expected_ms, and some do not")
    for one, next_one in pairwise(table):
        if not (one.tau > next_one.tau and one.little_share <= next_one.little_share):
            raise ValueError("the table must go down in tau and up in little_share, from row to row")
    return table


def read_row(value: Any) -> Row:
    """Read a row of the table from JSON.

    Raises:
        KeyError, TypeError, ValueError: a value is missing, of the wrong type or out of its range.
    """
    if not isinstance(value, dict):
        raise TypeError(f"a row of the table must be an object, got {short(value)}")
    if unknown := value.keys() - set(Row._fields):
        raise ValueError(f"a row of the table has an unknown key {short(min(unknown))}")
    needed = [name for name in Row._fields if name in value or name != "expected_ms"]
    figures = {name: read_number(value[name]) for name in needed}
    for name, figure in figures.items():
        least, most = RANGES[name]
        if not least <= figure <= most:
            raise ValueError(f"{name} must be from {least:g} to {most:g}, got {figure:g}")
    return Row(**figures)


def _parsed(value: dict[str, Any]) -> DevicePolicy:
    classes = value["num_classes"]
    if isinstance(classes, bool) or not isinstance(classes, int):
        raise TypeError(f"num_classes must be an integer, got {short(classes)}")
    return DevicePolicy(
        tau=read_number(value["tau"]),
        table=read_table(value["table"]),
        num_classes=classes,
        class_names=_class_names(value["class_names"], classes),
        onnx=_checksums(value["onnx"]),
        floor_on=read_floor_on(value),
        preparation=read_preparation(value) if "image_size" in value else None,
        images=_count(value.get("images", 0)),
        little_temperature=_temperature(value, "little_temperature"),
        big_temperature=_temperature(value, "big_temperature"),
    )


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"images must be an integer, got {short(value)}")
    if not 0 <= value <= MOST_IMAGES:
        raise ValueError(f"images must be from 0 to {MOST_IMAGES}, got {short(value)}")
    return value


def _temperature(policy: dict[str, Any], name: str) -> float:
    found = read_number(policy.get(name, 1.0))
    if not 0 < found < math.inf:
        raise ValueError(f"{name} must be above 0, got {found:g}")
    return found


def read_floor_on(policy: dict[str, Any]) -> str:
    """Read what the floors of a policy guarantee: the accuracy, where the policy does not say it.

    Raises:
        ValueError: it is none of ``choose.FLOORS``.
    """
    found = policy.get("floor_on", "accuracy")
    if not isinstance(found, str) or found not in FLOORS:
        raise ValueError(f"floor_on must be one of {', '.join(FLOORS)}, got {short(found)}")
    return found


def read_preparation(value: Mapping[str, Any]) -> Preparation:
    """Read how images become squares from the keys ``image_size``, ``resize``, ``white``, ``float_white``, ``kinds``.

    Raises:
        KeyError, TypeError, ValueError: a value is missing, of the wrong type or out of its range.
    """
    size, resize = value["image_size"], value.get("resize", "crop")
    whites = {"white": value.get("white")}
    whites["float_white"] = value.get("float_white", whites["white"])  # files without it have one white for both
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"image_size must be an integer, got {short(size)}")
    if not 0 < size <= MOST_SIZE:
        raise ValueError(f"image_size must be from 1 to {MOST_SIZE}, got {short(size)}")
    if resize not in get_args(Resize):
        raise ValueError(f"resize must be one of {', '.join(get_args(Resize))}, got {short(resize)}")
    for name, white in whites.items():
        if white is not None and not 0 < read_number(white) < math.inf:
            raise ValueError(f"{name} must be above 0, got {short(white)}")
    kinds = value.get("kinds", [])
    if not isinstance(kinds, list | tuple) or any(kind not in KINDS for kind in kinds):
        raise ValueError(f"kinds must be some of {', '.join(KINDS)}, got {short(kinds)}")
    white, float_white = (None if white is None else float(white) for white in whites.values())
    return Preparation(size, resize, white, float_white, tuple(kinds))


def _class_names(names: Any, classes: int) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"class_names must be a list of texts, got {short(names)}")
    if len(names) not in (0, classes):
        raise ValueError(f"there are {classes} classes, but {len(names)} class_names")
    for name in names:
        name.encode()  # half of a surrogate pair is no text: it cannot be printed
    return tuple(names)


def _checksums(files: Any) -> dict[str, str]:
    if not isinstance(files, dict):
        raise TypeError(f"onnx must be an object, got {short(files)}")
    for name, checksum in files.items():
        if name in ("", "..") or {name} != {PurePosixPath(name).name, PureWindowsPath(name).name}:
            raise ValueError(f"{short(name)} must be the name of a file beside the policy, without folders")
        if not isinstance(checksum, str) or not re.fullmatch("[0-9a-f]{64}", checksum):
            raise ValueError(f"the checksum of {short(name)} must be a SHA-256 in hex, got {short(checksum)}")
    return files
