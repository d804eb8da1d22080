"""The goal of a search: objectives and constraints."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from duonas.core.cost import COMPARED, QUANTITIES
from duonas.core.errors import DuonasError
from duonas.search.metric import ACCURACY, Metric, find_metric

BUDGETS = tuple(f"expected_{quantity}" for quantity in QUANTITIES)  # metrics that [route] budget may limit
GIVE_TABLE = "give [search.device] table, or measure this machine by --set search.device.table=here"
FRACTION = "fraction"  # the unit of shares


def relaxing(constraints: Collection[str]) -> str:
    """Say how to relax or to remove constraints, the first of which is the example."""
    relax = "relax it" if len(constraints) == 1 else "relax one of them"
    settable = [name for name in constraints if "." not in name]  # others, of the user's own, are no keys of --set
    if not settable:
        return relax
    budget = " (or `--set route.budget=`)" if settable[0] in BUDGETS else ""
    return f"{relax}, or remove it by an empty value: `--set search.constraints.{settable[0]}=`{budget}"


def default_objectives(quantities: Collection[str]) -> tuple[str, ...]:
    """Accuracy, and expected and peak time; energy or MACs where the cost model has no time."""
    quantity = next(name for name in COMPARED if name in quantities)
    return ACCURACY, f"expected_{quantity}", f"peak_{quantity}"


@dataclass(frozen=True)
class Goal:
    """The metrics to optimise, and limits of metrics.

    Args:
        objectives: names of metrics, including accuracy.
        constraints: limits by metric, in the metric's unit: upper limits of metrics that are minimised, lower limits of
            those that are maximised.

    Raises:
        DuonasError: a name is unknown or repeated, or accuracy is missing.
    """

    objectives: tuple[str, ...]
    constraints: Mapping[str, float]

    def __post_init__(self) -> None:
        for name in self.objectives:
            find_metric(name, "objective")
            if self.objectives.count(name) > 1:
                raise DuonasError(f"[search] names the objective {name!r} twice.")
        if ACCURACY not in self.objectives:
            raise DuonasError("[search] objectives must include 'accuracy'.")
        for name, limit in self.constraints.items():
            if find_metric(name, "constraint").unit == FRACTION and not limit <= 1:
                raise DuonasError(
                    f"[search] constraint {name} = {limit:g} must be at most 1, or a share such as '80%'."
                )

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """All metrics except accuracy, by name."""
        named = dict.fromkeys((*self.objectives, *self.constraints))
        return {name: find_metric(name) for name in named if name != ACCURACY}

    @property
    def costs(self) -> tuple[str, ...]:
        """The objectives except accuracy."""
        return tuple(name for name in self.objectives if name != ACCURACY)

    def limit(self, name: str) -> float:
        """The upper limit of a metric; infinity if it has no constraint."""
        return self.constraints.get(name, float("inf"))

    def keeps(self, figures: Mapping[str, Any]) -> Any:
        """Whether figures by metric, numbers or arrays of one shape, meet the constraints on them."""
        kept = np.True_
        for name, limit in self.constraints.items():
            if name in figures:
                kept = kept & self.metrics[name].within(figures[name], limit)
        return kept

    def minimised(self, name: str, value: Any) -> Any:
        """The value of an objective with its sign changed if it is maximised, so that less is better."""
        return -value if name == ACCURACY else self.metrics[name].minimised * value

    def check(self, quantities: Collection[str]) -> None:
        """Check that the cost model has every quantity that the metrics need.

        Raises:
            DuonasError: a quantity is missing.
        """
        for name, metric in self.metrics.items():
            if metric.quantity not in (None, *quantities):
                kind, what = ("objective" if name in self.objectives else "constraint"), str(metric.quantity)
                raise DuonasError(f"[search] {kind} {name} needs a device table with figures of {what}: {GIVE_TABLE}.")
