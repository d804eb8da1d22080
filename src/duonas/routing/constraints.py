"""Constraints of the search, and what a deployed threshold makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from duonas.core.cost import written

Direction = Literal["min", "max"]


@dataclass(frozen=True)
class ConstraintCheck:
    """What a routed pair takes of a constrained metric at its threshold, on the images that tau was chosen on.

    Args:
        name: the metric.
        limit: of the metric, in its unit.
        direction: ``min`` if the limit is an upper one, ``max`` if it is a lower one.
        figure: the pair's own; ``None`` if it is not known.
    """

    name: str
    limit: float
    direction: Direction
    figure: float | None

    @property
    def kept(self) -> bool:
        """Whether the constraint is met."""
        if self.figure is None:
            return False
        return self.figure <= self.limit if self.direction == "min" else self.figure >= self.limit

    @property
    def sentence(self) -> str:
        """Says what the constraint is and by how much it is kept or missed."""
        side, wrong = ("at most", "above") if self.direction == "min" else ("at least", "below")
        asked = f"the search kept {self.name} to {side} {written(self.name, self.limit)}"
        if self.figure is None:
            return f"{asked}; that of the deployed pair is not known"
        found = f"the deployed pair has {written(self.name, self.figure)} on calib"
        if self.kept:
            return f"{asked}, and {found}"
        return f"{asked}, but {found}, {abs(self.figure / self.limit - 1):.1%} {wrong} it"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value, to be read by ``from_json``."""
        return asdict(self) | {"kept": self.kept}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ConstraintCheck:
        """Read a value that ``to_json`` returned.

        Raises:
            KeyError, TypeError, ValueError: a value is missing or wrong.
        """
        if value["direction"] not in get_args(Direction):
            raise ValueError(f"a constraint has the direction {value['direction']!r}")
        figure = value["figure"]
        return cls(
            str(value["name"]), float(value["limit"]), value["direction"], None if figure is None else float(figure)
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
    """

    name: str
    limit: float
    direction: Direction
    figures: np.ndarray

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
        return ConstraintCheck(self.name, self.limit, self.direction, None if np.isnan(figure) else figure)

    def about(self) -> Mapping[str, Any]:
        """Return all but the figures, as JSON."""
        return {"name": self.name, "limit": self.limit, "direction": self.direction}


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
