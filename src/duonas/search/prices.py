"""What pairs cost: one by one before anything is evaluated, and all pairs of many archs at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.cost import Cost, PairCost
from duonas.core.pair import PairArch, PairSpace, count_shared
from duonas.core.protocols import CostModel
from duonas.core.space import SearchSpace
from duonas.costs.counting import analytic, pair_cost
from duonas.search.goal import Goal


class Pricer:
    """Costs of archs and pairs, each arch counted once.

    Args:
        pairs: the pairs that are allowed.
        cost: prices blocks.
        router_macs: what the router's score costs.
    """

    def __init__(self, pairs: PairSpace, cost: CostModel = analytic, router_macs: int = 0) -> None:
        self.pairs, self.cost, self.router_macs = pairs, cost, router_macs
        self._archs: dict[Arch, Cost] = {}

    def arch(self, arch: Arch) -> Cost:
        """The cost of a whole arch."""
        if arch not in self._archs:
            self._archs[arch] = self.cost(self.pairs.space.blocks(arch))
        return self._archs[arch]

    def parts(self, pair: PairArch) -> PairCost:
        """The pair's parts in MACs."""
        return pair_cost(self.pairs, pair, self.cost, self.router_macs)

    def figures(self, pair: PairArch) -> dict[str, float]:
        """Every constrained figure by name; ``expected_macs`` is the least, when every image stays little."""
        little, big, parts = self.arch(pair.little), self.arch(pair.big), self.parts(pair)
        return {
            "expected_macs": parts.least,
            "peak_macs": parts.peak,
            "params": big.params,  # nested: little's weights are among big's
            "peak_memory_bytes": max(little.peak_memory_bytes, big.peak_memory_bytes),
            "little_macs": little.macs,
            "big_macs": big.macs,
        }


@dataclass(frozen=True)
class PriceRow:
    """One little with B bigs: arrays of shape (B,).

    Args:
        bigs: numbers of the bigs among the archs.
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
    """Which of A archs pair up and what every pair costs, without a loop over pairs.

    Two archs share leading blocks only up to the split, so archs fall into few groups by those, and what is shared
    follows from the groups. A user's own ``contains`` or ``shared`` is asked pair by pair.

    Args:
        pricer: prices single archs.
        archs: all different.
    """

    def __init__(self, pricer: Pricer, archs: Sequence[Arch]) -> None:
        self.pricer, self.archs = pricer, list(archs)
        self._pairs = pricer.pairs
        blocks = [self._pairs.space.blocks(arch) for arch in self.archs]
        costs = [pricer.arch(arch) for arch in self.archs]
        self.macs = np.array([cost.macs for cost in costs])
        self._params = np.array([cost.params for cost in costs])
        self._memory = np.array([cost.peak_memory_bytes for cost in costs])
        self._group, self._shared = _groups(blocks)
        longest = int(self._shared.max(initial=0)) if _plain_shared(self._pairs) else max(map(len, blocks), default=0)
        self._stem = self._macs(blocks, longest, leading=True)
        self._rest = self._macs(blocks, longest, leading=False)
        self._choices = self._index_vectors()

    def row(self, little: int, goal: Goal) -> PriceRow:
        """All bigs that arch number ``little`` may be paired with under the constraints, and what they cost."""
        bigs = np.flatnonzero(self._allowed(little))
        shared = self._shared_blocks(little, bigs)
        peak_memory = np.maximum(self._memory[little], self._memory[bigs])
        least = self._stem[bigs, shared] + self._rest[little, shared] + self.pricer.router_macs
        extra = self._rest[bigs, shared]
        figures = {
            "peak_macs": least + extra,
            "params": self._params[bigs],
            "peak_memory_bytes": peak_memory,
            "little_macs": np.broadcast_to(self.macs[little], bigs.shape),
            "big_macs": self.macs[bigs],
        }
        row = PriceRow(bigs, least, extra, figures)
        held = least <= goal.budget
        for name in goal.constraints.keys() & figures.keys():
            held &= figures[name] <= goal.constraints[name]
        return row.take(np.flatnonzero(held))

    def pair(self, little: int, big: int) -> PairArch:
        """The pair of archs number ``little`` and ``big``."""
        return PairArch(self.archs[little], self.archs[big])

    def _macs(self, blocks: list[tuple[BlockSpec, ...]], longest: int, *, leading: bool) -> np.ndarray:
        cost = self.pricer.cost
        macs = [[cost(b[:n] if leading else b[n:]).macs for n in range(longest + 1)] for b in blocks]
        return np.array(macs).reshape(-1, longest + 1)

    def _index_vectors(self) -> np.ndarray | None:
        space = self._pairs.space
        plain = type(self._pairs).contains is PairSpace.contains and type(space).contains is SearchSpace.contains
        if not plain:
            return None
        rows = [[dict(arch.choices).get(name, -1) for name in space.axes] for arch in self.archs]
        return np.array(rows, dtype=np.int16).reshape(len(self.archs), -1)

    def _allowed(self, little: int) -> np.ndarray:
        if self._choices is None:
            pairs = (self.pair(little, big) for big in range(len(self.archs)))
            return np.array([self._pairs.contains(pair) for pair in pairs], dtype=bool)
        # An inactive axis is -1: little needs nothing there, and a big that lacks it contains no choice on it.
        allowed = (self._choices[little] <= self._choices).all(axis=1)
        allowed[little] = False
        return allowed

    def _shared_blocks(self, little: int, bigs: np.ndarray) -> np.ndarray:
        if _plain_shared(self._pairs):
            return self._shared[self._group[little], self._group[bigs]]
        return np.array([self._pairs.shared(self.pair(little, big)) for big in bigs], dtype=int)


def _plain_shared(pairs: PairSpace) -> bool:
    return type(pairs).shared is PairSpace.shared


def _groups(blocks: list[tuple[BlockSpec, ...]], split: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Each arch's group by its blocks up to the split (A,), and how many any two groups share (G, G)."""
    numbers: dict[tuple[BlockSpec, ...], int] = {}
    prefixes = [tuple(block for block in row if block.stage <= split) for row in blocks]
    group = np.array([numbers.setdefault(prefix, len(numbers)) for prefix in prefixes], dtype=int)
    shared = [[count_shared(a, b, split) for b in numbers] for a in numbers]
    return group, np.array(shared, dtype=int).reshape(len(numbers), len(numbers))
