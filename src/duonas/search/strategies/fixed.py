"""The fixed pair of the recipe, in place of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duonas.core.arch import Arch
from duonas.core.cost import written
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.core.space import SearchSpace
from duonas.core.trial import Candidate
from duonas.search.options import GivenPair, SearchOptions
from duonas.search.problem import Problem
from duonas.search.strategy import Strategy


class Fixed(Strategy):
    """Proposes the recipe's fixed pair, ``[search.pair]``.

    Raises:
        DuonasError: there is no such pair, or it does not meet a constraint.
    """

    needs_accuracies = False

    def __init__(self, problem: Problem, options: SearchOptions, seed: int) -> None:
        super().__init__(problem, options, seed)
        if options.pair is None:
            raise DuonasError("[search] strategy = 'fixed' needs a pair: set [search.pair] little.")
        self._left = [Candidate(_checked(problem, options.pair))]

    def ask(self, n: int) -> list[Candidate]:
        """Return the recipe's pair at the first call."""
        proposed, self._left = self._left[:n], self._left[n:]
        return proposed


def _checked(problem: Problem, named: GivenPair) -> PairArch:
    spaces = problem.pairs.spaces
    pair = PairArch(
        _arch(spaces["little"], "little", named.little), _arch(spaces["big"], "big", named.big), named.split
    )
    problem.pairs.validate(pair)
    if not problem.prices.known(pair):
        raise DuonasError("[search.pair] has no price: the device table does not have both of its archs.")
    figures = problem.figures(pair)
    for name, limit in problem.goal.constraints.items():
        metric = problem.goal.metrics[name]
        if name in figures and not metric.within(figures[name], limit):
            needed, more = written(name, figures[name]), "or more" if metric.direction == "min" else "or less"
            raise DuonasError(f"[search.pair] does not meet {name} = {limit:g}: it needs {needed} {more}.")
    if not problem.prices.possible(pair):
        raise DuonasError(
            "[search.pair] cannot be routed: a router at 'stem' needs blocks that both networks share, and a router "
            "before little needs a little that costs no more than big."
        )
    return pair


def _arch(space: SearchSpace, role: str, values: Mapping[str, Any]) -> Arch:
    """The arch with these values of axes or of kinds of axes, and the largest value elsewhere."""
    kinds = {axis.kind for axis in space.axes.values()}
    spread = {axis.name: values[axis.kind] for axis in space.axes.values() if axis.kind in values}
    try:
        return space.arch(**spread | {name: value for name, value in values.items() if name not in kinds})
    except DuonasError as error:
        raise DuonasError(f"[search.pair] {role}: {error}") from error
