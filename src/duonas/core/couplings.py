"""The couplings: which pairs of a search space go together, and what of their weights they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError, nearest
from duonas.core.pair import Coupling, PairArch, PairSpace, Role, Subnet
from duonas.core.space import SearchSpace


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
        if space.generated:
            raise DuonasError(
                "[pair] coupling = 'partial' shares stages, but these weights are made for each arch: take 'nested' or "
                "'sibling', or [space] weights = 'shared'."
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
    """The pairs under every coupling that a search space can have, by its name.

    None is partial with one stage, or where the weights are made for each arch.
    """
    names = [name for name in COUPLINGS if name != "partial" or (space.stages > 1 and not space.generated)]
    return {name: pair_space(space, name, splits if name == "partial" else None, little) for name in names}


def _check_part(little: tuple[BlockSpec, ...], big: tuple[BlockSpec, ...]) -> None:
    """Refuse a nested little with a layer that big does not have."""
    for mine, other in zip(little, big, strict=True):
        lacking = [layer.name for layer in mine.layers if layer.name not in other]
        if lacking:
            raise DuonasError(
                f"[pair] coupling = 'nested' makes little a part of big, but little's {mine.name} has a layer "
                f"{lacking[0]!r} that big's has not: give little fewer layers, or take 'sibling' or 'partial'."
            )
