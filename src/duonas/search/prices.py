"""Prices of archs, of pairs, and of all pairs of many archs, by one cost model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.cost import QUANTITIES, STORED, Cost, PairCost, RouterCost
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch, PairSpace, Subnet, count_shared
from duonas.core.protocols import CostModel
from duonas.costs.analytic import analytic, peaks_while_waiting
from duonas.routing.router import Router
from duonas.routing.routers.confidence import Confidence
from duonas.search.goal import Goal
from duonas.search.metric import ArchFacts, ArchMetric, PairMetric, PairPrice, figures, metrics


@dataclass(frozen=True)
class SubnetPrice:
    """The price of a subnet.

    Args:
        blocks: from image to logits.
        cost: of the whole subnet.
        leading: the cost of the first n blocks, (blocks + 1,), by quantity and for ``STORED``. Zero for figures of
            whole networks, of which nothing can be shared.
        waiting: the peak memory while the output of the first n blocks is kept for big, (blocks + 1,).
    """

    blocks: tuple[BlockSpec, ...]
    cost: Cost
    leading: Mapping[str, np.ndarray]
    waiting: np.ndarray

    def total(self, name: str) -> float:
        """A figure of the whole subnet; NaN if it is unknown."""
        known = getattr(self.cost, name)
        return float("nan") if known is None else known

    @cached_property
    def figures(self) -> dict[str, float]:
        """All figures of the whole subnet; NaN if unknown."""
        return {name: self.total(name) for name in (*QUANTITIES, *STORED, "peak_memory_bytes")}


@dataclass(frozen=True)
class RouterPrice:
    """What a router adds to a pair.

    Args:
        macs: of its score.
        before: whether it decides before little runs.
        costs: what routing itself takes, by quantity; see ``CostModel.routing``.
    """

    macs: int = 0
    before: bool = False
    costs: Mapping[str, RouterCost] = field(default_factory=dict)

    def of(self, quantity: str) -> RouterCost:
        """What the router adds in one quantity."""
        return RouterCost(self.macs, 0) if quantity == "macs" else self.costs.get(quantity, RouterCost(0, 0))


class Prices:
    """Prices subnets and pairs; each distinct block is priced once.

    Args:
        pairs: the pair space.
        model: the cost model.
        routers: the routers to choose from, not fitted; fitting never makes a router cheaper.

    Raises:
        DuonasError: the model is a table of whole networks, and little has other kinds of blocks than big.
    """

    def __init__(
        self, pairs: PairSpace, model: CostModel = analytic, routers: Sequence[Router] = (Confidence(),)
    ) -> None:
        if model.networks is not None and pairs.spaces["little"] is not pairs.space:
            raise DuonasError(
                "[search.device] has figures of archs with big's blocks, so it cannot price a little that [pair] "
                "gives other blocks."
            )
        self.pairs, self.model, self.routers, self.quantities = pairs, model, tuple(routers), model.quantities
        self._blocks: dict[BlockSpec, Cost] = {}
        self._subnets: dict[Subnet, SubnetPrice] = {}
        self._values: dict[tuple[str, Subnet], float] = {}

    def of(self, subnet: Subnet) -> SubnetPrice:
        """The price of a subnet and of its leading blocks."""
        if subnet not in self._subnets:
            self._subnets[subnet] = self._priced(subnet)
        return self._subnets[subnet]

    def subnet(self, subnet: Subnet) -> Cost:
        """The cost of a whole subnet; without latency and energy if a table of networks lacks its arch."""
        return self.of(subnet).cost

    def arch_value(self, metric: ArchMetric, subnet: Subnet) -> float:
        """The value of a metric of an arch that is not ``dear``."""
        key = metric.called, subnet
        if key not in self._values:
            price = self.of(subnet)
            self._values[key] = metric.measured(ArchFacts(subnet, price.blocks, price.cost))
        return self._values[key]

    def price(self, pair: PairArch, router: Router, macs: int | None = None) -> PairPrice:
        """The price of an allowed pair with a router.

        Args:
            pair: the pair.
            router: the router.
            macs: the MACs of its score after fitting; default: its present MACs.
        """
        return self._routed(pair, self.routing(router, macs))

    def routing(self, router: Router, macs: int | None = None) -> RouterPrice:
        """What a router adds to any pair.

        Args:
            router: the router.
            macs: the MACs of its score after fitting; default: its present MACs.
        """
        costs = self.model.routing(router.priced_as)
        return RouterPrice(router.macs if macs is None else macs, router.before, costs)

    def known(self, pair: PairArch) -> bool:
        """Whether the cost model has figures of both networks."""
        networks = self.model.networks
        return networks is None or (pair.little in networks and pair.big in networks)

    def possible(self, pair: PairArch) -> list[int]:
        """The numbers of the routers that can route a pair; none if one of its networks has no price.

        A router at the stem needs shared blocks. A router before little only saves cost if little costs no more than
        asking big does in every quantity.
        """
        if not self.known(pair):
            return []
        little, big = map(self.of, self.pairs.subnets(pair))
        apart = any(router.position == "stem" for router in self.routers) and not self.pairs.shared(pair)

        def saves(router: Router) -> bool:
            asked = self.routing(router)
            return all(little.total(name) <= big.total(name) + asked.of(name).ask for name in self.quantities)

        return [
            number
            for number, router in enumerate(self.routers)
            if not (router.position == "stem" and apart) and (not router.before or saves(router))
        ]

    def figures(self, pair: PairArch, goal: Goal | None = None) -> dict[str, float]:
        """The figures of an allowed pair that are known before evaluation, with the cheapest router, by metric.

        Metrics that vary with the threshold are taken where little answers every image. Unknown figures are NaN.

        Args:
            pair: the pair.
            goal: has further metrics to include.
        """
        price = self._routed(pair, self._least_routing)
        wanted = [*metrics().values(), *(goal.metrics.values() if goal else ())]
        found = figures(wanted, price)
        for metric in wanted:
            if isinstance(metric, ArchMetric) and not metric.dear:
                members = (self.arch_value(metric, subnet) for subnet in self.pairs.subnets(pair))
                found[metric.called] = float(metric.worse(*members))
        return found

    @property
    def before(self) -> bool:
        """Whether any of the routers decides before little runs."""
        return any(router.before for router in self.routers)

    @cached_property
    def _least_routing(self) -> RouterPrice:
        """The least of any router in every quantity."""
        each = [self.routing(router) for router in self.routers]
        costs = {}
        for quantity in self.quantities:
            adds = [one.of(quantity) for one in each]
            costs[quantity] = RouterCost(min(one.keep for one in adds), min(one.ask for one in adds))
        return RouterPrice(min(one.macs for one in each), self.before, costs)

    def _routed(self, pair: PairArch, router: RouterPrice) -> PairPrice:
        little, big = map(self.of, self.pairs.subnets(pair))
        shared = self.pairs.shared(pair)
        stems = {name: leading[shared].item() for name, leading in big.leading.items()}
        priced = combined(little, big.figures, stems, shared, router, self.pairs.within)
        parts = {name: replace(cost, little=cost.little.item()) for name, cost in priced.parts.items()}
        return replace(priced, parts=parts, peak_memory_bytes=int(priced.peak_memory_bytes))

    def _priced(self, subnet: Subnet) -> SubnetPrice:
        blocks = self.pairs.blocks(subnet)
        costs = [self._block(block) for block in blocks]
        peaks = [cost.peak_memory_bytes for cost in costs]
        leading = {name: _leading(costs, name) for name in (*self.quantities, *STORED)}
        totals = {name: sums[-1].item() for name, sums in leading.items()}
        if (networks := self.model.networks) is not None:
            measured = [name for name in self.quantities if name != "macs"]
            leading |= {name: np.zeros(len(blocks) + 1) for name in measured}
            row = networks.get(subnet.arch, {})
            totals |= {name: row.get(name) for name in measured}
        whole = Cost(**totals, peak_memory_bytes=max(peaks, default=0))
        return SubnetPrice(blocks, whole, leading, np.array(peaks_while_waiting(blocks, peaks)))

    def _block(self, block: BlockSpec) -> Cost:
        if block not in self._blocks:
            self._blocks[block] = self.model((block,))
        return self._blocks[block]


def _leading(costs: Sequence[Cost], name: str) -> np.ndarray:
    """The cost of the first n blocks, (blocks + 1,)."""
    values = [getattr(cost, name) or 0 for cost in costs]
    return np.cumsum([0, *values])


def combined(
    little: SubnetPrice,
    big: Mapping[str, Any],
    stems: Mapping[str, Any],
    shared: Any,
    router: RouterPrice,
    within: bool,
) -> PairPrice:
    """The price of a little with one big, or with B bigs as arrays (B,).

    Args:
        little: its price.
        big: figures of the whole bigs, by name.
        stems: the cost of the shared blocks, by quantity and for ``STORED``.
        shared: the number of shared blocks.
        router: what it adds.
        within: whether little's weights are a part of big's.
    """
    parts = {}
    for name in little.leading.keys() - STORED:
        rest = little.total(name) - little.leading[name][shared]
        added = router.of(name)
        parts[name] = PairCost(stems[name], added.keep, rest, big[name] - stems[name] + added.ask, router.before)
    stored = {name: little.total(name) + big[name] - stems[name] for name in STORED}
    if within:
        stored["params"] = big["params"]
    peak = little.total("peak_memory_bytes") if router.before else little.waiting[shared]
    ordered = {name: parts[name] for name in QUANTITIES if name in parts}
    return PairPrice(ordered, little.figures, big, stored, np.maximum(peak, big["peak_memory_bytes"]))


@dataclass(frozen=True)
class PriceRow:
    """The prices of one little with B bigs and one router; arrays of shape (B,).

    Args:
        bigs: the subnet numbers of the bigs.
        parts: costs by part, by quantity.
        figures: the objectives that do not vary with the threshold, by name, to be minimised.
    """

    bigs: np.ndarray
    parts: Mapping[str, PairCost]
    figures: Mapping[str, np.ndarray]

    def take(self, index: np.ndarray) -> PriceRow:
        """Select bigs by index."""
        parts = {quantity: part.take(index) for quantity, part in self.parts.items()}
        return PriceRow(self.bigs[index], parts, {name: figure[index] for name, figure in self.figures.items()})


class PairTable:
    """The allowed pairs of A subnets and their prices, without a loop over pairs.

    Args:
        prices: of single subnets.
        subnets: distinct subnets.
        goal: objectives and constraints.
        known: (A,) values of ``dear`` metrics of archs, by name.
    """

    def __init__(
        self, prices: Prices, subnets: Sequence[Subnet], goal: Goal, known: Mapping[str, np.ndarray] | None = None
    ) -> None:
        self.prices, self.subnets, self.goal = prices, list(subnets), goal
        self._pairs = prices.pairs
        self._prices = [prices.of(subnet) for subnet in self.subnets]
        roles = self._pairs.roles
        self._little = np.array([subnet.role == roles[-1] for subnet in self.subnets], dtype=bool)
        self._big = np.array([subnet.role == "big" for subnet in self.subnets], dtype=bool)
        axes = len(self._pairs.space.axes)
        self._choices = np.array([self._pairs.space.indices(one.arch) for one in self.subnets]).reshape(-1, axes)
        self._stems = {split: _Stems([price.blocks for price in self._prices], split) for split in self._pairs.splits}
        names = self._prices[0].figures if self._prices else ()
        self._totals = {name: np.array([price.figures[name] for price in self._prices]) for name in names}
        self._leading = _stacked([price.leading for price in self._prices])
        self._archs = dict(known or {}) | {
            name: np.array([prices.arch_value(metric, subnet) for subnet in self.subnets])
            for name, metric in goal.metrics.items()
            if isinstance(metric, ArchMetric) and not metric.dear
        }

    @property
    def macs(self) -> np.ndarray:
        """The MACs of the subnets, (A,)."""
        return self._totals["macs"]

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
        found = figures([*metrics().values(), *self.goal.metrics.values()], price, share)
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
        values = {}
        for name, metric in self.goal.metrics.items():
            values[name] = self._value(metric, little, bigs, price)
            if name in self.goal.constraints:
                feasible &= metric.within(values[name], self.goal.constraints[name])
        wanted = [name for name in self.goal.costs if not self.goal.metrics[name].varies]
        objectives = {name: self.goal.minimised(name, values[name]) for name in wanted}
        return PriceRow(bigs, price.parts, objectives).take(np.flatnonzero(feasible))

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
        allowed = self._big & self._pairs.matches(self._choices[little], self._choices, split)
        bigs = np.flatnonzero(allowed)
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
    """

    def __init__(self, blocks: Iterable[tuple[BlockSpec, ...]], split: int) -> None:
        self._split = split
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
            self._known[a, b] = count_shared(self._stems[a], self._stems[b], self._split)
        return self._known[a, b]
