"""The prices of all pairs of many archs at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.cost import QUANTITIES, STORED, PairCost
from duonas.core.pair import PairArch, PairSpace, Subnet
from duonas.routing.router import Router
from duonas.search.goal import Goal
from duonas.search.metric import ArchMetric, PairMetric, PairPrice, common, figures
from duonas.search.metrics.expected import Expected
from duonas.search.metrics.member import Member
from duonas.search.prices import Prices, combined


@dataclass(frozen=True)
class PriceRow:
    """The prices of one little with B bigs and one router; arrays of shape (B,).

    Args:
        bigs: the subnet numbers of the bigs.
        parts: costs by part, by quantity.
        figures: the objectives that do not vary with the threshold, by name, to be minimised.
        share: the least little share at which the constraints hold that vary with the threshold, but for those on
            expected costs, which are budgets.
    """

    bigs: np.ndarray
    parts: Mapping[str, PairCost]
    figures: Mapping[str, np.ndarray]
    share: np.ndarray

    def take(self, index: np.ndarray) -> PriceRow:
        """Select bigs by index."""
        parts = {quantity: part.take(index) for quantity, part in self.parts.items()}
        figures = {name: figure[index] for name, figure in self.figures.items()}
        return PriceRow(self.bigs[index], parts, figures, self.share[index])


class PairTable:
    """The allowed pairs of A subnets and their prices, without a loop over pairs.

    Args:
        prices: of single subnets.
        subnets: distinct subnets.
        goal: objectives and constraints.
        known: (A,) values of ``late`` metrics of archs, by name.
    """

    def __init__(
        self, prices: Prices, subnets: Sequence[Subnet], goal: Goal, known: Mapping[str, np.ndarray] | None = None
    ) -> None:
        self.prices, self.subnets, self.goal = prices, list(subnets), goal
        self._pairs = prices.pairs
        self._prices = [prices.of(subnet) for subnet in self.subnets]
        roles = self._pairs.roles
        self._little = np.array([subnet.role == roles[-1] for subnet in self.subnets], dtype=bool)
        self._bigs = np.array([number for number, one in enumerate(self.subnets) if one.role == "big"], dtype=int)
        self._choices = [self._pairs.spaces[one.role].indices(one.arch) for one in self.subnets]
        axes = len(self._pairs.space.axes)
        self._of_bigs = np.array([self._choices[big] for big in self._bigs], dtype=np.int16).reshape(-1, axes)
        blocks = [price.blocks for price in self._prices]
        self._stems = {split: _Stems(blocks, split, self._pairs) for split in self._pairs.splits}
        names = self._prices[0].figures if self._prices else ()
        self._totals = {name: np.array([price.figures[name] for price in self._prices]) for name in names}
        self._leading = _stacked([price.leading for price in self._prices])
        self._archs = dict(known or {}) | {
            name: np.array([prices.arch_value(metric, subnet) for subnet in self.subnets])
            for name, metric in goal.metrics.items()
            if isinstance(metric, ArchMetric) and not metric.late
        }

    @property
    def macs(self) -> np.ndarray:
        """The MACs of the subnets, (A,)."""
        return self._totals["macs"]

    @property
    def costs(self) -> np.ndarray:
        """The costs (A,) of the subnets alone, in the quantity that compares them; see ``Prices.compared``."""
        return self._totals[self.prices.compared]

    @cached_property
    def alone(self) -> np.ndarray:
        """Which of the subnets meet the constraints as single networks, (A,) bool.

        A single network is a pair whose every image costs the same. Limits on little or big alone say nothing of it.
        """
        costs = {name: PairCost(self._totals[name], 0, 0, 0) for name in QUANTITIES if name in self._leading}
        stored = {name: self._totals[name] for name in STORED}
        price = PairPrice(costs, self._totals, self._totals, stored, self._totals["peak_memory_bytes"])
        kept = np.isfinite(self.costs)
        for name, limit in self.goal.constraints.items():
            metric = self.goal.metrics[name]
            if isinstance(metric, ArchMetric):
                kept &= metric.within(self._archs[name], limit)
            elif isinstance(metric, PairMetric) and not isinstance(metric, Member):
                kept &= metric.within(np.asarray(metric.value(price)), limit)
        return kept

    def rows(self, little: int) -> Iterator[tuple[int, int | None, PriceRow]]:
        """The rows of subnet number ``little``: one for each router, and at the stem for each number of shared blocks.

        Each row comes with the router's number and, at the stem, the number of shared blocks.
        """
        bigs, shared = self._partners(little)
        for number, router in enumerate(self.prices.routers):
            if router.position == "stem":
                for count in np.unique(shared[shared > 0]).tolist():
                    of_these = shared == count
                    yield number, count, self._row(little, bigs[of_these], shared[of_these], router, router.macs)
            else:
                yield number, None, self._row(little, bigs, shared, router, router.macs)

    def row(self, little: int, number: int, count: int | None, macs: int) -> PriceRow:
        """The pairs of subnet number ``little`` that may meet the constraints, and their prices.

        Args:
            little: number of the subnet.
            number: of the router.
            count: select bigs that share this number of blocks with little; ``None`` for all.
            macs: the MACs of the router's score.
        """
        bigs, shared = self._partners(little)
        if count is not None:
            bigs, shared = bigs[shared == count], shared[shared == count]
        return self._row(little, bigs, shared, self.prices.routers[number], macs)

    def pair(self, little: int, big: int) -> PairArch:
        """The pair of subnets number ``little`` and ``big``."""
        return PairArch(self.subnets[little].arch, self.subnets[big].arch, self.subnets[little].split)

    def figures(self, little: int, big: int, router: Router, macs: int, share: float) -> dict[str, float]:
        """The known figures of one pair at a little share, by metric."""
        price = self.prices.price(self.pair(little, big), router, macs)
        found = figures(dict.fromkeys([*common(), *self.goal.metrics.values()]), price, share)
        for name, values in self._archs.items():
            metric = self.goal.metrics[name]
            assert isinstance(metric, ArchMetric)
            found[name] = float(metric.worse(values[little], values[big]))
        return found

    def missed(self) -> tuple[int, dict[str, tuple[int, float]]]:
        """The number of pairs, and for each constraint how many of them miss it and the best value of any.

        A pair counts once with each router.
        """
        pairs, values = 0, {name: [np.empty(0)] for name in self.goal.constraints}
        for little in range(len(self.subnets)):
            bigs, shared = self._partners(little)
            for router in self.prices.routers:
                price = self._price(little, bigs, shared, router, router.macs)
                pairs += len(bigs)
                for name in values:
                    values[name].append(self._value(self.goal.metrics[name], little, bigs, price))
        found = {}
        for name, limit in self.goal.constraints.items():
            metric, known = self.goal.metrics[name], np.concatenate(values[name])
            best = metric.minimised * np.nanmin(metric.minimised * known) if np.isfinite(known).any() else np.nan
            found[name] = int((~metric.within(known, limit)).sum()), float(best)
        return pairs, found

    def _price(self, little: int, bigs: np.ndarray, shared: np.ndarray, router: Router, macs: int) -> PairPrice:
        totals = {name: values[bigs] for name, values in self._totals.items()}
        stems = {name: sums[bigs, shared] for name, sums in self._leading.items()}
        return combined(
            self._prices[little], totals, stems, shared, self.prices.routing(router, macs), self._pairs.within
        )

    def _row(self, little: int, bigs: np.ndarray, shared: np.ndarray, router: Router, macs: int) -> PriceRow:
        price = self._price(little, bigs, shared, router, macs)
        feasible = np.ones(len(bigs), dtype=bool)
        for part in price.parts.values():
            # Before little, a more expensive little saves nothing; unknown figures are NaN.
            feasible &= (part.least >= 0) & (part.extra >= 0)
        values, share = {}, np.zeros(len(bigs))
        for name, metric in self.goal.metrics.items():
            values[name] = self._value(metric, little, bigs, price)
            if name in self.goal.constraints:
                limit = self.goal.constraints[name]
                feasible &= metric.within(values[name], limit)
                if isinstance(metric, PairMetric) and metric.varies and not isinstance(metric, Expected):
                    share = np.maximum(share, metric.least_share(price, limit))
        wanted = [name for name in self.goal.costs if not self.goal.metrics[name].varies]
        objectives = {name: self.goal.minimised(name, values[name]) for name in wanted}
        return PriceRow(bigs, price.parts, objectives, share).take(np.flatnonzero(feasible & (share <= 1)))

    def _value(self, metric: Any, little: int, bigs: np.ndarray, price: PairPrice) -> np.ndarray:
        if isinstance(metric, ArchMetric):
            values = self._archs[metric.called]
            return np.asarray(metric.worse(values[little], values[bigs]))
        assert isinstance(metric, PairMetric)
        return np.broadcast_to(np.asarray(metric.value(price)), bigs.shape)

    def _partners(self, little: int) -> tuple[np.ndarray, np.ndarray]:
        """The bigs of a little, and the number of blocks that it shares with each, both (B,)."""
        split = self.subnets[little].split
        if not self._little[little]:
            return np.empty(0, dtype=int), np.empty(0, dtype=int)
        allowed = self._pairs.matches(self._choices[little], self._of_bigs, split)
        bigs = self._bigs[allowed]
        return bigs, self._stems[split].shared(little, bigs)


def _stacked(leading: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The costs of the first n blocks of each subnet, (A, largest number of blocks + 1) by name, padded with zeros."""
    stacks: dict[str, np.ndarray] = {}
    for name in leading[0] if leading else ():
        rows = [sums[name] for sums in leading]
        stacks[name] = np.zeros((len(rows), max(map(len, rows))), dtype=np.result_type(*rows))
        for stack, row in zip(stacks[name], rows, strict=True):
            stack[: len(row)] = row
    return stacks


class _Stems:
    """The number of leading blocks, in the stages up to a split, that any two of A subnets share.

    Subnets have few distinct leading blocks, so any two of these are compared once.

    Args:
        blocks: of the subnets.
        split: the last stage that may be shared.
        pairs: which blocks are shared.
    """

    def __init__(self, blocks: Iterable[tuple[BlockSpec, ...]], split: int, pairs: PairSpace) -> None:
        self._split, self._pairs = split, pairs
        numbers: dict[tuple[BlockSpec, ...], int] = {}
        early = (tuple(block for block in row if block.stage <= split) for row in blocks)
        self._number = np.array([numbers.setdefault(stem, len(numbers)) for stem in early], dtype=int)
        self._stems = list(numbers)
        self._known: dict[tuple[int, int], int] = {}

    def shared(self, little: int, bigs: np.ndarray) -> np.ndarray:
        """The number of blocks that subnet number ``little`` shares with those numbered ``bigs``, (B,)."""
        different, which = np.unique(self._number[bigs], return_inverse=True)
        counts = [self._count(int(self._number[little]), int(other)) for other in different]
        return np.array(counts, dtype=int)[which]

    def _count(self, a: int, b: int) -> int:
        if (a, b) not in self._known:
            self._known[a, b] = self._pairs.count_shared(self._stems[a], self._stems[b], self._split)
        return self._known[a, b]
