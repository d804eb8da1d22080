"""The interface of search strategies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from duonas.core.registry import Part, adapted, find
from duonas.core.trial import Candidate, Trial
from duonas.search.options import SearchOptions

if TYPE_CHECKING:
    from duonas.data.images import Images
    from duonas.search.problem import Problem
    from duonas.supernet.pair import PairSupernet


class Strategy(Part, ABC):
    """Proposes pairs and learns from their trials; deterministic for a seed, so that a search resumes by replay.

    Args:
        problem: the pairs, their prices, the objectives and the constraints.
        options: the strategy's options, including those of the ``[search]`` table.
        seed: of all random numbers.

    Raises:
        DuonasError: the options cannot be used for this problem.
    """

    Options = SearchOptions

    def __init__(self, problem: Problem, options: Any, seed: int) -> None:
        self.problem, self.options, self.seed = problem, options, seed

    def fit(self, supernet: PairSupernet, train: Images, val: Images) -> None:
        """Prepare the strategy, once, before the first ``ask``; by default do nothing.

        Args:
            supernet: the trained supernet, which must not be changed.
            train: its training images.
            val: the images that pairs are evaluated on.
        """

    @abstractmethod
    def ask(self, n: int) -> list[Candidate]:
        """Return up to ``n`` pairs that were not proposed before; an empty list ends the search."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from the trials of the pairs of the last ``ask``, in the same order; by default do nothing."""


def make_strategy(problem: Problem, options: SearchOptions, seed: int) -> Strategy:
    """Build the strategy that ``options`` name, or ``fixed`` if they have a fixed pair.

    Raises:
        DuonasError: there is no such strategy, or its options cannot be used.
    """
    part = find("strategy", "fixed" if options.pair is not None else options.strategy)
    strategy: Strategy = part(problem, adapted(options, part.Options), seed)
    return strategy
