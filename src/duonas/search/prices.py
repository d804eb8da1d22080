"""Prices of archs and of pairs, by one cost model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.cost import COMPARED, QUANTITIES, STORED, Cost, PairCost, RouterCost
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch, PairSpace, Subnet
from duonas.core.protocols import CostModel
from duonas.costs.analytic import analytic, peaks_while_waiting
from duonas.routing.router import Router
from duonas.routing.routers.confidence import Confidence
from duonas.search.goal import Goal
from duonas.search.metric import ArchFacts, ArchMetric, PairPrice, common, figures


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
        """The value of a metric of an arch that is not ``late``."""
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

    def figures(self, pair: PairArch, goal: Goal | None = None, share: float = 1.0) -> dict[str, float]:
        """The figures of an allowed pair that are known before evaluation, with the cheapest router, by metric.

        Unknown figures are NaN.

        Args:
            pair: the pair.
            goal: has further metrics to include.
            share: of the images that little answers, for metrics that vary with the threshold.
        """
        price = self._routed(pair, self._least_routing)
        wanted = dict.fromkeys([*common(), *(goal.metrics.values() if goal else ())])
        found = figures(wanted, price, share)
        for metric in goal.metrics.values() if goal else ():
            if isinstance(metric, ArchMetric) and not metric.late:
                members = (self.arch_value(metric, subnet) for subnet in self.pairs.subnets(pair))
                found[metric.called] = float(metric.worse(*members))
        return found

    @property
    def compared(self) -> str:
        """The quantity by which networks and pairs are compared: time if the model knows it, else energy, else MACs."""
        return next(name for name in COMPARED if name in self.quantities)

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
