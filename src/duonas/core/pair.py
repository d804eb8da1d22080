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

Coupling = Literal["nested", "sibling", "partial", "independent"]
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


class PairSpace(ABC):
    """The pairs that a search space and a coupling allow (paper D, section 3.2).

    Args:
        space: the space of both archs.
        little: a space with the same axes whose blocks little has after the split, such as simpler ones; default:
            ``space``.

    Raises:
        DuonasError: the spaces have different axes.
    """

    coupling: Coupling
    roles: tuple[Role, ...] = ("big", "little")  # of the subnets
    towers: tuple[Role, ...] = ("big", "little")  # that have weights
    splits: tuple[int, ...] = (0,)  # where little may branch off

    def __init__(self, space: SearchSpace, little: SearchSpace | None = None) -> None:
        if little is not None and dict(little.axes) != dict(space.axes):
            raise DuonasError(f"little's search space {little.name!r} must have the axes of big's, {space.name!r}.")
        self.space = space
        self.spaces: dict[Role, SearchSpace] = {"big": space, "little": little or space}

    @property
    def within(self) -> bool:
        """Whether little's weights are a part of big's: both in one tower, and not generated for each arch."""
        return len(self.towers) == 1 and not self.space.generated

    @abstractmethod
    def contains(self, pair: PairArch) -> bool:
        """Whether ``pair`` is allowed."""

    @abstractmethod
    def matches(self, little: np.ndarray, bigs: np.ndarray, split: int) -> np.ndarray:
        """``contains`` for one little and N bigs at once, as a mask (N,).

        Args:
            little: (A,) indices on all A axes, -1 where an axis is inactive.
            bigs: (N, A) indices of the bigs.
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
            DuonasError: an arch is not of the space, or the pair is not allowed; the message says why.
        """
        for arch in (pair.little, pair.big):
            self.space.validate(arch)
        if not self.contains(pair):
            raise DuonasError(f"{pair.id} is not a {self.coupling} pair: {self._objection(pair)}.")
        return pair

    def largest(self) -> PairArch:
        """The pair of the largest arch with itself, which nested pairs do not allow."""
        return PairArch(self.space.largest(), self.space.largest())

    def subnets(self, pair: PairArch) -> tuple[Subnet, Subnet]:
        """Little and big as subnets of the pair supernet."""
        return Subnet(pair.little, "little", pair.split), Subnet(pair.big)

    def largest_subnets(self) -> tuple[Subnet, ...]:
        """The largest subnet of each role and split; together they use all weights."""
        largest = self.space.largest()
        little = [Subnet(largest, "little", split) for split in self.splits if "little" in self.roles]
        return Subnet(largest), *little

    def sample_subnet(self, role: Role, rng: np.random.Generator) -> Subnet:
        """Draw a subnet of one role."""
        return Subnet(self.space.sample(rng), role)

    def mutate(self, pair: PairArch, rng: np.random.Generator, p: float = 0.1) -> PairArch:
        """Mutate both archs, and repair the pair."""
        little, big = self.space.mutate(pair.little, rng, p), self.space.mutate(pair.big, rng, p)
        return self.repair(PairArch(little, big, self._redrawn(pair.split, rng, p)), rng)

    def crossover(self, a: PairArch, b: PairArch, rng: np.random.Generator) -> PairArch:
        """Cross little with little and big with big, and repair the pair."""
        little, big = self.space.crossover(a.little, b.little, rng), self.space.crossover(a.big, b.big, rng)
        return self.repair(PairArch(little, big, a.split), rng)

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
        return count_shared(little, big, pair.split)

    def parted(self) -> PairSpace:
        """The coupling after a pair is fine-tuned: the networks have separate weights behind the shared blocks."""
        return self

    def _redrawn(self, split: int, rng: np.random.Generator, p: float) -> int:
        return split


def count_shared(little: tuple[BlockSpec, ...], big: tuple[BlockSpec, ...], split: int) -> int:
    """The number of leading blocks, in stages up to ``split``, that are equal in both networks."""
    shared = 0
    for mine, other in zip(little, big, strict=False):
        if mine != other or mine.stage > split:
            break
        shared += 1
    return shared
