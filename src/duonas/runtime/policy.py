"""Read the part of ``policy.json`` that a device needs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .choose import BundleError, at_budget, at_floor, at_share

VERSION = 2


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


@dataclass(frozen=True)
class DevicePolicy:
    """How a bundle routes.

    Args:
        tau: an image stays little if ``score >= tau``.
        table: other thresholds to choose from.
        class_names: (K,), or empty.
        onnx: SHA-256 of each file by its name.
    """

    tau: float
    table: tuple[Row, ...]
    class_names: tuple[str, ...]
    onnx: dict[str, str]

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
        """Return the cheapest row that guarantees an accuracy of at least ``accuracy``."""
        return self.table[at_floor(self._column("holds"), accuracy)]

    def _column(self, name: str) -> np.ndarray:
        return np.array([getattr(row, name) for row in self.table])


def load_policy(path: Path) -> DevicePolicy:
    """Read ``policy.json``.

    Raises:
        BundleError: the file is missing, damaged or of another version.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(f"{path} does not exist, but every exported bundle has one.") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} is damaged: {error}.") from error
    found = value.get("version") if isinstance(value, dict) else None
    if found != VERSION:
        raise BundleError(f"{path} must be a policy of version {VERSION}, got version {found!r}.")
    try:
        return _parsed(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{path} is damaged: {type(error).__name__} {error}.") from error


def check_files(folder: Path, policy: DevicePolicy, needed: str) -> None:
    """Check the files' checksums; all but ``needed`` may be absent.

    Raises:
        BundleError: a checksum differs from the policy's, or ``needed`` is absent.
    """
    for name in {needed, *policy.onnx}:
        path = folder / name
        if not path.is_file():
            if name == needed:
                raise BundleError(f"{path} does not exist, but every exported bundle has one.")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != policy.onnx.get(name):
            raise BundleError(
                f"{folder / name} is not the file that policy.json was exported with: checksums differ, export again."
            )


def _parsed(value: dict[str, Any]) -> DevicePolicy:
    table = tuple(read_row(row) for row in value["table"])
    if not table:
        raise ValueError("the table is empty")
    return DevicePolicy(float(value["tau"]), table, tuple(map(str, value["class_names"])), dict(value["onnx"]))


def read_row(value: dict[str, Any]) -> Row:
    """Read a row of the table from JSON.

    Raises:
        KeyError, TypeError, ValueError: a value is missing or of the wrong type.
    """
    if unknown := value.keys() - set(Row._fields):
        raise ValueError(f"a row of the table has an unknown key {min(unknown)!r}")
    given = {name: float(value[name]) for name in Row._fields if name in value or name != "expected_ms"}
    if any(number != number for number in given.values()):
        raise ValueError("a number is NaN")
    return Row(**given)
