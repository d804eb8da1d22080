"""Pairs of archs, their subnets, and the interface of a space of pairs."""

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

Coupling = Literal["nested", "sibling", "partial", "independent", "given"]
Role = Literal["big", "little"]


@dataclass(frozen=True, order=True)
class PairArch:
    """A little and a big arch that share the stages up to ``split`` (0: only the stem)."""

    little: Arch
    big: Arch
    split: int = 0

    @property
    def id(self) -> str:
        """The ids of little and big, and the split unless it is 0."""
        return f"{self.little.id}-{self.big.id}" + (f"-{self.split}" if self.split else "")

    def to_json(self) -> dict[str, Any]:
        """The pair as JSON, to be read by ``from_json``."""
        return {"little": self.little.to_json(), "big": self.big.to_json(), "split": self.split}

    @classmethod
    def from_json(cls, value: Any) -> PairArch:
        """Read a pair that ``to_json`` wrote."""
        return cls(Arch.from_json(value["little"]), Arch.from_json(value["big"]), int(value["split"]))


@dataclass(frozen=True, order=True)
class Subnet:
    """One network of a pair supernet; its logits do not depend on its partner.

    Args:
        arch: its arch.
        role: whose weights and blocks it uses. Both networks of a nested pair are subnets of big, unless little has
            blocks of another kind.
        split: a little uses the weights of big in the stages up to this one.
    """

    arch: Arch
    role: Role = "big"
    split: int = 0

    @property
    def id(self) -> str:
        """The id of the arch, and the role and split unless the role is big."""
        return self.arch.id if self.role == "big" else f"{self.arch.id}-{self.role}{self.split}"

    def to_json(self) -> dict[str, Any]:
        """The subnet as JSON; different subnets give different values."""
        return {"arch": self.arch.to_json(), "role": self.role, "split": self.split}

    @classmethod
    def from_json(cls, value: Any) -> Subnet:
        """Read a subnet that ``to_json`` wrote."""
        return cls(Arch.from_json(value["arch"]), value["role"], int(value["split"]))


def alike(space: SearchSpace, other: SearchSpace) -> bool:
    """Whether two search spaces have the same axes, so that an arch of one is an arch of the other."""
    return space.name == other.name and list(space.axes.values()) == list(other.axes.values())


class PairSpace(ABC):
    """The pairs that a coupling of one or two search spaces allows (paper D, section 3.2).

    ``spaces`` has the space of each network by its role; ``space`` is big's.

    Args:
        space: the space of big's archs, and of little's unless ``little`` is given.
        little: a space of its own for little. Where the networks share weights it has the same axes and other blocks,
            such as simpler ones, which little has after the split.

    Raises:
        DuonasError: the networks share weights, and their spaces have different axes.
    """

    coupling: Coupling
    roles: tuple[Role, ...] = ("big", "little")  # of the subnets
    towers: tuple[Role, ...] = ("big", "little")  # that have weights
    splits: tuple[int, ...] = (0,)  # where little may branch off
    shares: bool = True  # whether the networks have blocks or weights in common

    def __init__(self, space: SearchSpace, little: SearchSpace | None = None) -> None:
        if self.shares and little is not None and not alike(little, space):
            raise DuonasError(
                f"{self.coupling} pairs share weights, so little's search space {little.name!r} must have the axes of "
                f"big's, {space.name!r}: only 'independent' pairs can have two different ones."
            )
        self.space = space
        self.spaces: dict[Role, SearchSpace] = {"big": space, "little": little or space}

    @property
    def within(self) -> bool:
        """Whether little's weights are a part of big's: both in one tower, and not generated for each arch."""
        return len(self.towers) == 1 and not self.space.generated

    @property
    def generated(self) -> bool:
        """Whether the weights of either network are generated for each arch."""
        return any(space.generated for space in self.spaces.values())

    @property
    def has_smallest(self) -> bool:
        """Whether both spaces have an arch that all their others contain."""
        return all(space.has_smallest for space in self.spaces.values())

    @abstractmethod
    def contains(self, pair: PairArch) -> bool:
        """Whether ``pair`` is allowed."""

    @abstractmethod
    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """``contains`` for one little and N bigs at once, as a mask (N,).

        Args:
            little: (L,) indices on all L axes of little's space, -1 where an axis is inactive.
            bigs: (N, A) indices of the bigs on the A axes of big's.
            split: of the pairs.
        """

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> PairArch:
        """Draw an allowed pair."""

    @abstractmethod
    def repair(self, pair: PairArch, rng: np.random.Generator) -> PairArch:
        """Turn a pair into a similar pair that is allowed."""

    @abstractmethod
    def size(self) -> int:
        """The exact number of allowed pairs (paper D, appendix E.1)."""

    @abstractmethod
    def smallest(self) -> Iterator[PairArch]:
        """Pairs that include, for any cost that grows with the archs, the cheapest pair.

        Where no arch is contained in all others (see ``SearchSpace.has_smallest``) they are only some cheap pairs.
        """

    @abstractmethod
    def _objection(self, pair: PairArch) -> str:
        """Why the pair is not allowed, for the message of ``validate``."""

    def validate(self, pair: PairArch) -> PairArch:
        """``pair`` itself, if it is allowed.

        Raises:
            DuonasError: an arch is not of its network's space, or the pair is not allowed; the message says why.
        """
        self.spaces["little"].validate(pair.little)
        self.space.validate(pair.big)
        if not self.contains(pair):
            raise DuonasError(f"{pair.id} is not a {self.coupling} pair: {self._objection(pair)}.")
        return pair

    def largest(self) -> PairArch:
        """The pair of both largest archs, which nested pairs do not allow."""
        return PairArch(self.spaces["little"].largest(), self.space.largest())

    def subnets(self, pair: PairArch) -> tuple[Subnet, Subnet]:
        """Little and big as subnets of the pair supernet."""
        return Subnet(pair.little, "little", pair.split), Subnet(pair.big)

    def largest_subnets(self) -> tuple[Subnet, ...]:
        """The largest subnet of each role and split; together they use all weights."""
        littles = self.splits if "little" in self.roles else ()
        return Subnet(self.space.largest()), *(
            Subnet(self.spaces["little"].largest(), "little", split) for split in littles
        )

    def sample_subnet(self, role: Role, rng: np.random.Generator) -> Subnet:
        """Draw a subnet of one role."""
        return Subnet(self.spaces[role].sample(rng), role)

    def mutate(self, pair: PairArch, rng: np.random.Generator, p: float = 0.1) -> PairArch:
        """Mutate both archs, and repair the pair."""
        little, big = self.spaces["little"].mutate(pair.little, rng, p), self.space.mutate(pair.big, rng, p)
        return self.repair(PairArch(little, big, self._redrawn(pair.split, rng, p)), rng)

    def crossover(self, a: PairArch, b: PairArch, rng: np.random.Generator) -> PairArch:
        """Cross little with little and big with big, and repair the pair."""
        little = self.spaces["little"].crossover(a.little, b.little, rng)
        return self.repair(PairArch(little, self.space.crossover(a.big, b.big, rng), a.split), rng)

    def neighbours(self, pair: PairArch, rng: np.random.Generator) -> Iterator[PairArch]:
        """Pairs that differ from an allowed one by one choice of one network, each repaired."""
        for arch in self.spaces["little"].neighbours(pair.little):
            yield self.repair(PairArch(arch, pair.big, pair.split), rng)
        for arch in self.space.neighbours(pair.big):
            yield self.repair(PairArch(pair.little, arch, pair.split), rng)

    def tower(self, subnet: Subnet, stage: int) -> Role:
        """The tower whose weights a subnet has in a stage: big's up to the split."""
        return subnet.role if len(self.towers) > 1 and stage > subnet.split else "big"

    def blocks(self, subnet: Subnet) -> tuple[BlockSpec, ...]:
        """The blocks of a subnet: up to its split those of big's space, then those of its role's space."""
        blocks, space = self.space.blocks(subnet.arch), self.spaces[subnet.role]
        if space is self.space:
            return blocks
        pairs = zip(blocks, space.blocks(subnet.arch), strict=True)
        return tuple(after if after.stage > subnet.split else shared for shared, after in pairs)

    def shared(self, pair: PairArch) -> int:
        """The number of leading blocks, up to the split, that are equal in both networks.

        With different resolutions not even the stem is shared, since the networks read different images.
        """
        little, big = map(self.blocks, self.subnets(pair))
        return self.count_shared(little, big, pair.split)

    def count_shared(self, little: tuple[BlockSpec, ...], big: tuple[BlockSpec, ...], split: int) -> int:
        """``shared`` from the blocks of both networks, of which those in the stages up to the split are enough."""
        shared = 0
        for mine, other in zip(little, big, strict=False):
            if mine != other or mine.stage > split:
                break
            shared += 1
        return shared if self.shares else 0

    def parted(self) -> PairSpace:
        """The coupling after a pair is fine-tuned: the networks have separate weights behind the shared blocks."""
        return self

    def _redrawn(self, split: int, rng: np.random.Generator, p: float) -> int:
        return split
