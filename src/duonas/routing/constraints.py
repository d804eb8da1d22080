"""Constraints of the search, and what a deployed threshold makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from duonas.core.cost import written
from duonas.costs.options import HERE
from duonas.runtime import machine

Direction = Literal["min", "max"]
By = Literal["search", "route"]


@dataclass(frozen=True)
class Prediction:
    """What a time or an energy was predicted from.

    Args:
        table: the file of a device table, or ``"here"`` for that of the machine of the run; empty if the deployed pair
            was timed when its threshold was chosen.
        device: the name of the device; empty if the table does not tell it.
    """

    table: str
    device: str = ""

    @property
    def is_here(self) -> bool:
        """Whether it is for this machine."""
        return self.device == machine.device_name() if self.device else self.table == HERE

    @property
    def source(self) -> str:
        """What it was predicted from, in words."""
        if not self.table:
            return "the times that it had when the threshold was chosen"
        table = "the device table" if self.table == HERE else f"the device table {self.table}"
        return f"{table} of {self.device or 'the machine of the run'}" if self.device or self.table == HERE else table

    @property
    def target(self) -> str:
        """The device that it is for, in words."""
        return self.device or ("the machine of the run" if self.table == HERE else f"the device of {self.table}")


@dataclass(frozen=True)
class ConstraintCheck:
    """What a routed pair takes of a constrained metric at its threshold, before it is measured.

    Args:
        name: the metric.
        limit: of the metric, in its unit.
        direction: ``min`` if the limit is an upper one, ``max`` if it is a lower one.
        figure: the pair's own; ``None`` if it is not known.
        varies: whether the figure depends on the little share, which is that of the images that tau was chosen on.
        predicted: what a time or an energy was predicted from; ``None`` for what is counted.
        by: what kept to the limit: the search, or the target of ``[route]``.
    """

    name: str
    limit: float
    direction: Direction
    figure: float | None
    varies: bool = False
    predicted: Prediction | None = None
    by: By = "search"

    @property
    def kept(self) -> bool:
        """Whether the constraint is met."""
        return self.figure is not None and self.within(self.figure)

    def within(self, figure: float) -> bool:
        """Whether a figure meets the constraint."""
        return figure <= self.limit if self.direction == "min" else figure >= self.limit

    @property
    def sentence(self) -> str:
        """Says what the constraint is and by how much it is kept or missed."""
        side, wrong = ("at most", "above") if self.direction == "min" else ("at least", "below")
        who = "search" if self.by == "search" else "target of [route]"
        asked = f"the {who} kept {self.name} to {side} {written(self.name, self.limit)}"
        if self.figure is None:
            return f"{asked}; that of the deployed pair is not known"
        joined = "and" if self.kept else "but"
        missed = "" if self.kept else f", {abs(self.figure / self.limit - 1):.1%} {wrong} it"
        return f"{asked}, {joined} the deployed pair {self._found(written(self.name, self.figure))}{missed}"

    def _found(self, figure: str) -> str:
        if self.predicted is None:
            return f"has {figure}{' on calib' if self.varies else ''}"
        share = ", with its little share on calib" if self.varies else ""
        return f"is predicted to have {figure} by {self.predicted.source}{share}"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value, to be read by ``from_json``."""
        return asdict(self) | {"kept": self.kept}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ConstraintCheck:
        """Read a value that ``to_json`` returned; one of an earlier version does not tell what predicted it.

        Raises:
            KeyError, TypeError, ValueError: a value is missing or wrong.
        """
        figure, predicted, by = value["figure"], value.get("predicted"), value.get("by", "search")
        if value["direction"] not in get_args(Direction):
            raise ValueError(f"a constraint has the direction {value['direction']!r}")
        if by not in get_args(By):
            raise ValueError(f"a constraint is by {by!r}")
        return cls(
            str(value["name"]),
            float(value["limit"]),
            value["direction"],
            None if figure is None else float(figure),
            bool(value.get("varies", False)),
            None if predicted is None else Prediction(str(predicted["table"]), str(predicted["device"])),
            by,
        )


@dataclass(frozen=True)
class Constraint:
    """A constraint of the search, with the figures of the pair that was found at every possible little share.

    Args:
        name: the metric.
        limit: of the metric, in its unit.
        direction: ``min`` if the limit is an upper one, ``max`` if it is a lower one.
        figures: (M + 1,) at a little share of k / M, for M images; or (1,) if the threshold does not affect them. NaN
            where they are not known.
        predicted: what times or energies were predicted from; ``None`` for what is counted.
    """

    name: str
    limit: float
    direction: Direction
    figures: np.ndarray
    predicted: Prediction | None = None

    @property
    def varies(self) -> bool:
        """Whether the figure depends on the threshold."""
        return len(self.figures) > 1

    def at(self, little_share: np.ndarray) -> np.ndarray:
        """Return the figures (T,) at little shares (T,) of the same M images."""
        return np.asarray(self.figures[np.rint(np.asarray(little_share) * (len(self.figures) - 1)).astype(int)])

    def kept(self, little_share: np.ndarray) -> np.ndarray:
        """Return at which little shares (T,) the constraint is met."""
        found = self.at(little_share)
        return np.asarray(found <= self.limit if self.direction == "min" else found >= self.limit)

    def check(self, little_share: float) -> ConstraintCheck:
        """Return what the pair takes at one little share."""
        figure = float(self.at(np.array([little_share]))[0])
        known = None if np.isnan(figure) else figure
        return ConstraintCheck(self.name, self.limit, self.direction, known, self.varies, self.predicted)

    def about(self) -> Mapping[str, Any]:
        """Return all but the figures, as JSON."""
        found = {"name": self.name, "limit": self.limit, "direction": self.direction}
        return found if self.predicted is None else found | {"predicted": asdict(self.predicted)}

    @classmethod
    def of(cls, about: Mapping[str, Any], figures: np.ndarray) -> Constraint:
        """Return the constraint that ``about`` described, with its figures.

        Raises:
            TypeError, ValueError: the value does not describe one.
        """
        predicted = about.get("predicted")
        return cls(**{**about, "figures": figures, "predicted": predicted and Prediction(**predicted)})


def allowed(constraints: Iterable[Constraint], little_share: np.ndarray, limited: str = "") -> np.ndarray:
    """Return at which little shares (T,) all constraints that depend on the threshold are met.

    Args:
        constraints: of the search.
        little_share: (T,).
        limited: the metric that the target of ``[route]`` limits itself, so that a constraint on it does not count.
    """
    found = np.ones(np.shape(little_share), dtype=bool)
    for each in constraints:
        if each.varies and each.name != limited:
            found &= each.kept(little_share)
    return found
