"""A pair of archs, and the space of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError, nearest
from duonas.core.space import SearchSpace

Coupling = Literal["nested"]


@dataclass(frozen=True, order=True)
class PairArch:
    """A little and a big arch; the stages up to ``split`` are shared (0: the stem alone)."""

    little: Arch
    big: Arch
    split: int = 0

    @property
    def id(self) -> str:
        """The two archs' names, little first."""
        return f"{self.little.id}-{self.big.id}"

    def to_json(self) -> dict[str, Any]:
        """A JSON value from which ``from_json`` makes an equal pair."""
        return {"little": self.little.to_json(), "big": self.big.to_json(), "split": self.split}

    @classmethod
    def from_json(cls, value: Any) -> PairArch:
        """The pair that ``to_json`` described."""
        return cls(Arch.from_json(value["little"]), Arch.from_json(value["big"]), int(value["split"]))


class PairSpace:
    """The pairs that a search space and a coupling allow (paper D, section 3.2).

    Args:
        space: where both archs come from.
        coupling: ``"nested"``: little's weights are a subset of big's.
    """

    def __init__(self, space: SearchSpace, coupling: Coupling = "nested") -> None:
        if coupling not in get_args(Coupling):
            raise DuonasError(f"no coupling {coupling!r}: {nearest(coupling, get_args(Coupling))}.")
        self.space = space
        self.coupling = coupling

    def contains(self, pair: PairArch) -> bool:
        """Whether ``pair`` is allowed: two different archs, little contained in big."""
        return pair.little != pair.big and self.space.contains(pair.big, pair.little)

    def sample(self, rng: np.random.Generator) -> PairArch:
        """A big arch drawn from the space and a different little one drawn within it."""
        while True:
            big = self.space.sample(rng)
            pair = PairArch(self.space.sample_within(big, rng), big)
            if self.contains(pair):
                return pair

    def mutate(self, pair: PairArch, rng: np.random.Generator, p: float = 0.1) -> PairArch:
        """Both archs mutated; where they no longer nest, little is cut down to what big contains."""
        return self.repair(self.space.mutate(pair.little, rng, p), self.space.mutate(pair.big, rng, p), rng)

    def crossover(self, a: PairArch, b: PairArch, rng: np.random.Generator) -> PairArch:
        """Little crossed with little and big with big, then made to nest."""
        return self.repair(self.space.crossover(a.little, b.little, rng), self.space.crossover(a.big, b.big, rng), rng)

    def repair(self, little: Arch, big: Arch, rng: np.random.Generator) -> PairArch:
        """The pair nearest to (little, big) that is allowed; where they coincide, little takes one step down."""
        indices = {n: min(little[n], big[n]) if n in little and n in big else 0 for n in self.space.axes}
        pair = PairArch(self.space.canonical(Arch(self.space.name, tuple(indices.items()))), big)
        if self.contains(pair):
            return pair
        below = [arch for arch in self.space.neighbours(big) if self.contains(PairArch(arch, big))]
        return PairArch(below[int(rng.integers(len(below)))], big) if below else self.sample(rng)

    def size(self) -> int:
        """The exact number of allowed pairs (paper D, appendix E.1)."""
        return self.space.nested_pairs() - self.space.size()

    def shared(self, pair: PairArch) -> int:
        """How many leading blocks the towers share.

        Those up to the split that are equal in both: with different resolutions not even the stem can be shared, since
        the two towers look at different images.
        """
        return count_shared(self.space.blocks(pair.little), self.space.blocks(pair.big), pair.split)


def count_shared(little: tuple[BlockSpec, ...], big: tuple[BlockSpec, ...], split: int) -> int:
    """The number of leading blocks, in stages up to ``split``, that are the same in both archs."""
    shared = 0
    for mine, other in zip(little, big, strict=False):
        if mine != other or mine.stage > split:
            break
        shared += 1
    return shared
