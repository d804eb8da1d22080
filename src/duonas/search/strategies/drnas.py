"""DrNAS: pairs from Dirichlet distributions that gradients learn (Chen et al. 2021), with costs to aim at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.core.registry import find, names
from duonas.core.rng import stream
from duonas.core.trial import Candidate
from duonas.search.bilevel import Aim, Bilevel, DrnasOptions
from duonas.search.collapse import in_words
from duonas.search.options import SearchOptions
from duonas.search.problem import Problem
from duonas.search.strategy import Strategy

if TYPE_CHECKING:
    from duonas.data.images import Images
    from duonas.supernet.pair import PairSupernet

PATIENCE = 200  # draws without a new feasible pair before giving up


class Drnas(Strategy):
    """Learns by gradients which choices are good at several costs, then proposes pairs by their probabilities.

    All axes of little and of big have Dirichlet distributions, and every cost that is aimed at has distributions of its
    own. Before the first proposal these learn on val, in turn with weights on train. Of each aim the most probable pair
    that keeps the constraints comes first, then pairs are drawn; where nothing new is drawn any more, at random.
    """

    @dataclass(frozen=True)
    class Options(SearchOptions):
        """Keys of ``[search]``."""

        strategy: str = "drnas"
        drnas: DrnasOptions = field(default_factory=DrnasOptions)
        """How the distributions are learned."""

    def __init__(self, problem: Problem, options: Options, seed: int) -> None:
        super().__init__(problem, options, seed)
        lacking = [space.name for space in problem.pairs.spaces.values() if not space.relaxes]
        if lacking:
            having = ", ".join(name for name in names("space") if find("space", name).supernet.relaxes)
            raise DuonasError(
                f"[search] strategy 'drnas' needs gradients, and search space {lacking[0]!r} has no mixed operations: "
                f"take a [space] that has ({having}), or another strategy, such as 'nsga2'."
            )
        self._rng = stream(seed, "search", "drnas", "draws")
        self._learned: Bilevel | None = None
        self._seen: set[PairArch] = set()
        self._left: Iterator[PairArch] = iter(())

    def fit(self, supernet: PairSupernet, train: Images, val: Images) -> None:
        """Learn the distributions; the same for the same seed, so a search that was killed learns them again."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(stream(self.seed, "search", "drnas", "samples").integers(2**63)))
            self._learned = Bilevel(self.problem, self.options.drnas, self.seed, supernet, train, val)
            self._learned.run(self.show)
        self._left = self._pairs(self._learned.aims)

    def ask(self, n: int) -> list[Candidate]:
        """Return up to ``n`` pairs, of each aim in turn.

        Raises:
            DuonasError: there was no supernet to learn on.
        """
        if self._learned is None:
            raise DuonasError("[search] strategy 'drnas' learns on a supernet, and this search has none.")
        found: list[Candidate] = []
        while len(found) < n and (pair := next(self._left, None)) is not None:
            found.append(Candidate(pair))
        return found

    def findings(self) -> Mapping[str, Any]:
        """By aim its expected cost and most probable pair; what was noted while they were learned; a sentence on it."""
        learned = self._learned
        if learned is None:
            return {}
        aims = [
            {"budget": aim.budget if aim.budget < float("inf") else None, "pair": aim.choices.most_likely().to_json()}
            for aim in learned.aims
        ]
        said = in_words(learned.history)
        return {"quantity": learned.quantity, "aims": aims, "history": learned.history, "said": said}

    def _pairs(self, aims: list[Aim]) -> Iterator[PairArch]:
        """Every pair to propose, each once."""
        for aim in aims:
            yield from self._new(self._most_probable(aim))
        left = list(aims)
        while left:
            for aim in tuple(left):
                drawn = self._drawn(aim)
                if drawn is None:
                    left.remove(aim)
                else:
                    yield drawn
        misses = 0
        while misses < PATIENCE:
            misses += 1
            for pair in self._new([self.problem.sample(self._rng)]):
                misses = 0
                yield pair

    def _new(self, pairs: list[PairArch]) -> Iterator[PairArch]:
        for pair in pairs:
            if pair not in self._seen:
                self._seen.add(pair)
                yield pair

    def _most_probable(self, aim: Aim) -> list[PairArch]:
        """The pair of the most probable values; where it breaks a constraint, the most probable of some draws."""
        first = self.problem.pairs.repair(aim.choices.most_likely(), self._rng)
        if self._allowed(first):
            return [first]
        drawn = [self._repaired(aim) for _ in range(PATIENCE)]
        return sorted(filter(self._allowed, drawn), key=lambda pair: -aim.choices.likelihood(pair))[:1]

    def _drawn(self, aim: Aim) -> PairArch | None:
        for _ in range(PATIENCE):
            pair = self._repaired(aim)
            if pair not in self._seen and self._allowed(pair):
                self._seen.add(pair)
                return pair
        return None

    def _repaired(self, aim: Aim) -> PairArch:
        return self.problem.pairs.repair(aim.choices.draw(self._rng), self._rng)

    def _allowed(self, pair: PairArch) -> bool:
        return self.problem.pairs.contains(pair) and self.problem.feasible(pair)
