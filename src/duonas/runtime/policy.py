"""The part of ``policy.json`` that a device needs."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

VERSION = 2


class BundleError(Exception):
    """A bundle or an input that cannot be used; the message is one sentence for the user."""


class Row(NamedTuple):
    """A threshold and what it gave on images that the networks were not trained on.

    Args:
        tau: the threshold.
        little_share: what stayed little, in [0, 1].
        accuracy: what was right, in [0, 1].
        accuracy_lower: one-sided bound, for this threshold alone.
        accuracy_upper: likewise.
        holds: the accuracy floor that is promised with this threshold; 0: none.
        expected_macs: an image.
        expected_ms: an image, on the machine where the pair was timed; ``None``: it was not.
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
        tau: a row stays little where ``score >= tau``.
        table: other thresholds to choose from.
        class_names: (K,), or empty.
        onnx: file name to SHA-256.
    """

    tau: float
    table: tuple[Row, ...]
    class_names: tuple[str, ...]
    onnx: dict[str, str]

    def at_budget(self, expected_macs: float) -> Row:
        """The most accurate row that costs at most ``expected_macs`` an image; of equals the cheapest."""
        least = min(row.expected_macs for row in self.table)
        rows = [row for row in self.table if row.expected_macs <= expected_macs]
        if not rows:
            raise BundleError(
                f"a budget of {expected_macs:g} MACs cannot be met: the least that this pair costs is {least:g}."
            )
        return max(rows, key=lambda row: (row.accuracy, -row.expected_macs))

    def at_latency(self, expected_ms: float) -> Row:
        """The most accurate row that takes at most ``expected_ms`` an image; of equals the quickest."""
        timed = [(row.expected_ms, row) for row in self.table if row.expected_ms is not None]
        if not timed:
            raise BundleError("this pair was not timed: `duonas route RUN --latency 2ms` does that.")
        least = min(ms for ms, _ in timed)
        rows = [(row.accuracy, -ms, row) for ms, row in timed if ms <= expected_ms]
        if not rows:
            raise BundleError(
                f"a latency of {expected_ms:g} ms cannot be met: the least that this pair takes is {least:g}."
            )
        return max(rows, key=lambda found: found[:2])[2]

    def at_share(self, little_share: float) -> Row:
        """The row with the nearest little share; of equals an infinite tau, which is exact for other images too."""
        if not 0 <= little_share <= 1:
            raise BundleError(f"a little share lies between 0 and 1, not at {little_share:g}.")
        return min(self.table, key=lambda row: (abs(row.little_share - little_share), -abs(row.tau)))

    def at_floor(self, accuracy: float) -> Row:
        """The cheapest row that is promised to hold an accuracy of at least ``accuracy``."""
        best = max(row.holds for row in self.table)
        rows = [row for row in self.table if row.holds >= accuracy]
        if not rows:
            held = math.floor(best * 1e4) / 1e4  # not rounded up: what is named can be had
            raise BundleError(f"an accuracy floor of {accuracy:g} cannot be held: the highest that can is {held:.4f}.")
        return min(rows, key=lambda row: row.expected_macs)


def load_policy(path: Path) -> DevicePolicy:
    """Read ``policy.json``.

    Raises:
        BundleError: it is missing, damaged or of another version.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(f"{path} does not exist: an exported bundle has one.") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} is damaged: {error}.") from error
    found = value.get("version") if isinstance(value, dict) else None
    if found != VERSION:
        raise BundleError(f"{path} is no policy of version {VERSION}: its version is {found!r}.")
    try:
        return _parsed(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{path} is damaged: {type(error).__name__} {error}.") from error


def check_files(folder: Path, policy: DevicePolicy, needed: str) -> None:
    """Refuse files that are not those the policy was made for; all but ``needed`` may be absent."""
    for name in {needed, *policy.onnx}:
        path = folder / name
        if not path.is_file():
            if name == needed:
                raise BundleError(f"{path} does not exist: an exported bundle has one.")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != policy.onnx.get(name):
            raise BundleError(
                f"{folder / 'policy.json'} does not belong to {name}: their checksums differ, export again."
            )


def _parsed(value: dict[str, Any]) -> DevicePolicy:
    table = tuple(_row(row) for row in value["table"])
    if not table:
        raise ValueError("its table is empty")
    return DevicePolicy(float(value["tau"]), table, tuple(map(str, value["class_names"])), dict(value["onnx"]))


def _row(value: dict[str, Any]) -> Row:
    needed = {name: float(value[name]) for name in Row._fields if name != "expected_ms"}
    return Row(**needed, expected_ms=float(value["expected_ms"]) if "expected_ms" in value else None)
