"""Small and large archs alike, and of several that cost the same the best or the worst (AttentiveNAS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from duonas.core.arch import Arch
from duonas.core.fields import Count, Several
from duonas.core.pair import PairSpace, Role
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.training.drawing import macs_of, raised, spread_arch
from duonas.training.options import SamplerOptions
from duonas.training.samplers._comparing import Comparing

POOL = 400  # archs that the chances of each range are estimated from
TRIES = 8  # draws for each candidate, until it is within the range


class Cost(Comparing):
    """Draws a range of MACs first, then candidates within it, of which the one with the best predicted loss is trained.

    As in AttentiveNAS (Wang et al. 2021, section 3.2) an arch within a range of MACs is drawn axis by axis, by how
    often archs in that range have each value, until its MACs are in the range. All ranges, which have equal ratios of
    MACs, are equally likely; in the paper they are as frequent as among uniform archs, which leaves few small and
    large ones.
    The best candidate is the paper's BestUp, the worst its WorstUp; instead of a trained predictor or the loss of every
    candidate, the loss is predicted from the archs that the run has trained.
    """

    @dataclass(frozen=True)
    class Options(SamplerOptions):
        """Keys of ``[train.sampler]``."""

        name: str = "cost"
        ranges: Several = 8
        """Ranges of MACs, from the smallest to the largest arch."""
        candidates: Count = 3
        """Archs that are drawn within the range, of which one is trained."""
        pick: Literal["best", "worst"] = "best"
        """Which of the candidates is trained, by its predicted loss."""

    def __init__(self, pairs: PairSpace, options: Options) -> None:
        super().__init__(pairs, options)
        self._ranges: dict[Role, _Ranges] = {}

    @property
    def compares(self) -> bool:
        """Only if there is something to choose from."""
        return bool(self.options.candidates > 1)

    def arch(self, role: Role, rng: np.random.Generator, least: Mapping[str, int] | None = None) -> Arch:
        """Draw candidates within a range of MACs, and return the one to train."""
        if role not in self._ranges:
            self._ranges[role] = _Ranges(self.pairs.spaces[role], self.options.ranges)
        found = self._ranges[role].draw(rng, self.options.candidates, least)
        if len(found) == 1:
            return found[0]
        losses = self.model(role).predict(found)
        return found[int(losses.argmin() if self.options.pick == "best" else losses.argmax())]


class _Ranges:
    """Ranges of MACs, and the chances of each value of each axis within them.

    Args:
        space: the search space.
        count: the number of ranges; those without any arch are left out.
    """

    def __init__(self, space: SearchSpace, count: int) -> None:
        self._space, rng = space, stream(0, "ranges")
        drawn = [spread_arch(space, rng) for _ in range(POOL)]
        pool = list(dict.fromkeys([space.smallest(), space.largest(), *drawn]))
        macs = np.array([macs_of(space, arch) for arch in pool])
        self._edges = np.geomspace(macs.min(), macs.max(), count + 1)[1:-1]
        places = self._place(macs)
        self._members = {int(n): [pool[i] for i in np.flatnonzero(places == n)] for n in np.unique(places)}
        self._chances = {number: self._estimated(archs) for number, archs in self._members.items()}

    def draw(self, rng: np.random.Generator, count: int, least: Mapping[str, int] | None) -> list[Arch]:
        """Up to ``count`` archs within one range, at least one; ``least`` may move that one out of it."""
        numbers = list(self._members)
        number, found = numbers[int(rng.integers(len(numbers)))], []
        for _ in range(TRIES * count):
            arch = raised(self._space, self._drawn(number, rng), least)
            if self._place(np.array([macs_of(self._space, arch)]))[0] == number:
                found.append(arch)
            if len(found) == count:
                break
        members = self._members[number]
        return found or [raised(self._space, members[int(rng.integers(len(members)))], least)]

    def _place(self, macs: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._edges, macs, side="right")

    def _estimated(self, archs: list[Arch]) -> dict[str, np.ndarray]:
        """How many archs have each value of each axis or a smaller one; equal steps where it is inactive in all."""
        chances = {}
        for name, axis in self._space.axes.items():
            counts = np.bincount([arch[name] for arch in archs if name in arch], minlength=len(axis.values))
            chances[name] = np.cumsum(counts if counts.any() else np.ones_like(counts))
        return chances

    def _drawn(self, number: int, rng: np.random.Generator) -> Arch:
        rows = self._chances[number]
        places = rng.random(len(rows))
        drawn = zip(rows.items(), places, strict=True)
        return self._space.build(
            {name: int(np.searchsorted(row, place * row[-1], side="right")) for (name, row), place in drawn}
        )
