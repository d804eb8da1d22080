"""The interface of search strategies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.core.protocols import Progress, silent
from duonas.core.registry import Part, adapted, find
from duonas.core.trial import Candidate, Trial
from duonas.search.judge import Judge
from duonas.search.options import SearchOptions

if TYPE_CHECKING:
    from duonas.data.images import Images
    from duonas.search.prices import Prices
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
    needs_accuracies: ClassVar[bool] = True  # else it may choose a pair of a supernet that is not trained

    def __init__(self, problem: Problem, options: Any, seed: int) -> None:
        self.problem, self.options, self.seed = problem, options, seed
        self.show: Callable[..., object] = dict  # shows figures by name while ``fit`` goes on; a search sets it
        self.judge = Judge(problem.prices)  # of metrics that need no evaluation; a search sets its own
        self.progress: Progress = silent  # of ranking pairs before any is proposed; a search sets it

    def fit(self, supernet: PairSupernet, train: Images, val: Images) -> None:
        """Prepare the strategy, once, before the first ``ask``; by default do nothing.

        A search that goes on calls it again, so it must give the same for the same seed.

        Args:
            supernet: the trained supernet, which must not be changed.
            train: its training images.
            val: the images that pairs are evaluated on.
        """

    @abstractmethod
    def ask(self, n: int) -> list[Candidate]:
        """Return up to ``n`` pairs that were not proposed before; an empty list ends the search."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from the trials of the pairs of the last ``ask``, in the same order; by default do nothing.

        With a ``[search] filter`` only some of the pairs have trials, but always at least one of those of an ``ask``.
        """

    def findings(self) -> Mapping[str, Any]:
        """What the strategy learned, after the last ``tell``: for ``front.json``, as JSON; by default nothing.

        ``said``, if it is there, is a sentence for the log and for ``duonas explain``.
        """
        return {}


def proposals(strategy: Strategy, n: int, prices: Prices) -> Sequence[Candidate]:
    """Ask a strategy for up to ``n`` pairs.

    Args:
        strategy: the strategy.
        n: the largest number of pairs.
        prices: the pairs that may be proposed, and the routers.

    Raises:
        DuonasError: it returns something else; the message says what.
    """
    asked, wrong = strategy.ask(n), ""
    if not isinstance(asked, list | tuple):
        wrong = f"got {type(asked).__name__}"
    elif len(asked) > n:
        wrong = f"got {len(asked)}"
    else:
        wrong = next(filter(None, (_objection(each, prices) for each in asked)), "")
    if wrong:
        name = type(strategy).name
        raise DuonasError(f"[search] strategy {name}: ask({n}) must return a list of up to {n} candidates, {wrong}.")
    return asked


def _objection(candidate: Any, prices: Prices) -> str:
    """Why a proposal cannot be evaluated; empty if it can."""
    if not isinstance(candidate, Candidate) or not isinstance(candidate.pair, PairArch):
        return f"got one of type {type(candidate).__name__}"
    if not prices.pairs.contains(candidate.pair):
        return f"got the pair {candidate.pair.id}, which the {prices.pairs.coupling} coupling does not allow"
    if not prices.possible(candidate.pair):
        return f"got the pair {candidate.pair.id}, which no router can route"
    return ""


def make_strategy(problem: Problem, options: SearchOptions, seed: int) -> Strategy:
    """Build the strategy that ``options`` name, or ``fixed`` if they have a fixed pair.

    Raises:
        DuonasError: there is no such strategy, or its options cannot be used.
    """
    part = find("strategy", "fixed" if options.pair is not None else options.strategy)
    strategy: Strategy = part(problem, adapted(options, part.Options), seed)
    return strategy
