"""A pair of archs, its subnets, and what a space of pairs can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError
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

    @property
    def within(self) -> bool:
        """Whether little's weights are a part of big's: in one tower, where they are not made for each arch."""
        return len(self.towers) == 1 and not self.space.generated

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


def count_shared(little: tuple[BlockSpec, ...], big: tuple[BlockSpec, ...], split: int) -> int:
    """The number of leading blocks, in stages up to ``split``, that are the same in both archs."""
    shared = 0
    for mine, other in zip(little, big, strict=False):
        if mine != other or mine.stage > split:
            break
        shared += 1
    return shared
