"""How a pair routes, as a versioned file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_json
from duonas.routing.router import Router
from duonas.routing.routers.make import read_router, write_router
from duonas.routing.threshold import Curve

VERSION = 2


@dataclass(frozen=True)
class Row:
    """A threshold and what it gives on the images that tau was chosen on.

    Args:
        tau: the threshold.
        little_share: what stays little there, in [0, 1].
        accuracy: what is right there, in [0, 1].
        accuracy_lower: one-sided bound, for this threshold alone.
        accuracy_upper: likewise.
        holds: the accuracy floor that can be promised with this threshold (``Curve.holds``); 0 where the threshold was
            taken from the very images that it is judged on.
        expected_macs: an image.
        expected_ms: an image, where the pair was timed.
    """

    tau: float
    little_share: float
    accuracy: float
    accuracy_lower: float
    accuracy_upper: float
    holds: float
    expected_macs: float
    expected_ms: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The known figures by name."""
        return {name: _written(value) for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Policy:
    """A router, its threshold, and the table from which another one can be taken on the device.

    Args:
        router: gives the score; the file holds its weights, so that nothing can go astray.
        tau: a row stays little where ``score >= tau``.
        choice: how tau was chosen, such as ``{"floor": 0.9}``; empty before it was.
        table: trade-offs by rising little share, tau's own among them.
        costs: the pair's parts in MACs.
        times: the pair's ways in ms, where it was timed.
        confidence: of the bounds in the table.
        images: how many of the calib split tau was chosen on.
        little_temperature: what little's logits are divided by for calibrated probabilities.
        big_temperature: likewise.
        num_classes: K.
        image_size: side of the square images, in pixels.
        class_names: (K,), or empty.
        splits: the hashes of the splits.
        onnx: file name to SHA-256 of the files this policy belongs to; filled at export.
    """

    router: Router
    tau: float
    choice: Mapping[str, float]
    table: tuple[Row, ...]
    costs: PairCost
    num_classes: int
    image_size: int
    times: PairCost | None = None
    confidence: float = 0.95
    images: int = 0
    little_temperature: float = 1.0
    big_temperature: float = 1.0
    class_names: tuple[str, ...] = ()
    splits: Mapping[str, str] = field(default_factory=dict)
    onnx: Mapping[str, str] = field(default_factory=dict)

    def belonging_to(self, onnx: Mapping[str, str]) -> Policy:
        """The same policy for these files (name to SHA-256)."""
        return replace(self, onnx=dict(onnx))

    def to_json(self) -> dict[str, Any]:
        """A JSON value from which ``from_json`` makes an equal policy; infinite tau as ``"inf"`` and ``"-inf"``."""
        return {
            "version": VERSION,
            "router": write_router(self.router),
            "little_temperature": self.little_temperature,
            "big_temperature": self.big_temperature,
            "tau": _written(self.tau),
            "choice": dict(self.choice),
            "confidence": self.confidence,
            "images": self.images,
            "table": [row.to_json() for row in self.table],
            "costs": asdict(self.costs),
            **({} if self.times is None else {"times_ms": asdict(self.times)}),
            "splits": dict(self.splits),
            "onnx": dict(self.onnx),
            "num_classes": self.num_classes,
            "image_size": self.image_size,
            "class_names": list(self.class_names),
        }

    @classmethod
    def from_json(cls, value: Any) -> Policy:
        """The policy that ``to_json`` described.

        Raises:
            DuonasError: another version, another router, or something missing or of the wrong kind.
        """
        version = value.get("version") if isinstance(value, dict) else None
        if version != VERSION:
            raise DuonasError(f"not a policy of version {VERSION}: its version is {version!r}.")
        try:
            return cls(
                router=read_router(value["router"]),
                tau=_number(value["tau"]),
                choice={str(name): float(x) for name, x in value["choice"].items()},
                table=tuple(Row(**{name: _number(x) for name, x in row.items()}) for row in value["table"]),
                costs=PairCost(**value["costs"]),
                times=PairCost(**value["times_ms"]) if "times_ms" in value else None,
                confidence=float(value["confidence"]),
                images=int(value["images"]),
                num_classes=int(value["num_classes"]),
                image_size=int(value["image_size"]),
                little_temperature=float(value["little_temperature"]),
                big_temperature=float(value["big_temperature"]),
                class_names=tuple(map(str, value["class_names"])),
                splits=dict(value["splits"]),
                onnx=dict(value["onnx"]),
            )
        except KeyError as error:
            raise DuonasError(f"the policy lacks {error.args[0]!r}.") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise DuonasError(f"the policy is damaged: {error}.") from error

    def save(self, path: Path) -> Path:
        """Write ``policy.json``, atomically."""
        return write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Read ``policy.json``; what is wrong with it is said with its path."""
        value = read_json(path)
        try:
            return cls.from_json(value)
        except DuonasError as error:
            raise DuonasError(f"{path} cannot be used: {error}") from error


def tabulate(
    curve: Curve, ladder: np.ndarray, chosen: float, confidence: float, cost: PairCost, times: PairCost | None = None
) -> tuple[Row, ...]:
    """The rows of a trade-off curve at the thresholds of a ladder, and at the chosen one.

    Args:
        curve: of the images that tau was chosen on.
        ladder: (G,) thresholds that were fixed without these images, falling from +inf.
        chosen: tau, on the ladder or not.
        confidence: of the bounds.
        cost: of the pair in MACs.
        times: likewise in ms, where known.
    """
    taus = np.unique(np.append(ladder, chosen))[::-1]
    at, fixed = curve.at(taus), np.isin(taus, ladder)
    share, lower = at.little_share, at.accuracy_lower(confidence)
    holds = np.zeros(len(taus))
    holds[fixed] = np.minimum.accumulate(lower[fixed])
    columns = [taus, share, at.accuracy, lower, at.accuracy_upper(confidence), holds, cost.expected(share)]
    if times is not None:
        columns.append(times.expected(share))
    return tuple(Row(*map(float, row)) for row in zip(*columns, strict=True))


def _written(tau: float) -> float | str:
    return tau if math.isfinite(tau) else "inf" if tau > 0 else "-inf"


def _number(value: float | str) -> float:
    number = float(value)
    if np.isnan(number):
        raise ValueError("a number is NaN")
    return number
