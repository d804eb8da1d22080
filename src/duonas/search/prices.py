"""What pairs cost: one by one before anything is evaluated, and all pairs of many archs at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.cost import Cost, PairCost
from duonas.core.errors import DuonasError
from duonas.core.goal import MEANS, PEAKS, Goal
from duonas.core.pair import PairArch, PairSpace, Subnet, count_shared
from duonas.core.protocols import CostModel
from duonas.costs.analytic import analytic, pair_cost, peak_while_waiting
from duonas.costs.network_table import DeviceProfile
from duonas.routing.router import Router
from duonas.routing.routers.confidence import Confidence


class Pricer:
    """Costs of subnets and pairs, each subnet counted once.

    Args:
        pairs: the pairs that are allowed.
        cost: prices blocks.
        routers: that may route the pairs, not fitted: fitted, they cost no less.
        device: prices whole networks in ms or mJ.

    Raises:
        DuonasError: there is a device, and little is made of other blocks than its table is about.
    """

    def __init__(
        self,
        pairs: PairSpace,
        cost: CostModel = analytic,
        routers: Sequence[Router] = (Confidence(),),
        device: DeviceProfile | None = None,
    ) -> None:
        if device is not None and pairs.spaces["little"] is not pairs.space:
            raise DuonasError(
                "[search.device] has figures of archs made of big's blocks: it cannot price a little that [pair] makes "
                "of others."
            )
        self.pairs, self.cost, self.routers, self.device = pairs, cost, tuple(routers), device
        self.quantities = ("macs", *(device.quantities if device else ()))
        self._subnets: dict[Subnet, Cost] = {}

    def over(self, pairs: PairSpace) -> Pricer:
        """The same prices for other pairs."""
        return Pricer(pairs, self.cost, self.routers, self.device)

    def subnet(self, subnet: Subnet) -> Cost:
        """The cost of a whole subnet; without latency and energy where the device does not know its arch."""
        if subnet not in self._subnets:
            cost = self.cost(self.pairs.blocks(subnet))
            measured: Mapping[str, Any] = self.device.archs.get(subnet.arch, {}) if self.device else {}
            self._subnets[subnet] = replace(cost, **measured)
        return self._subnets[subnet]

    def amount(self, subnet: Subnet, quantity: str) -> float:
        """What a whole subnet costs of one of ``quantities``; NaN where the device does not know its arch."""
        known = getattr(self.subnet(subnet), quantity)
        return float("nan") if known is None else known

    def parts(self, pair: PairArch, quantity: str = "macs") -> PairCost:
        """The pair's parts in one of ``quantities``; ``routed_by`` puts a router in.

        A device's figures are of whole networks, so that nothing is shared there.
        """
        if quantity == "macs":
            return pair_cost(self.pairs, pair, self.cost)
        little, big = self.pairs.subnets(pair)
        again = 0 if little == big else self.amount(big, quantity)  # an arch by itself runs once
        return PairCost(0, 0, self.amount(little, quantity), again)

    def routed(self, pair: PairArch, router: Router, macs: int | None = None) -> dict[str, PairCost]:
        """The pair's parts with a router, in each of ``quantities``; ``macs``: what its score costs once fitted."""
        macs = router.macs if macs is None else macs
        return {q: self.parts(pair, q).routed_by(score_cost(macs, q), before=router.before) for q in self.quantities}

    def known(self, pair: PairArch) -> bool:
        """Whether there are figures of both networks."""
        return self.device is None or {pair.little, pair.big} <= self.device.archs.keys()

    def possible(self, pair: PairArch) -> list[int]:
        """The numbers of the routers that can route a pair; none where the device does not know it.

        At the stem there must be blocks that both networks share. Before little there is something to save only where
        little costs no more than big, in every quantity.
        """
        if not self.known(pair):
            return []
        kinds = {router.position for router in self.routers}
        lacking = {"stem"} if "stem" in kinds and not self.pairs.shared(pair) else set()
        if kinds & {"input", "stem"}:
            little, big = self.pairs.subnets(pair)
            dearer = any(self.amount(little, q) > self.amount(big, q) for q in self.quantities)
            lacking |= {"input", "stem"} if dearer else set()
        return [number for number, router in enumerate(self.routers) if router.position not in lacking]

    def figures(self, pair: PairArch) -> dict[str, float]:
        """Every constrained figure by name, the least that it is with any of the routers; NaN where it is not known.

        The expected ones are those when every image stays little.
        """
        members = dict(zip(("little", "big"), self.pairs.subnets(pair), strict=True))
        before = any(router.before for router in self.routers)
        found: dict[str, float] = {}
        for quantity in self.quantities:
            least = min(score_cost(router.macs, quantity) for router in self.routers)
            parts = self.parts(pair, quantity).routed_by(least, before=before)
            found |= {MEANS[quantity]: parts.least, PEAKS[quantity]: parts.peak}
            found |= {f"{role}_{quantity}": self.amount(subnet, quantity) for role, subnet in members.items()}
        return found | {"params": self.params(pair), "peak_memory_bytes": self.peak_memory(pair, before)}

    def peak_memory(self, pair: PairArch, before: bool) -> int:
        """The most bytes alive at once; what both networks share waits for big unless the router decides before."""
        little, big = self.pairs.subnets(pair)
        peak = max(self.subnet(subnet).peak_memory_bytes for subnet in (little, big))
        if before or little == big:
            return peak
        return max(peak, peak_while_waiting(self.pairs.blocks(little), self.pairs.shared(pair), self.cost))

    def params(self, pair: PairArch) -> int:
        """The weights to store: big's where little's are a part of them, else both's, the shared ones once."""
        little, big = self.pairs.subnets(pair)
        if self.pairs.within:
            return self.subnet(big).params
        shared = self.cost(self.pairs.blocks(big)[: self.pairs.shared(pair)]).params
        return self.subnet(little).params + self.subnet(big).params - shared


def score_cost(macs: int, quantity: str) -> int:
    """What a score of so many MACs costs; a device's table knows nothing of it."""
    return macs if quantity == "macs" else 0


@dataclass(frozen=True)
class Charge:
    """What one little with B bigs costs in one quantity: arrays of shape (B,), as in ``PairCost``.

    Args:
        least: what an image costs that stays little.
        extra: what big costs on top.
    """

    least: np.ndarray
    extra: np.ndarray

    @property
    def peak(self) -> np.ndarray:
        """The dearest path, where big costs something on top."""
        return self.least + self.extra

    def expected(self, little_share: np.ndarray) -> np.ndarray:
        """The mean cost at little shares (..., B)."""
        return self.least + (1 - little_share) * self.extra

    def take(self, index: np.ndarray) -> Charge:
        """Only these of the bigs."""
        return Charge(self.least[index], self.extra[index])


@dataclass(frozen=True)
class PriceRow:
    """One little with B bigs: arrays of shape (B,).

    Args:
        bigs: numbers of the bigs among the subnets.
        charges: what an image costs, by quantity.
        figures: the figures of ``Pricer.figures`` that are the same at every threshold, by name.
    """

    bigs: np.ndarray
    charges: Mapping[str, Charge]
    figures: Mapping[str, np.ndarray]

    def take(self, index: np.ndarray) -> PriceRow:
        """Only these of the bigs."""
        charges = {quantity: charge.take(index) for quantity, charge in self.charges.items()}
        return PriceRow(self.bigs[index], charges, {name: figure[index] for name, figure in self.figures.items()})


class PriceTable:
    """Which of A subnets pair up and what every pair costs, without a loop over pairs.

    Args:
        pricer: prices single subnets.
        subnets: all different.
    """

    def __init__(self, pricer: Pricer, subnets: Sequence[Subnet]) -> None:
        self.pricer, self.subnets = pricer, list(subnets)
        self._pairs = pricer.pairs
        self._blocks = [self._pairs.blocks(subnet) for subnet in self.subnets]
        costs = [pricer.subnet(subnet) for subnet in self.subnets]
        self._whole = {q: np.array([pricer.amount(subnet, q) for subnet in self.subnets]) for q in pricer.quantities}
        self._params = np.array([cost.params for cost in costs])
        self._memory = np.array([cost.peak_memory_bytes for cost in costs])
        self._little = np.array([subnet.role == self._pairs.roles[-1] for subnet in self.subnets])
        self._big = np.array([subnet.role == "big" for subnet in self.subnets])
        axes = len(self._pairs.space.axes)
        self._choices = np.array([self._pairs.space.indices(one.arch) for one in self.subnets]).reshape(-1, axes)
        splits = {subnet.split for subnet in self.subnets}
        self._stems = {split: _Stems(self._blocks, split) for split in splits}
        longest = max((stems.longest for stems in self._stems.values()), default=0)
        self._stem_macs, self._stem_params = self._leading(longest)

    @property
    def macs(self) -> np.ndarray:
        """Of the subnets, (A,)."""
        return self._whole["macs"]

    @classmethod
    def measured(cls, pricer: Pricer, device: DeviceProfile, goal: Goal) -> PriceTable:
        """Of all archs that a device knows and finds cheap enough for a goal, in every role, cheapest littles first."""
        before, pairs = any(router.before for router in pricer.routers), pricer.pairs
        little, big = (np.ones(len(device.archs), dtype=bool) for _ in range(2))
        for quantity in device.quantities:
            column = device.column(quantity)
            # After little both run: the other is at best the cheapest there is.
            within = column + (0 if before else column.min()) <= goal.limit(PEAKS[quantity])
            little &= within & (column <= min(goal.limit(MEANS[quantity]), goal.limit(f"little_{quantity}")))
            big &= within & (column <= goal.limit(f"big_{quantity}"))
        archs, order = list(device.archs), np.argsort(device.column(device.quantities[0]), kind="stable")
        littles = [Subnet(archs[i], pairs.roles[-1], split) for i in order if little[i] for split in pairs.splits]
        return cls(pricer, list(dict.fromkeys([*littles, *(Subnet(archs[i]) for i in np.flatnonzero(big))])))

    def rows(self, little: int, goal: Goal) -> Iterator[tuple[int, int | None, PriceRow]]:
        """The rows of subnet number ``little``, one a router, and at the stem one a number of shared blocks.

        With each come the router's number, and that number of blocks where the router stands at the stem.
        """
        for number, router in enumerate(self.pricer.routers):
            for shared in self.depths(little) if router.position == "stem" else (None,):
                yield number, shared, self.row(little, goal, router, shared)

    def row(
        self,
        little: int,
        goal: Goal,
        router: Router | None = None,
        shared: int | None = None,
        router_macs: int | None = None,
    ) -> PriceRow:
        """All bigs that subnet number ``little`` may be paired with under the constraints, and what they cost.

        Args:
            little: number of the subnet.
            goal: holds the constraints.
            router: decides; default: the first of the pricer's.
            shared: only bigs with which little shares just so many blocks.
            router_macs: what the router costs once it is fitted; default: what it costs as it is.
        """
        router = router or self.pricer.routers[0]
        routing = router.macs if router_macs is None else router_macs
        bigs, blocks = self._partners(little)
        if shared is not None:
            bigs, blocks = bigs[blocks == shared], blocks[blocks == shared]
        figures = {
            "params": self._stored(little, bigs, blocks),
            "peak_memory_bytes": self._peak_memory(little, bigs, blocks, router),
        }
        charges, held = {}, np.ones(len(bigs), dtype=bool)
        for quantity, whole in self._whole.items():
            least = whole[little] + np.full(len(bigs), score_cost(routing, quantity))
            again = self._stem_macs[bigs, blocks] if quantity == "macs" else 0  # what big need not do once more
            charge = charges[quantity] = Charge(least, whole[bigs] - (whole[little] if router.before else again))
            figures |= {PEAKS[quantity]: charge.peak, f"big_{quantity}": whole[bigs]}
            figures[f"little_{quantity}"] = np.broadcast_to(whole[little], bigs.shape)
            # Before little, a dearer little saves nothing, see possible; what a device does not know is NaN.
            held &= (least <= goal.limit(MEANS[quantity])) & (charge.extra >= 0)
        for name in goal.constraints.keys() & figures.keys():
            held &= figures[name] <= goal.constraints[name]
        return PriceRow(bigs, charges, figures).take(np.flatnonzero(held))

    def depths(self, little: int) -> list[int]:
        """The different numbers of blocks that subnet number ``little`` shares with its bigs, where it shares any."""
        return [int(count) for count in np.unique(self._partners(little)[1]) if count > 0]

    def pair(self, little: int, big: int) -> PairArch:
        """The pair of subnets number ``little`` and ``big``."""
        return PairArch(self.subnets[little].arch, self.subnets[big].arch, self.subnets[little].split)

    def _partners(self, little: int) -> tuple[np.ndarray, np.ndarray]:
        """The bigs of a little, and how many leading blocks it shares with each, both (B,)."""
        bigs = np.flatnonzero(self._allowed(little))
        return bigs, self._stems[self.subnets[little].split].shared(little, bigs)

    def _allowed(self, little: int) -> np.ndarray:
        if not self._little[little]:
            return np.zeros(len(self.subnets), dtype=bool)
        return self._big & self._pairs.matches(self._choices[little], self._choices, self.subnets[little].split)

    def _stored(self, little: int, bigs: np.ndarray, shared: np.ndarray) -> np.ndarray:
        if self._pairs.within:
            return self._params[bigs]  # nested: little's weights are among them
        return self._params[little] + self._params[bigs] - self._stem_params[bigs, shared]

    def _peak_memory(self, little: int, bigs: np.ndarray, shared: np.ndarray, router: Router) -> np.ndarray:
        if router.before:
            return np.maximum(self._memory[little], self._memory[bigs])
        counts, which = np.unique(shared, return_inverse=True)
        peaks = [peak_while_waiting(self._blocks[little], int(count), self.pricer.cost) for count in counts]
        alone = bigs == little  # by itself: it waits for nothing
        waiting = np.where(alone, self._memory[little], np.array(peaks, dtype=int)[which])
        return np.maximum(waiting, self._memory[bigs])

    def _leading(self, longest: int) -> tuple[np.ndarray, np.ndarray]:
        costs = [[self.pricer.cost(blocks[:n]) for n in range(longest + 1)] for blocks in self._blocks]
        macs, params = ([[getattr(cost, name) for cost in row] for row in costs] for name in ("macs", "params"))
        return np.array(macs).reshape(-1, longest + 1), np.array(params).reshape(-1, longest + 1)


class _Stems:
    """How many leading blocks, in the stages up to a split, any two of A subnets share.

    Few different beginnings occur among the pairs that are allowed, so each two of them are compared once.

    Args:
        blocks: of the subnets.
        split: the last stage that may be shared.
    """

    def __init__(self, blocks: Sequence[tuple[BlockSpec, ...]], split: int) -> None:
        self._split = split
        numbers: dict[tuple[BlockSpec, ...], int] = {}
        early = (tuple(block for block in row if block.stage <= split) for row in blocks)
        self._number = np.array([numbers.setdefault(stem, len(numbers)) for stem in early], dtype=int)
        self._stems = list(numbers)
        self.longest = max(map(len, self._stems), default=0)
        self._known: dict[tuple[int, int], int] = {}

    def shared(self, little: int, bigs: np.ndarray) -> np.ndarray:
        """Of subnet number ``little`` with those numbered ``bigs``, (B,)."""
        different, which = np.unique(self._number[bigs], return_inverse=True)
        counts = [self._count(int(self._number[little]), int(other)) for other in different]
        return np.array(counts, dtype=int)[which]

    def _count(self, a: int, b: int) -> int:
        if (a, b) not in self._known:
            self._known[a, b] = count_shared(self._stems[a], self._stems[b], self._split)
        return self._known[a, b]
