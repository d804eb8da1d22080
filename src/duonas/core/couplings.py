"""The couplings: which pairs of a search space are allowed, and which weights they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError, nearest
from duonas.core.pair import Coupling, PairArch, PairSpace, Role, Subnet, alike
from duonas.core.rng import stream
from duonas.core.space import SearchSpace

DRAWN = 30  # pairs from which the smallest ones are made, where no arch is contained in all others


class NestedPairs(PairSpace):
    """Little's weights are a subset of big's (option A): two different archs, little contained in big.

    Raises:
        DuonasError: little's blocks have a layer that big's do not have.
    """

    coupling = "nested"
    towers = ("big",)

    def __init__(self, space: SearchSpace, little: SearchSpace | None = None) -> None:
        super().__init__(space, little)
        self.roles = ("big",) if little is None else ("big", "little")
        _check_part(self.spaces["little"].whole(), space.whole())

    def contains(self, pair: PairArch) -> bool:
        """Whether little differs from big and is contained in it."""
        return pair.split == 0 and pair.little != pair.big and self.space.contains(pair.big, pair.little)

    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """Select the bigs that contain little and differ from it."""
        mask: np.ndarray = self.space.contained(little, bigs) & np.any(little != bigs, axis=1)
        return mask

    def sample(self, rng: np.random.Generator) -> PairArch:
        """Draw a big arch from the space, and a different little arch within it.

        Raises:
            DuonasError: no arch contains another.
        """
        if not self._any:
            raise DuonasError(
                f"[pair] coupling = 'nested' needs an arch that contains another, and search space {self.space.name!r} "
                "has none: widen [space.axes], or take 'sibling'."
            )
        while True:
            big = self.space.sample(rng)
            pair = PairArch(self.space.sample_within(big, rng), big)
            if self.contains(pair):
                return pair

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """Cut little down to a part of big; if that is big itself, make one choice smaller."""
        big = pair.big
        cut = PairArch(self.space.cut(pair.little, big), big)
        if self.contains(cut):
            return cut
        below = [arch for arch in self.space.neighbours(big) if self.contains(PairArch(arch, big))]
        return PairArch(below[int(rng.integers(len(below)))], big) if below else self.sample(rng)

    def size(self) -> int:
        """The number of nested pairs of different archs."""
        return self.space.nested_pairs() - self.space.size()

    def smallest(self) -> Iterator[PairArch]:
        """Pairs of the smallest arch with each arch that differs from it by one choice.

        Where no arch is contained in all others, these are pairs of several littles that contain no other arch.
        """
        return iter(self._smallest)

    @cached_property
    def _any(self) -> bool:
        return self.size() > 0

    @cached_property
    def _smallest(self) -> tuple[PairArch, ...]:
        space = self.space
        if space.has_smallest:
            found = [PairArch(space.smallest(), big) for big in space.neighbours(space.smallest())]
        else:
            rng = stream(0, "smallest pairs")
            drawn = [self.sample(rng) for _ in range(DRAWN)] if self._any else []
            found = []
            for pair in drawn:
                little = space.reduced(pair.little)
                found += [PairArch(little, big) for big in (*space.neighbours(little), pair.big)]
        return tuple(pair for pair in dict.fromkeys(found) if self.contains(pair))

    def subnets(self, pair: PairArch) -> tuple[Subnet, Subnet]:
        """Little and big as subnets of the single tower."""
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
        """Siblings: after fine-tuning, little's weights are no longer a part of big's."""
        return SiblingPairs(self.space, self.spaces["little"])


class SiblingPairs(PairSpace):
    """Two towers with separate weights behind a shared stem (option B): any two archs."""

    coupling: Coupling = "sibling"

    def contains(self, pair: PairArch) -> bool:
        """Whether the pair has no split, so that only the stem is shared."""
        return pair.split == 0

    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """Any two archs are allowed."""
        return np.full(len(bigs), split == 0)

    def sample(self, rng: np.random.Generator) -> PairArch:
        """Draw each arch from its network's space."""
        return PairArch(self.spaces["little"].sample(rng), self.space.sample(rng))

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """Keep both archs, without a split."""
        return PairArch(pair.little, pair.big)

    def size(self) -> int:
        """The number of pairs of any two archs."""
        return self.spaces["little"].size() * self.space.size()

    def smallest(self) -> Iterator[PairArch]:
        """The pair of both smallest archs."""
        yield PairArch(self.spaces["little"].smallest(), self.space.smallest())

    def _objection(self, pair: PairArch) -> str:
        return f"its split is {pair.split}, but siblings share only the stem (split 0)"


class IndependentPairs(SiblingPairs):
    """Two networks that share nothing, not even the stem: any two archs, of one search space or of two.

    Each network resizes and normalises the images itself, and its blocks are those of its own space.
    """

    coupling: Coupling = "independent"
    shares = False

    def tower(self, subnet: Subnet, stage: int) -> Role:
        """Each network has a tower of its own."""
        return subnet.role

    def blocks(self, subnet: Subnet) -> tuple[BlockSpec, ...]:
        """The blocks of a subnet, all of its role's space."""
        return self.spaces[subnet.role].blocks(subnet.arch)

    def _objection(self, pair: PairArch) -> str:
        return f"its split is {pair.split}, but independent networks share no stage (split 0)"


class PairsTrainedApart(IndependentPairs):
    """The pairs of a coupling after their networks were trained each by itself: nothing is shared any more.

    Which pairs there are, and which blocks their networks have, is as it was in the search (paper D, section 4.2).

    Args:
        searched: the pair space of the search.
    """

    def __init__(self, searched: PairSpace) -> None:
        super().__init__(searched.space, searched.spaces["little"])
        self.splits, self._searched = searched.splits, searched

    def contains(self, pair: PairArch) -> bool:
        """Whether the search allows the pair."""
        return self._searched.contains(pair)

    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """Select the bigs that the search allows."""
        return self._searched.matches(little, bigs, split)

    def blocks(self, subnet: Subnet) -> tuple[BlockSpec, ...]:
        """The blocks of a subnet, as in the search."""
        return self._searched.blocks(subnet)


class PartialPairs(PairSpace):
    """Two towers that share the stages up to a split, after which little branches off (option C).

    Args:
        space: the space of both archs.
        splits: the split points to choose from; default: after every stage but the last.
        little: a space with the same axes and other blocks for little.

    Raises:
        DuonasError: the space has no such split point, or generated weights.
    """

    coupling = "partial"

    def __init__(
        self, space: SearchSpace, splits: Sequence[int] | None = None, little: SearchSpace | None = None
    ) -> None:
        super().__init__(space, little)
        if space.generated:
            raise DuonasError(
                "[pair] coupling = 'partial' shares stages, but these weights are generated for each arch: take "
                "'nested' or 'sibling', or [space] weights = 'shared'."
            )
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
        """Whether the split is allowed and both archs make the same choices up to it."""
        return pair.split in self.splits and self._joined(pair) == pair

    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """Select the bigs that make the same choices as little up to the split."""
        early = [axis.stage <= split for axis in self.space.axes.values()]
        mask: np.ndarray = np.all(little[early] == bigs[:, early], axis=1)
        return mask

    def sample(self, rng: np.random.Generator) -> PairArch:
        """Draw two archs and a split; little gets the choices of big up to the split."""
        return self._joined(PairArch(self.space.sample(rng), self.space.sample(rng), self._draw(rng)))

    def sample_subnet(self, role: Role, rng: np.random.Generator) -> Subnet:
        """Draw a subnet, and for a little also its split."""
        return Subnet(self.space.sample(rng), role, self._draw(rng) if role == "little" else 0)

    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """Give little the choices of big up to the split."""
        return self._joined(pair if pair.split in self.splits else PairArch(pair.little, pair.big, self._draw(rng)))

    def size(self) -> int:
        """Sum over the splits: choices up to the split, times the choices after it for big and for little."""
        return sum(self.space.size(upto=split) * self.space.size(after=split) ** 2 for split in self.splits)

    def smallest(self) -> Iterator[PairArch]:
        """The pair of the smallest arch with itself, at every split."""
        return (PairArch(self.space.smallest(), self.space.smallest(), split) for split in self.splits)

    def largest(self) -> PairArch:
        """The pair of the largest arch with itself, at the earliest split."""
        return PairArch(self.space.largest(), self.space.largest(), self.splits[0])

    def _objection(self, pair: PairArch) -> str:
        if pair.split not in self.splits:
            splits = ", ".join(map(str, self.splits))
            return f"its split is {pair.split}, and little may branch off after stage {splits}"
        names = [name for name, axis in self.space.axes.items() if axis.stage <= pair.split]
        name = next(name for name in names if pair.little.get(name, -1) != pair.big.get(name, -1))
        mine, other = (self.space.value(arch, name) if name in arch else "missing" for arch in (pair.little, pair.big))
        return f"up to stage {pair.split} choices must be equal, but {name} is {mine} in little and {other} in big"

    def _joined(self, pair: PairArch) -> PairArch:
        return PairArch(self.space.graft(pair.big, pair.little, pair.split), pair.big, pair.split)

    def _draw(self, rng: np.random.Generator) -> int:
        return self.splits[int(rng.integers(len(self.splits)))]

    def _redrawn(self, split: int, rng: np.random.Generator, p: float) -> int:
        return self._draw(rng) if rng.random() < p else split


COUPLINGS: dict[str, type[PairSpace]] = {
    each.coupling: each for each in (NestedPairs, SiblingPairs, PartialPairs, IndependentPairs)
}


def pair_space(
    space: SearchSpace,
    coupling: str = "nested",
    splits: Sequence[int] | None = None,
    little: SearchSpace | None = None,
) -> PairSpace:
    """The pair space of a coupling and one or two search spaces.

    Args:
        space: the space of both archs, or of big's.
        coupling: ``"nested"``, ``"sibling"``, ``"partial"`` or ``"independent"``.
        splits: the split points of ``"partial"``; default: all.
        little: the space of little; ignored if it has the axes and the blocks of ``space``. Only independent pairs can
            have one with other axes.

    Raises:
        DuonasError: there is no such coupling, or it does not allow these split points or this space of little.
    """
    if coupling not in COUPLINGS:
        raise DuonasError(f"no coupling {coupling!r}: {nearest(coupling, COUPLINGS)}.")
    if little is not None and _same(little, space):
        little = None
    if coupling == "partial":
        return PartialPairs(space, splits, little)
    if splits:
        raise DuonasError(f"[pair] splits is for coupling = 'partial': {coupling!r} pairs have no split point.")
    return COUPLINGS[coupling](space, little=little)


def possible_pairs(
    space: SearchSpace, splits: Sequence[int] | None = None, little: SearchSpace | None = None
) -> dict[str, PairSpace]:
    """The pair spaces by coupling: independent where little's space has other axes, and else all that there can be.

    A single stage and generated weights cannot be shared partially.
    """
    names = [name for name in COUPLINGS if name != "partial" or (space.stages > 1 and not space.generated)]
    if little is not None and not alike(little, space):
        names = ["independent"]
    return {name: pair_space(space, name, splits if name == "partial" else None, little) for name in names}


def _same(little: SearchSpace, space: SearchSpace) -> bool:
    return alike(little, space) and little.whole() == space.whole() and little.generated == space.generated


def _check_part(little: tuple[BlockSpec, ...], big: tuple[BlockSpec, ...]) -> None:
    for mine, other in zip(little, big, strict=True):
        lacking = [layer.name for layer in mine.layers if layer.name not in other]
        if lacking:
            raise DuonasError(
                f"[pair] coupling = 'nested' makes little a part of big, but little's {mine.name} has a layer "
                f"{lacking[0]!r} that big's does not have: give little fewer layers, or take 'sibling' or 'partial'."
            )
