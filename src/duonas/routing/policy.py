"""The routing policy of a pair: its router, threshold and costs, as a versioned file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_json
from duonas.routing.constraints import ConstraintCheck
from duonas.routing.floor import Rungs
from duonas.routing.options import FloorOn
from duonas.routing.router import Router, read_router, write_router
from duonas.routing.threshold import Curve
from duonas.runtime.policy import VERSION, Row, read_floor_on, read_number, read_preparation, read_table
from duonas.runtime.prepare import Preparation


@dataclass(frozen=True)
class Policy:
    """A router, its threshold, and a table of other thresholds to choose from on the device.

    Args:
        router: the fitted router; the file holds its weights too.
        tau: a row stays little where ``score >= tau``.
        choice: how tau was chosen, such as ``{"floor": 0.9}``; empty if tau is not chosen yet.
        table: trade-offs by ascending little share, with a row for tau.
        costs: costs of the pair's parts in MACs.
        num_classes: number K of classes.
        preparation: what makes a square of 8-bit RGB of an image.
        times: latencies of the pair in ms, if it was timed.
        confidence: confidence of the bounds in the table.
        floor_on: what the floors in the table guarantee: ``accuracy``, ``balanced`` or ``worst_class``.
        constraints: of the search, and what the pair takes of each at tau.
        images: number of calib images that tau was chosen on.
        little_temperature: divisor of little's logits for calibrated probabilities.
        big_temperature: divisor of big's logits for calibrated probabilities.
        class_names: (K,), or empty.
        splits: hashes of the splits.
        onnx: SHA-256 of each exported file by its name; filled at export.
    """

    router: Router
    tau: float
    choice: Mapping[str, float]
    table: tuple[Row, ...]
    costs: PairCost
    num_classes: int
    preparation: Preparation
    times: PairCost | None = None
    confidence: float = 0.95
    floor_on: FloorOn = "accuracy"
    constraints: tuple[ConstraintCheck, ...] = ()
    images: int = 0
    little_temperature: float = 1.0
    big_temperature: float = 1.0
    class_names: tuple[str, ...] = ()
    splits: Mapping[str, str] = field(default_factory=dict)
    onnx: Mapping[str, str] = field(default_factory=dict)

    def belonging_to(self, onnx: Mapping[str, str]) -> Policy:
        """Return this policy for these files, given as name to SHA-256."""
        return replace(self, onnx=dict(onnx))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value from which ``from_json`` builds an equal policy."""
        return {
            "version": VERSION,
            "router": write_router(self.router),
            "little_temperature": self.little_temperature,
            "big_temperature": self.big_temperature,
            "tau": self.tau,
            "choice": dict(self.choice),
            "confidence": self.confidence,
            "floor_on": self.floor_on,
            "constraints": [each.to_json() for each in self.constraints],
            "images": self.images,
            "table": [_known(row) for row in self.table],
            "costs": asdict(self.costs),
            **({} if self.times is None else {"times_ms": asdict(self.times)}),
            "splits": dict(self.splits),
            "onnx": dict(self.onnx),
            "num_classes": self.num_classes,
            **asdict(self.preparation),
            "class_names": list(self.class_names),
        }

    @classmethod
    def from_json(cls, value: Any) -> Policy:
        """Build the policy from the result of ``to_json``.

        Raises:
            DuonasError: the version or router is unknown, or a value is missing or of the wrong type.
        """
        version = value.get("version") if isinstance(value, dict) else None
        if version != VERSION:
            raise DuonasError(f"expected a policy of version {VERSION}, got version {version!r}.")
        try:
            return cls(
                router=read_router(value["router"]),
                tau=read_number(value["tau"]),
                choice={str(name): float(x) for name, x in value["choice"].items()},
                table=read_table(value["table"]),
                costs=PairCost(**value["costs"]),
                times=PairCost(**value["times_ms"]) if "times_ms" in value else None,
                confidence=float(value["confidence"]),
                floor_on=cast(FloorOn, read_floor_on(value)),
                constraints=tuple(map(ConstraintCheck.from_json, value.get("constraints", ()))),
                images=int(value["images"]),
                num_classes=int(value["num_classes"]),
                preparation=read_preparation(value),
                little_temperature=float(value["little_temperature"]),
                big_temperature=float(value["big_temperature"]),
                class_names=tuple(map(str, value["class_names"])),
                splits=dict(value["splits"]),
                onnx=dict(value["onnx"]),
            )
        except KeyError as error:
            raise DuonasError(f"the policy lacks {error.args[0]!r}.") from error
        except (TypeError, ValueError, AttributeError, LookupError, OverflowError) as error:
            raise DuonasError(f"the policy is damaged: {error}.") from error

    def save(self, path: Path) -> Path:
        """Write ``policy.json``, atomically."""
        return write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Read ``policy.json``.

        Raises:
            DuonasError: the file is missing, damaged or of another version.
        """
        value = read_json(path)
        try:
            return cls.from_json(value)
        except DuonasError as error:
            raise DuonasError(f"{path} cannot be used: {error}") from error


def tabulate(
    curve: Curve, rungs: Rungs, chosen: float, confidence: float, cost: PairCost, times: PairCost | None = None
) -> tuple[Row, ...]:
    """Return the rows of a trade-off curve at the thresholds that were fixed in advance and at the chosen one.

    Args:
        curve: curve of the images that tau was chosen on.
        rungs: thresholds that were fixed without these images, and what each guarantees.
        chosen: tau, one of these thresholds or not.
        confidence: confidence of the bounds.
        cost: cost of the pair in MACs.
        times: cost of the pair in ms, where known.
    """
    taus = np.unique(np.append(rungs.tau, chosen))[::-1]
    at = curve.at(taus)
    holds = np.zeros(len(taus))
    holds[np.isin(taus, rungs.tau)] = rungs.holds
    share = at.little_share
    columns = [taus, share, at.accuracy, at.accuracy_lower(confidence), at.accuracy_upper(confidence), holds,
               cost.expected(share)]  # fmt: skip
    if times is not None:
        columns.append(times.expected(share))
    return tuple(Row(*map(float, row)) for row in zip(*columns, strict=True))


def _known(row: Row) -> dict[str, float]:
    return {name: value for name, value in row._asdict().items() if value is not None}
