"""A pair of archs, and the spaces of pairs that the three couplings allow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError, nearest
from duonas.core.space import SearchSpace

Coupling = Literal["nested", "sibling", "partial", "independent"]
Role = Literal["big", "little"]


@dataclass(frozen=True, order=True)
class PairArch:
    """A little and a big arch; the stages up to ``split`` are shared (0: the stem alone)."""

    little: Arch
    big: Arch
    split: int = 0

    @property
    def id(self) -> str:
        """The two archs' names, little first, and the split where there is one."""
        return f"{self.little.id}-{self.big.id}" + (f"-{self.split}" if self.split else "")

    def to_json(self) -> dict[str, Any]:
        """A JSON value from which ``from_json`` makes an equal pair."""
        return {"little": self.little.to_json(), "big": self.big.to_json(), "split": self.split}

    @classmethod
    def from_json(cls, value: Any) -> PairArch:
        """The pair that ``to_json`` described."""
        return cls(Arch.from_json(value["little"]), Arch.from_json(value["big"]), int(value["split"]))


@dataclass(frozen=True, order=True)
class Subnet:
    """One network in the weights of a coupling: what it answers does not depend on its partner.

    Args:
        arch: the arch.
        role: whose weights it has. Nested pairs have one tower, big's, and both archs are subnets of that.
        split: a little's stages up to here have big's weights.
    """

    arch: Arch
    role: Role = "big"
    split: int = 0

    @property
    def id(self) -> str:
        """The arch's name, and where in the weights it lies if that is not big's tower."""
        return self.arch.id if self.role == "big" else f"{self.arch.id}-{self.role}{self.split}"

    def to_json(self) -> dict[str, Any]:
        """A JSON value that tells subnets apart."""
        return {"arch": self.arch.to_json(), "role": self.role, "split": self.split}


class PairSpace(ABC):
    """The pairs that a search space and a coupling allow (paper D, section 3.2).

    Args:
        space: where both archs come from.
    """

    coupling: Coupling
    roles: tuple[Role, ...] = ("big", "little")  # whose weights there are

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    @abstractmethod
    def contains(self, pair: PairArch) -> bool:
        """Whether ``pair`` is allowed."""

    @abstractmethod
    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """``contains`` for one little and N bigs at once, as a mask (N,).

        Args:
            little: (A,) indices on all A axes, -1 where an axis is inactive.
            bigs: (N, A) likewise.
            split: of the pairs.
        """

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> PairArch:
        """An allowed pair, drawn."""

    @abstractmethod
    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """The nearest pair that is allowed."""

    @abstractmethod
    def size(self) -> int:
        """The exact number of allowed pairs (paper D, appendix E.1)."""

    @abstractmethod
    def smallest(self) -> Iterator[PairArch]:
        """Pairs among which, for any cost, one costs least."""

    def largest(self) -> PairArch:
        """Both archs the largest; not an allowed pair where little must differ."""
        return PairArch(self.space.largest(), self.space.largest())

    def subnets(self, pair: PairArch) -> tuple[Subnet, Subnet]:
        """Little and big as subnets of the coupling's weights."""
        return Subnet(pair.little, "little", pair.split), Subnet(pair.big)

    def sample_subnet(self, role: Role, rng: np.random.Generator) -> Subnet:
        """A subnet of one tower, drawn."""
        return Subnet(self.space.sample(rng), role)

    def mutate(self, pair: PairArch, rng: np.random.Generator, p: float = 0.1) -> PairArch:
        """Both archs mutated, then made to fit each other."""
        little, big = self.space.mutate(pair.little, rng, p), self.space.mutate(pair.big, rng, p)
        return self.repair(PairArch(little, big, self._redrawn(pair.split, rng, p)), rng)

    def crossover(self, a: PairArch, b: PairArch, rng: np.random.Generator) -> PairArch:
        """Little crossed with little and big with big, then made to fit each other."""
        little, big = self.space.crossover(a.little, b.little, rng), self.space.crossover(a.big, b.big, rng)
        return self.repair(PairArch(little, big, a.split), rng)

    def blocks(self, subnet: Subnet) -> tuple[BlockSpec, ...]:
        """What a subnet is made of."""
        return self.space.blocks(subnet.arch)

    def shared(self, pair: PairArch) -> int:
        """How many leading blocks the towers share.

        Those up to the split that are equal in both: with different resolutions not even the stem can be shared, since
        the two towers look at different images.
        """
        little, big = map(self.blocks, self.subnets(pair))
        return count_shared(little, big, pair.split)

    def parted(self) -> PairSpace:
        """The coupling of a pair that was trained on: each tower with weights of its own behind what both share."""
        return self

    def _redrawn(self, split: int, rng: np.random.Generator, p: float) -> int:
        return split


class NestedPairs(PairSpace):
    """Little's weights are a subset of big's (option A): two different archs, little contained in big."""

    coupling = "nested"
    roles = ("big",)

    def contains(self, pair: PairArch) -> bool:
        """Whether little is another arch than big and contained in it."""
        return pair.split == 0 and pair.little != pair.big and self.space.contains(pair.big, pair.little)

    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """All that contain little and differ from it."""
        mask: np.ndarray = self.space.contained(little, bigs) & np.any(little != bigs, axis=1)
        return mask

    def sample(self, rng: np.random.Generator) -> PairArch:
        """A big arch drawn from the space and a different little one drawn within it."""
        while True:
            big = self.space.sample(rng)
            pair = PairArch(self.space.sample_within(big, rng), big)
            if self.contains(pair):
                return pair

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """Little cut down to what big contains; where they coincide, it takes one step down."""
        little, big = pair.little, pair.big
        indices = {n: min(little[n], big[n]) if n in little and n in big else 0 for n in self.space.axes}
        cut = PairArch(self.space.canonical(Arch(self.space.name, tuple(indices.items()))), big)
        if self.contains(cut):
            return cut
        below = [arch for arch in self.space.neighbours(big) if self.contains(PairArch(arch, big))]
        return PairArch(below[int(rng.integers(len(below)))], big) if below else self.sample(rng)

    def size(self) -> int:
        """All nested pairs less those of an arch with itself."""
        return self.space.nested_pairs() - self.space.size()

    def smallest(self) -> Iterator[PairArch]:
        """The smallest arch under each that is one step larger."""
        smallest = self.space.smallest()
        pairs = (PairArch(smallest, big) for big in self.space.neighbours(smallest))
        return (pair for pair in pairs if self.contains(pair))

    def subnets(self, pair: PairArch) -> tuple[Subnet, Subnet]:
        """Both lie in the one tower."""
        return Subnet(pair.little), Subnet(pair.big)

    def parted(self) -> PairSpace:
        """Siblings: little's weights are no part of big's any more."""
        return SiblingPairs(self.space)


class SiblingPairs(PairSpace):
    """Two towers with weights of their own behind one stem (option B): any two archs."""

    coupling: Coupling = "sibling"

    def contains(self, pair: PairArch) -> bool:
        """Whether the stem alone is shared."""
        return pair.split == 0

    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """All of them."""
        return np.full(len(bigs), split == 0)

    def sample(self, rng: np.random.Generator) -> PairArch:
        """Two archs, each drawn from the space."""
        return PairArch(self.space.sample(rng), self.space.sample(rng))

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """The same archs."""
        return PairArch(pair.little, pair.big)

    def size(self) -> int:
        """Every arch with every arch."""
        return self.space.size() ** 2

    def smallest(self) -> Iterator[PairArch]:
        """The smallest arch in both towers."""
        yield PairArch(self.space.smallest(), self.space.smallest())


class IndependentPairs(SiblingPairs):
    """Two networks trained apart (paper D, section 4.2): nothing is shared, and each computes a stem of its own."""

    coupling = "independent"

    def shared(self, pair: PairArch) -> int:
        """None."""
        return 0


class PartialPairs(PairSpace):
    """The stages up to a split are shared and computed once, little branches off there (option C).

    Args:
        space: where both archs come from.
        splits: the split points to choose from; default: after every stage but the last.

    Raises:
        DuonasError: a split point that the space does not have.
    """

    coupling = "partial"

    def __init__(self, space: SearchSpace, splits: Sequence[int] | None = None) -> None:
        super().__init__(space)
        last = space.stages - 1
        if last < 1:
            raise DuonasError(
                f"[pair] coupling = 'partial' needs a search space of two stages or more: {space.name!r} has "
                f"{space.stages}."
            )
        for split in splits or ():
            if not 1 <= split <= last:
                raise DuonasError(
                    f"[pair] splits has {split}: little can branch off after stage 1 to {last} of this search space."
                )
        self.splits = tuple(sorted(set(splits or range(1, last + 1))))

    def contains(self, pair: PairArch) -> bool:
        """Whether both make the same choices up to the split."""
        return pair.split in self.splits and self._joined(pair) == pair

    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """Those with the same choices up to the split."""
        early = [axis.stage <= split for axis in self.space.axes.values()]
        mask: np.ndarray = np.all(little[early] == bigs[:, early], axis=1)
        return mask

    def sample(self, rng: np.random.Generator) -> PairArch:
        """Two archs and a split drawn; little takes over what big chose up to there."""
        return self._joined(PairArch(self.space.sample(rng), self.space.sample(rng), self._draw(rng)))

    def sample_subnet(self, role: Role, rng: np.random.Generator) -> Subnet:
        """A subnet drawn; a little one with a split."""
        return Subnet(self.space.sample(rng), role, self._draw(rng) if role == "little" else 0)

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """Little takes over what big chose up to the split."""
        return self._joined(pair if pair.split in self.splits else PairArch(pair.little, pair.big, self._draw(rng)))

    def size(self) -> int:
        """For every split, all beginnings times all ends of big times all ends of little."""
        return sum(self.space.size(upto=split) * self.space.size(after=split) ** 2 for split in self.splits)

    def smallest(self) -> Iterator[PairArch]:
        """The smallest arch in both towers, at every split."""
        return (PairArch(self.space.smallest(), self.space.smallest(), split) for split in self.splits)

    def largest(self) -> PairArch:
        """Both archs the largest, little branching off as early as it may."""
        return PairArch(self.space.largest(), self.space.largest(), self.splits[0])

    def _joined(self, pair: PairArch) -> PairArch:
        return PairArch(self.space.graft(pair.big, pair.little, pair.split), pair.big, pair.split)

    def _draw(self, rng: np.random.Generator) -> int:
        return self.splits[int(rng.integers(len(self.splits)))]

    def _redrawn(self, split: int, rng: np.random.Generator, p: float) -> int:
        return self._draw(rng) if rng.random() < p else split


COUPLINGS: dict[str, type[PairSpace]] = {c.coupling: c for c in (NestedPairs, SiblingPairs, PartialPairs)}


def pair_space(space: SearchSpace, coupling: str = "nested", splits: Sequence[int] | None = None) -> PairSpace:
    """The pairs of a search space under a coupling by its name.

    Args:
        space: where both archs come from.
        coupling: ``"nested"``, ``"sibling"`` or ``"partial"``.
        splits: the split points of ``"partial"``; default: all.

    Raises:
        DuonasError: no such coupling, or split points that it cannot have.
    """
    if coupling not in COUPLINGS:
        raise DuonasError(f"no coupling {coupling!r}: {nearest(coupling, COUPLINGS)}.")
    if coupling == "partial":
        return PartialPairs(space, splits)
    if splits:
        raise DuonasError(f"[pair] splits is for coupling = 'partial': {coupling!r} shares the stem alone.")
    return COUPLINGS[coupling](space)


def count_shared(little: tuple[BlockSpec, ...], big: tuple[BlockSpec, ...], split: int) -> int:
    """The number of leading blocks, in stages up to ``split``, that are the same in both archs."""
    shared = 0
    for mine, other in zip(little, big, strict=False):
        if mine != other or mine.stage > split:
            break
        shared += 1
    return shared
