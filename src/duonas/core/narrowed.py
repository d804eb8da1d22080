"""Parts of a pair space, for a search that goes one arch at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch, PairSpace, Subnet


class WithBig(PairSpace):
    """The pairs that have one certain big: what is left to choose is little, and where it branches off.

    Args:
        pairs: all pairs of the coupling.
        big: the arch.

    Raises:
        DuonasError: no little goes with this big.
    """

    def __init__(self, pairs: PairSpace, big: Arch) -> None:
        super().__init__(pairs.space, pairs.spaces["little"])
        if not any(pairs.smallest_with(big)):
            raise DuonasError(f"no {pairs.coupling} pair has the big {big.id}: there is no smaller arch.")
        self.pairs, self.big = pairs, big
        self.coupling, self.roles, self.splits, self.towers = pairs.coupling, pairs.roles, pairs.splits, pairs.towers

    def contains(self, pair: PairArch) -> bool:
        """Whether it is an allowed pair with that big."""
        return pair.big == self.big and self.pairs.contains(pair)

    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """That big alone."""
        mask: np.ndarray = np.all(bigs == self.space.indices(self.big), axis=1) & self.pairs.matches(
            little, bigs, split
        )
        return mask

    def sample(self, rng: np.random.Generator) -> PairArch:
        """A little drawn for that big."""
        return self.pairs.sample_with(self.big, rng)

    def sample_with(self, big: Arch, rng: np.random.Generator) -> PairArch:
        """The same."""
        return self.sample(rng)

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """That big put in, and little made to fit it."""
        return self.pairs.repair(PairArch(pair.little, self.big, pair.split), rng)

    def size(self) -> int:
        """The number of littles for that big."""
        return self.pairs.size_with(self.big)

    def size_with(self, big: Arch) -> int:
        """All, if it is that big."""
        return self.size() if big == self.big else 0

    def smallest(self) -> Iterator[PairArch]:
        """With the smallest littles."""
        return self.pairs.smallest_with(self.big)

    def smallest_with(self, big: Arch) -> Iterator[PairArch]:
        """The same, if it is that big."""
        return self.smallest() if big == self.big else iter(())

    def subnets(self, pair: PairArch) -> tuple[Subnet, Subnet]:
        """As in the coupling."""
        return self.pairs.subnets(pair)

    def blocks(self, subnet: Subnet) -> tuple[BlockSpec, ...]:
        """As in the coupling."""
        return self.pairs.blocks(subnet)

    def shared(self, pair: PairArch) -> int:
        """As in the coupling."""
        return self.pairs.shared(pair)

    def _redrawn(self, split: int, rng: np.random.Generator, p: float) -> int:
        return self.pairs._redrawn(split, rng, p)

    def _objection(self, pair: PairArch) -> str:
        return self.pairs._objection(pair) if pair.big == self.big else f"its big must be {self.big.id}"


class Alone(PairSpace):
    """Every big by itself, as a pair with itself in which nothing is computed twice.

    Args:
        pairs: all pairs of the coupling; a big that no little goes with is left out.
    """

    roles = ("big",)

    def __init__(self, pairs: PairSpace) -> None:
        super().__init__(pairs.space)
        self.pairs, self.coupling = pairs, pairs.coupling

    def contains(self, pair: PairArch) -> bool:
        """Whether it is one arch twice, and can be a big."""
        return pair.little == pair.big and pair.split == 0 and any(self.pairs.smallest_with(pair.big))

    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """The same arch."""
        mask: np.ndarray = np.all(bigs == little, axis=1)
        return mask

    def sample(self, rng: np.random.Generator) -> PairArch:
        """The big of a pair that is drawn."""
        return self._alone(self.pairs.sample(rng).big)

    def sample_with(self, big: Arch, rng: np.random.Generator) -> PairArch:
        """There is but one."""
        return self._alone(big)

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """Big by itself."""
        alone = self._alone(pair.big)
        return alone if self.contains(alone) else self.sample(rng)

    def size(self) -> int:
        """The number of bigs: all archs, but for the smallest where that contains no other."""
        return self.space.size() - (not any(self.pairs.smallest_with(self.space.smallest())))

    def size_with(self, big: Arch) -> int:
        """One, if it can be a big."""
        return int(self.contains(self._alone(big)))

    def smallest(self) -> Iterator[PairArch]:
        """The bigs of the smallest pairs."""
        return map(self._alone, dict.fromkeys(pair.big for pair in self.pairs.smallest()))

    def smallest_with(self, big: Arch) -> Iterator[PairArch]:
        """There is but one."""
        return (pair for pair in [self._alone(big)] if self.contains(pair))

    def subnets(self, pair: PairArch) -> tuple[Subnet, Subnet]:
        """Big, twice."""
        return Subnet(pair.big), Subnet(pair.big)

    def blocks(self, subnet: Subnet) -> tuple[BlockSpec, ...]:
        """As in the coupling."""
        return self.pairs.blocks(subnet)

    def shared(self, pair: PairArch) -> int:
        """All blocks."""
        return len(self.blocks(Subnet(pair.big)))

    def _alone(self, big: Arch) -> PairArch:
        return PairArch(big, big)

    def _objection(self, pair: PairArch) -> str:
        return "it must be one arch twice, and one that can be a big"
