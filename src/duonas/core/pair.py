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
        role: whose weights and blocks it has. Nested pairs have one tower, big's; both archs are big's subnets there,
            unless little's blocks are others.
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
        little: a space with the same axes, of whose blocks little is made after the split, such as simpler ones;
            default: the same blocks as big's.

    Raises:
        DuonasError: little's space has other axes.
    """

    coupling: Coupling
    roles: tuple[Role, ...] = ("big", "little")  # of the subnets
    towers: tuple[Role, ...] = ("big", "little")  # whose weights there are
    splits: tuple[int, ...] = (0,)  # where little may branch off

    def __init__(self, space: SearchSpace, little: SearchSpace | None = None) -> None:
        if little is not None and dict(little.axes) != dict(space.axes):
            raise DuonasError(f"little's search space {little.name!r} must have the axes of big's, {space.name!r}.")
        self.space = space
        self.spaces: dict[Role, SearchSpace] = {"big": space, "little": little or space}

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
    def sample_with(self, big: Arch, rng: np.random.Generator) -> PairArch:
        """An allowed pair with this big, of which ``smallest_with`` must know one; its little is drawn."""

    @abstractmethod
    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """The nearest pair that is allowed."""

    @abstractmethod
    def size(self) -> int:
        """The exact number of allowed pairs (paper D, appendix E.1)."""

    @abstractmethod
    def size_with(self, big: Arch) -> int:
        """The exact number of allowed pairs with this big."""

    @abstractmethod
    def smallest(self) -> Iterator[PairArch]:
        """Pairs among which, for any cost, one costs least."""

    @abstractmethod
    def _objection(self, pair: PairArch) -> str:
        """Why a pair of archs of the space is not allowed."""

    def validate(self, pair: PairArch) -> PairArch:
        """``pair`` itself, if it is allowed.

        Raises:
            DuonasError: one of its archs is not of the space, or they do not go together; the message says why.
        """
        for arch in (pair.little, pair.big):
            self.space.validate(arch)
        if not self.contains(pair):
            raise DuonasError(f"{pair.id} is not a {self.coupling} pair: {self._objection(pair)}.")
        return pair

    def smallest_with(self, big: Arch) -> Iterator[PairArch]:
        """Pairs with this big among which, for any cost, one costs least; none where no little goes with it."""
        smallest = self.space.smallest()
        littles = dict.fromkeys((smallest, self.space.graft(big, smallest, 0)))  # the latter shares big's stem
        return (pair for pair in (PairArch(little, big) for little in littles) if self.contains(pair))

    def largest(self) -> PairArch:
        """Both archs the largest; not an allowed pair where little must differ."""
        return PairArch(self.space.largest(), self.space.largest())

    def subnets(self, pair: PairArch) -> tuple[Subnet, Subnet]:
        """Little and big as subnets of the coupling's weights."""
        return Subnet(pair.little, "little", pair.split), Subnet(pair.big)

    def largest_subnets(self) -> tuple[Subnet, ...]:
        """The largest of each tower, at every split: together they use all weights."""
        largest = self.space.largest()
        little = [Subnet(largest, "little", split) for split in self.splits if "little" in self.roles]
        return Subnet(largest), *little

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
        """What a subnet is made of: the blocks of its role's space, but up to the split those of big's."""
        blocks, own = self.space.blocks(subnet.arch), self.spaces[subnet.role]
        if own is self.space:
            return blocks
        pairs = zip(blocks, own.blocks(subnet.arch), strict=True)
        return tuple(mine if mine.stage > subnet.split else shared for shared, mine in pairs)

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
    """Little's weights are a subset of big's (option A): two different archs, little contained in big.

    Args:
        space: where both archs come from.
        little: the same axes with other blocks for little.

    Raises:
        DuonasError: little's blocks need weights that big's do not have.
    """

    coupling = "nested"
    towers = ("big",)

    def __init__(self, space: SearchSpace, little: SearchSpace | None = None) -> None:
        super().__init__(space, little)
        self.roles = ("big",) if little is None else ("big", "little")
        _check_part(self.spaces["little"].whole(), space.whole())

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

    def sample_with(self, big: Arch, rng: np.random.Generator) -> PairArch:
        """A different arch drawn within big."""
        while not self.contains(pair := PairArch(self.space.sample_within(big, rng), big)):
            pass
        return pair

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """Little cut down to what big contains; where they coincide, it takes one step down."""
        big = pair.big
        cut = PairArch(self.space.cut(pair.little, big), big)
        if self.contains(cut):
            return cut
        below = [arch for arch in self.space.neighbours(big) if self.contains(PairArch(arch, big))]
        return PairArch(below[int(rng.integers(len(below)))], big) if below else self.sample(rng)

    def size(self) -> int:
        """All nested pairs less those of an arch with itself."""
        return self.space.nested_pairs() - self.space.size()

    def size_with(self, big: Arch) -> int:
        """All that big contains but itself."""
        return self.space.size_within(big) - 1

    def smallest(self) -> Iterator[PairArch]:
        """The smallest arch under each that is one step larger."""
        smallest = self.space.smallest()
        pairs = (PairArch(smallest, big) for big in self.space.neighbours(smallest))
        return (pair for pair in pairs if self.contains(pair))

    def smallest_with(self, big: Arch) -> Iterator[PairArch]:
        """The smallest arch, or one step from it where big is that one and still contains another."""
        if big != self.space.smallest():
            return super().smallest_with(big)
        pairs = (PairArch(little, big) for little in self.space.neighbours(big))
        return (pair for pair in pairs if self.contains(pair))

    def subnets(self, pair: PairArch) -> tuple[Subnet, Subnet]:
        """Both lie in the one tower."""
        return Subnet(pair.little, self.roles[-1]), Subnet(pair.big)

    def _objection(self, pair: PairArch) -> str:
        if pair.split:
            return f"its split is {pair.split}, but nested pairs have one tower that splits nowhere"
        if pair.little == pair.big:
            return "little and big are the same arch"
        for name, axis in self.space.axes.items():
            mine, other = pair.little.get(name, -1), pair.big.get(name, -1)
            if not axis.order[mine, other]:
                than = "more than" if axis.weightless is None else "which is no part of"
                more = f"{than} big's {axis.values[other]}" if other >= 0 else "and big has none"
                return f"little is not contained in big, its {name} is {axis.values[mine]} {more}"
        return "little is not contained in big"

    def parted(self) -> PairSpace:
        """Siblings: little's weights are no part of big's any more."""
        return SiblingPairs(self.space, self.spaces["little"])


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

    def sample_with(self, big: Arch, rng: np.random.Generator) -> PairArch:
        """Any arch with big."""
        return PairArch(self.space.sample(rng), big)

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """The same archs."""
        return PairArch(pair.little, pair.big)

    def size(self) -> int:
        """Every arch with every arch."""
        return self.space.size() ** 2

    def size_with(self, big: Arch) -> int:
        """Every arch."""
        return self.space.size()

    def smallest(self) -> Iterator[PairArch]:
        """The smallest arch in both towers."""
        yield PairArch(self.space.smallest(), self.space.smallest())

    def _objection(self, pair: PairArch) -> str:
        return f"its split is {pair.split}, but siblings share the stem alone (split 0)"


class IndependentPairs(SiblingPairs):
    """Two networks trained apart (paper D, section 4.2): nothing is shared, and each computes a stem of its own.

    The split of a pair says no more than where it was found: of which blocks its little is made.
    """

    coupling = "independent"

    def contains(self, pair: PairArch) -> bool:
        """Any two archs."""
        return True

    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """All of them."""
        return np.full(len(bigs), True)

    def shared(self, pair: PairArch) -> int:
        """None."""
        return 0


class PartialPairs(PairSpace):
    """The stages up to a split are shared and computed once, little branches off there (option C).

    Args:
        space: where both archs come from.
        splits: the split points to choose from; default: after every stage but the last.
        little: the same axes with other blocks for little.

    Raises:
        DuonasError: a split point that the space does not have.
    """

    coupling = "partial"

    def __init__(
        self, space: SearchSpace, splits: Sequence[int] | None = None, little: SearchSpace | None = None
    ) -> None:
        super().__init__(space, little)
        last = space.stages - 1
        if last < 1:
            raise DuonasError(
                f"[pair] coupling = 'partial' needs a search space with choices in two stages or more: "
                f"{space.name!r} has {space.stages}."
            )
        for split in splits or ():
            if not 1 <= split <= last:
                stages = "1" if last == 1 else f"1 to {last}"
                raise DuonasError(
                    f"[pair] splits has {split}: little can branch off after stage {stages} of this search space."
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

    def sample_with(self, big: Arch, rng: np.random.Generator) -> PairArch:
        """Another end drawn for big, and the split where it begins."""
        return self._joined(PairArch(self.space.sample(rng), big, self._draw(rng)))

    def sample_subnet(self, role: Role, rng: np.random.Generator) -> Subnet:
        """A subnet drawn; a little one with a split."""
        return Subnet(self.space.sample(rng), role, self._draw(rng) if role == "little" else 0)

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """Little takes over what big chose up to the split."""
        return self._joined(pair if pair.split in self.splits else PairArch(pair.little, pair.big, self._draw(rng)))

    def size(self) -> int:
        """For every split, all beginnings times all ends of big times all ends of little."""
        return sum(self.space.size(upto=split) * self.space.size(after=split) ** 2 for split in self.splits)

    def size_with(self, big: Arch) -> int:
        """For every split, all ends of little."""
        return sum(self.space.size(after=split) for split in self.splits)

    def smallest(self) -> Iterator[PairArch]:
        """The smallest arch in both towers, at every split."""
        return (PairArch(self.space.smallest(), self.space.smallest(), split) for split in self.splits)

    def smallest_with(self, big: Arch) -> Iterator[PairArch]:
        """The smallest end of little, at every split."""
        return (self._joined(PairArch(self.space.smallest(), big, split)) for split in self.splits)

    def largest(self) -> PairArch:
        """Both archs the largest, little branching off as early as it may."""
        return PairArch(self.space.largest(), self.space.largest(), self.splits[0])

    def _objection(self, pair: PairArch) -> str:
        if pair.split not in self.splits:
            splits = ", ".join(map(str, self.splits))
            return f"its split is {pair.split}, and little may branch off after stage {splits}"
        names = [name for name, axis in self.space.axes.items() if axis.stage <= pair.split]
        name = next(name for name in names if pair.little.get(name, -1) != pair.big.get(name, -1))
        mine, other = (
            self.space.value(arch, name) if name in arch else "not there" for arch in (pair.little, pair.big)
        )
        return f"up to stage {pair.split} both make the same choices, but {name} is {mine} in little and {other} in big"

    def _joined(self, pair: PairArch) -> PairArch:
        return PairArch(self.space.graft(pair.big, pair.little, pair.split), pair.big, pair.split)

    def _draw(self, rng: np.random.Generator) -> int:
        return self.splits[int(rng.integers(len(self.splits)))]

    def _redrawn(self, split: int, rng: np.random.Generator, p: float) -> int:
        return self._draw(rng) if rng.random() < p else split


COUPLINGS: dict[str, type[PairSpace]] = {c.coupling: c for c in (NestedPairs, SiblingPairs, PartialPairs)}


def pair_space(
    space: SearchSpace,
    coupling: str = "nested",
    splits: Sequence[int] | None = None,
    little: SearchSpace | None = None,
) -> PairSpace:
    """The pairs of a search space under a coupling by its name.

    Args:
        space: where both archs come from.
        coupling: ``"nested"``, ``"sibling"`` or ``"partial"``.
        splits: the split points of ``"partial"``; default: all.
        little: the same axes with other blocks for little; left aside where its largest arch is that of ``space``.

    Raises:
        DuonasError: no such coupling, or split points or blocks of little that it cannot have.
    """
    if coupling not in COUPLINGS:
        raise DuonasError(f"no coupling {coupling!r}: {nearest(coupling, COUPLINGS)}.")
    if little is not None and little.whole() == space.whole():
        little = None
    if coupling == "partial":
        return PartialPairs(space, splits, little)
    if splits:
        raise DuonasError(f"[pair] splits is for coupling = 'partial': {coupling!r} pairs have no split point.")
    return COUPLINGS[coupling](space, little=little)


def possible_pairs(
    space: SearchSpace, splits: Sequence[int] | None = None, little: SearchSpace | None = None
) -> dict[str, PairSpace]:
    """The pairs under every coupling that a search space can have, by its name: none is partial with one stage."""
    names = [name for name in COUPLINGS if name != "partial" or space.stages > 1]
    return {name: pair_space(space, name, splits if name == "partial" else None, little) for name in names}


def count_shared(little: tuple[BlockSpec, ...], big: tuple[BlockSpec, ...], split: int) -> int:
    """The number of leading blocks, in stages up to ``split``, that are the same in both archs."""
    shared = 0
    for mine, other in zip(little, big, strict=False):
        if mine != other or mine.stage > split:
            break
        shared += 1
    return shared


def _check_part(little: tuple[BlockSpec, ...], big: tuple[BlockSpec, ...]) -> None:
    """Refuse a nested little with a layer that big does not have."""
    for mine, other in zip(little, big, strict=True):
        lacking = [layer.name for layer in mine.layers if layer.name not in other]
        if lacking:
            raise DuonasError(
                f"[pair] coupling = 'nested' makes little a part of big, but little's {mine.name} has a layer "
                f"{lacking[0]!r} that big's has not: give little fewer layers, or take 'sibling' or 'partial'."
            )
