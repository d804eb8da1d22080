"""Whether a pair is searched as a whole or one arch after the other (paper D, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from duonas.core.arch import Arch
from duonas.core.goal import ACCURACY, OF_BIG
from duonas.core.narrowed import WithBig
from duonas.core.trial import Trial
from duonas.search.front import knee, most_accurate
from duonas.search.pareto import nondominated
from duonas.search.problem import BigProblem, Problem

Explore = Callable[[Problem, int], Sequence[Trial]]  # try at most so many pairs of a problem


def joint(problem: Problem, evaluations: int, explore: Explore) -> None:
    """Little and big together."""
    explore(problem, evaluations)


def sequential(problem: Problem, evaluations: int, explore: Explore) -> None:
    """Big first, then the best little for it.

    Half of the evaluations go to bigs by themselves, the rest to pairs with the one that is chosen. Each of them asks
    one new subnet, where an evaluation of the joint search asks two.
    """
    bigs = explore(BigProblem(problem), evaluations // 2)
    explore(problem.over(WithBig(problem.pairs, best_big(problem, bigs))), evaluations - len(bigs))


ORDERS: dict[str, Callable[[Problem, int, Explore], None]] = {"joint": joint, "sequential": sequential}


def best_big(problem: Problem, trials: Sequence[Trial]) -> Arch:
    """Of bigs by themselves the most accurate, if a constraint bounds what it may cost, and else the knee."""
    costs = [name for name in problem.goal.objectives if name != ACCURACY]
    rows = [[-trial.accuracy[0], *(np.max(trial.costs[name]) for name in costs)] for trial in trials]
    figures = np.array(rows, dtype=float)
    kept = nondominated(figures)
    choose = most_accurate if problem.goal.constraints.keys() & set(OF_BIG) else knee
    return trials[kept[choose(figures[kept])]].pair.big
