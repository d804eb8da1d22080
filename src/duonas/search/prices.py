"""What pairs cost: one by one before anything is evaluated, and all pairs of many archs at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.cost import Cost, PairCost
from duonas.core.pair import PairArch, PairSpace, Subnet, count_shared
from duonas.core.protocols import CostModel
from duonas.costs.counting import analytic, pair_cost
from duonas.routing.confidence import Confidence
from duonas.routing.router import Router
from duonas.search.goal import Goal


class Pricer:
    """Costs of subnets and pairs, each subnet counted once.

    Args:
        pairs: the pairs that are allowed.
        cost: prices blocks.
        routers: that may route the pairs, not fitted: fitted, they cost no less.
    """

    def __init__(
        self, pairs: PairSpace, cost: CostModel = analytic, routers: Sequence[Router] = (Confidence(),)
    ) -> None:
        self.pairs, self.cost, self.routers = pairs, cost, tuple(routers)
        self._subnets: dict[Subnet, Cost] = {}

    @property
    def within(self) -> bool:
        """Whether little's weights are a part of big's: in one tower, where they are not made for each arch."""
        return len(self.pairs.towers) == 1 and not self.pairs.space.generated

    def over(self, pairs: PairSpace) -> Pricer:
        """The same prices for other pairs."""
        return Pricer(pairs, self.cost, self.routers)

    def subnet(self, subnet: Subnet) -> Cost:
        """The cost of a whole subnet."""
        if subnet not in self._subnets:
            self._subnets[subnet] = self.cost(self.pairs.blocks(subnet))
        return self._subnets[subnet]

    def parts(self, pair: PairArch) -> PairCost:
        """The pair's parts in MACs; ``routed_by`` puts a router in."""
        return pair_cost(self.pairs, pair, self.cost)

    def possible(self, pair: PairArch) -> list[int]:
        """The numbers of the routers that can route a pair.

        At the stem there must be blocks that both networks share. Before little there is something to save only where
        little costs no more than big.
        """
        kinds = {router.position for router in self.routers}
        lacking = {"stem"} if "stem" in kinds and not self.pairs.shared(pair) else set()
        if kinds & {"input", "stem"}:
            little, big = map(self.subnet, self.pairs.subnets(pair))
            lacking |= {"input", "stem"} if little.macs > big.macs else set()
        return [number for number, router in enumerate(self.routers) if router.position not in lacking]

    def figures(self, pair: PairArch) -> dict[str, float]:
        """Every constrained figure by name, the least that it is with any of the routers.

        ``expected_macs`` is that when every image stays little.
        """
        members = self.pairs.subnets(pair)
        least, before = min(router.macs for router in self.routers), any(router.before for router in self.routers)
        little, big, parts = *map(self.subnet, members), self.parts(pair).routed_by(least, before=before)
        return {
            "expected_macs": parts.least,
            "peak_macs": parts.peak,
            "params": self.params(pair),
            "peak_memory_bytes": max(little.peak_memory_bytes, big.peak_memory_bytes),
            "little_macs": little.macs,
            "big_macs": big.macs,
        }

    def params(self, pair: PairArch) -> int:
        """The weights to store: big's where little's are a part of them, else both's, the shared ones once."""
        little, big = self.pairs.subnets(pair)
        if self.within:
            return self.subnet(big).params
        shared = self.cost(self.pairs.blocks(big)[: self.pairs.shared(pair)]).params
        return self.subnet(little).params + self.subnet(big).params - shared


@dataclass(frozen=True)
class PriceRow:
    """One little with B bigs: arrays of shape (B,).

    Args:
        bigs: numbers of the bigs among the subnets.
        least: what an image costs that stays little.
        extra: what big costs on top.
        figures: ``peak_macs``, ``params``, ``peak_memory_bytes``, ``little_macs`` and ``big_macs`` by name.
    """

    bigs: np.ndarray
    least: np.ndarray
    extra: np.ndarray
    figures: Mapping[str, np.ndarray]

    def expected(self, little_share: np.ndarray) -> np.ndarray:
        """The mean cost at little shares (..., B), as ``PairCost.expected``."""
        return self.least + (1 - little_share) * self.extra

    def take(self, index: np.ndarray) -> PriceRow:
        """Only these of the bigs."""
        figures = {name: figure[index] for name, figure in self.figures.items()}
        return PriceRow(self.bigs[index], self.least[index], self.extra[index], figures)


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
        self.macs = np.array([cost.macs for cost in costs])
        self._params = np.array([cost.params for cost in costs])
        self._memory = np.array([cost.peak_memory_bytes for cost in costs])
        self._little = np.array([subnet.role == self._pairs.roles[-1] for subnet in self.subnets])
        self._big = np.array([subnet.role == "big" for subnet in self.subnets])
        self._choices = np.stack([self._pairs.space.indices(subnet.arch) for subnet in self.subnets])
        splits = {subnet.split for subnet in self.subnets}
        self._stems = {split: _Stems(self._blocks, split) for split in splits}
        longest = max((stems.longest for stems in self._stems.values()), default=0)
        self._stem_macs, self._stem_params = self._leading(longest)

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
        stem = self._stem_macs[bigs, blocks]
        least = self.macs[little] + routing + np.zeros_like(stem)
        extra = self.macs[bigs] - (self.macs[little] if router.before else stem)
        figures = {
            "peak_macs": least + extra,
            "params": self._stored(little, bigs, blocks),
            "peak_memory_bytes": np.maximum(self._memory[little], self._memory[bigs]),
            "little_macs": np.broadcast_to(self.macs[little], bigs.shape),
            "big_macs": self.macs[bigs],
        }
        row = PriceRow(bigs, least, extra, figures)
        held = (least <= goal.budget) & (extra >= 0)  # before little, a dearer little saves nothing: see possible
        for name in goal.constraints.keys() & figures.keys():
            held &= figures[name] <= goal.constraints[name]
        return row.take(np.flatnonzero(held))

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
        if self.pricer.within:
            return self._params[bigs]  # nested: little's weights are among them
        return self._params[little] + self._params[bigs] - self._stem_params[bigs, shared]

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
