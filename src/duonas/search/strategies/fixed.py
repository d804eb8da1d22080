"""The search that searches nothing: the recipe names the pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from duonas.core.arch import Arch
from duonas.core.cost import written
from duonas.core.errors import DuonasError
from duonas.core.options import GivenPair
from duonas.core.pair import PairArch
from duonas.core.space import SearchSpace
from duonas.core.trial import Candidate, Trial
from duonas.search.problem import Problem


class Given:
    """Proposes one pair.

    Args:
        problem: the pairs and their constraints.
        given: the ``[search.pair]`` table.

    Raises:
        DuonasError: there is no such pair, or it does not meet a constraint.
    """

    def __init__(self, problem: Problem, given: GivenPair) -> None:
        space = problem.pairs.space
        pair = PairArch(_arch(space, "little", given.little), _arch(space, "big", given.big), given.split)
        problem.pairs.validate(pair)
        if not problem.pricer.known(pair):
            raise DuonasError("[search.pair] cannot be priced: the device table does not know both of its archs.")
        figures = problem.figures(pair)
        for name, limit in problem.goal.constraints.items():
            if figures[name] > limit:
                needed = written(name, figures[name])
                raise DuonasError(f"[search.pair] does not meet {name} = {limit:g}: it needs {needed} or more.")
        if not problem.pricer.possible(pair):
            raise DuonasError(
                "[search.pair] cannot be routed: a router at 'stem' needs blocks that both networks share, and one "
                "before little needs a little that costs no more than big."
            )
        self._left = [Candidate(pair)]

    def ask(self, n: int) -> list[Candidate]:
        """The pair, once."""
        asked, self._left = self._left[:n], self._left[n:]
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn nothing."""


def _arch(space: SearchSpace, role: str, values: Mapping[str, Any]) -> Arch:
    """The arch with these values on axes or on all axes of a kind; the rest as large as possible."""
    kinds = {axis.kind for axis in space.axes.values()}
    spread = {axis.name: values[axis.kind] for axis in space.axes.values() if axis.kind in values}
    try:
        return space.arch(**spread | {name: value for name, value in values.items() if name not in kinds})
    except DuonasError as error:
        raise DuonasError(f"[search.pair] {role}: {error}") from error
