"""The given networks as a search space: a choice of one network, and pairs of two different ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from duonas.core.arch import Arch
from duonas.core.axis import Axis
from duonas.core.block import BlockSpec
from duonas.core.cost import Cost
from duonas.core.couplings import IndependentPairs
from duonas.core.pair import Coupling, PairArch, Role
from duonas.core.protocols import CostModel
from duonas.core.space import SearchSpace
from duonas.costs.options import HERE

AXIS = "network"
GRAPH = "graph"  # the kind of the block that a whole network is


@dataclass(frozen=True)
class Named:
    """A network by its name, which no other one has, and by what its graph is, which one of another name may have."""

    label: str
    digest: str


class GivenSpace(SearchSpace):
    """One axis, whose values are the names of networks; a network is one block."""

    def __init__(self, found: Sequence[Named], image_size: int, classes: int) -> None:
        labels = tuple(each.label for each in found)
        super().__init__("given", [Axis(AXIS, labels, weightless=())], image_size=image_size, classes=classes)

    def blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        """The block of a network, which its name tells from others."""
        name = str(self.value(arch, AXIS))
        return (BlockSpec(name, 1, GRAPH, 3, self.classes, self.image_size, 1, operations=(name,)),)


class GivenPairs(IndependentPairs):
    """Any two different networks.

    Args:
        found: the networks.
        image_size: side of the images in pixels.
        classes: K.
    """

    coupling: Coupling = "given"
    has_smallest = True  # ``smallest`` gives every pair

    def __init__(self, found: Mapping[Role, Sequence[Named]], image_size: int, classes: int) -> None:
        big, little = (GivenSpace(found[role], image_size, classes) for role in ("big", "little"))
        super().__init__(big, little)
        digests = [[each.digest for each in found[role]] for role in ("little", "big")]
        self._differ = np.array([[mine != other for other in digests[1]] for mine in digests[0]], dtype=bool)

    def contains(self, pair: PairArch) -> bool:
        """Whether the two networks are different ones."""
        return pair.split == 0 and bool(self._differ[pair.little[AXIS], pair.big[AXIS]])

    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """Select the bigs that are another network than little."""
        return np.asarray(self._differ[int(little[0])][bigs[:, 0]] & (split == 0))

    def sample(self, rng: np.random.Generator) -> PairArch:
        """Draw one of the pairs."""
        every = list(self.smallest())
        return every[int(rng.integers(len(every)))]

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """Keep a pair of different networks, or draw another pair."""
        kept = PairArch(pair.little, pair.big)
        return kept if self.contains(kept) else self.sample(rng)

    def size(self) -> int:
        """The number of pairs of different networks."""
        return int(self._differ.sum())

    def smallest(self) -> Iterator[PairArch]:
        """Every pair."""
        archs = product(self.spaces["little"].archs(), self.space.archs())
        return (pair for pair in (PairArch(little, big) for little, big in archs) if self.contains(pair))

    def _objection(self, pair: PairArch) -> str:
        return "both of its networks are the same one"


@dataclass(frozen=True)
class GivenPrices(CostModel):
    """What given networks cost: counted, and timed where that was done.

    Args:
        costs: of each network by its name.
        source: of the times, as JSON; ``None`` if none was timed.
    """

    costs: Mapping[str, Cost]
    source: Mapping[str, Any] | None = None

    @property
    def quantities(self) -> tuple[str, ...]:  # type: ignore[override]
        """MACs, and time if it is known."""
        return ("macs",) if self.source is None else ("macs", "latency_ms")

    def __call__(self, blocks: Sequence[BlockSpec]) -> Cost:
        """The sum over networks, of which a pair's part has one or none."""
        every = [self.costs[block.operations[0]] for block in blocks]
        latency = None if self.source is None else sum(each.latency_ms or 0.0 for each in every)
        return Cost(
            macs=sum(each.macs for each in every),
            params=sum(each.params for each in every),
            weight_bytes=sum(each.weight_bytes for each in every),
            peak_memory_bytes=max((each.peak_memory_bytes for each in every), default=0),
            latency_ms=latency,
        )

    def origin(self) -> Mapping[str, Any] | None:
        """Where the times are from."""
        return None if self.source is None else {"path": HERE, **self.source}
