"""The evaluated subnets as plain networks, and which routed pairs one of them beats."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from duonas.core.pair import Subnet
from duonas.search.metric import ACCURACY
from duonas.search.pair_table import PairTable, PriceRow

SAME = 1e-9  # relative difference of costs that are equal but for rounding


@dataclass(frozen=True)
class SingleNetwork:
    """An evaluated subnet as a plain network, without a router.

    Args:
        subnet: its arch, role and split.
        values: the values of its axes.
        accuracy: on the val split, in [0, 1]; NaN where it is not known, since nothing was trained before.
        figures: its known figures, by the fields of ``Cost``.
    """

    subnet: Subnet
    values: Mapping[str, Any]
    accuracy: float
    figures: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """The network as a flat JSON value, to be read by ``from_json``."""
        about = {"subnet": self.subnet.to_json(), "values": dict(self.values), ACCURACY: known_or_none(self.accuracy)}
        return about | dict(self.figures)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SingleNetwork:
        """Read a network that ``to_json`` wrote."""
        known = ("subnet", "values", ACCURACY)
        figures = {name: each for name, each in value.items() if name not in known}
        accuracy = math.nan if value[ACCURACY] is None else float(value[ACCURACY])
        return cls(Subnet.from_json(value["subnet"]), value["values"], accuracy, figures)


def known_or_none(value: float) -> float | None:
    """A figure for JSON, which has no NaN."""
    return None if math.isnan(value) else value


class Singles:
    """The evaluated subnets as plain networks, compared by cost (``Prices.compared``) and accuracy.

    A routed pair is beaten if a single network is at least as accurate and costs no more. The networks are those that
    meet the constraints, and the pair's own two whether they do or not. A pair whose own big costs no more is beaten
    whatever its accuracy: routing is there to save that cost, and a slightly higher accuracy is often chance.

    Args:
        right: (A, N) bool, whether each subnet classifies each val image correctly.
        table: the subnets and their prices.

    ``front`` has the numbers of the networks that meet the constraints and that no other one beats, by rising cost;
    ``images`` is N.
    """

    def __init__(self, right: np.ndarray, table: PairTable) -> None:
        self._table = table
        self._right, self._costs = right.sum(1, dtype=np.int64), table.costs
        self.images = right.shape[1]
        fit = np.flatnonzero(table.alone)
        order = fit[np.lexsort([-self._right[fit], self._costs[fit]])]
        most = np.maximum.accumulate(self._right[order])
        self.front = order[np.diff(most, prepend=-1) > 0]

    @property
    def budgets(self) -> np.ndarray:
        """Budgets (K,) just below the cost of each network of the front.

        Of all pairs within such a budget the most accurate is beaten by no single network if any pair is that costs as
        much as the network below it or more.
        """
        return self._costs[self.front] * (1 - SAME)

    def best(self, costs: np.ndarray) -> np.ndarray:
        """The accuracy (P,) of the best network at no more than costs (P,); -inf where there is none."""
        place = np.searchsorted(self._costs[self.front], costs * (1 + SAME), side="right")
        return np.concatenate([[-np.inf], self._right[self.front] / self.images])[place]

    def saving(self, row: PriceRow) -> PriceRow:
        """The pairs of a row that can cost less than their own big, with the least little shares at which they do."""
        part = row.parts[self._table.prices.compared]
        spare = self._costs[row.bigs] / (1 + SAME) - part.least
        ratio = np.divide(spare, part.extra, out=np.where(spare > 0, np.inf, -np.inf), where=part.extra > 0)
        enough = np.floor((1 - np.minimum(ratio, 2)) * self.images + 1e-6) + 1  # images, of which one less is too few
        some = np.flatnonzero(enough <= self.images)
        share = np.maximum(row.share, enough / self.images)
        return replace(row, share=share).take(some)

    def lead(self, accuracy: np.ndarray, costs: np.ndarray, members: np.ndarray) -> np.ndarray:
        """How much more accurate (P,) routed pairs are than the best network that costs no more; beaten if not above 0.

        From pairs that cost as much as their own big or more, 1 is taken off, so that any other loses less.

        Args:
            accuracy: (P,) of the pairs, in [0, 1].
            costs: (P,) expected costs.
            members: (2, P) the numbers of little and big.
        """
        cheaper = self._costs[members] <= costs * (1 + SAME)
        own = np.where(cheaper, self._right[members] / self.images, -np.inf).max(0)
        return np.asarray(accuracy - np.maximum(own, self.best(costs)) - cheaper[1])

    def plain(self, cost: float) -> SingleNetwork | None:
        """The most accurate network that costs no more than this; ``None`` if there is none."""
        place = int(np.searchsorted(self._costs[self.front], cost * (1 + SAME), side="right"))
        return self.network(int(self.front[place - 1])) if place else None

    def network(self, number: int) -> SingleNetwork:
        """The subnet with this number."""
        subnet, prices = self._table.subnets[number], self._table.prices
        values = prices.pairs.spaces[subnet.role].values(subnet.arch)
        return SingleNetwork(subnet, values, float(self._right[number] / self.images), prices.subnet(subnet).figures)
