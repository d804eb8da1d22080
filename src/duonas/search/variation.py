"""Candidates from candidates: how strategies vary (little, big, little share, router)."""

from __future__ import annotations

import numpy as np

from duonas.core.trial import Candidate, Point
from duonas.search.goal import Goal
from duonas.search.metric import ACCURACY
from duonas.search.problem import Problem

ATTEMPTS = 10  # at a feasible child before its parent is taken again
SHARE_STEP = 0.1
ROUTER_CHANGE = 0.1


def spread(problem: Problem, n: int, rng: np.random.Generator) -> list[Candidate]:
    """Up to ``n`` candidates of different pairs, spread over the sizes, each with a drawn share and router."""
    pairs = problem.spread(n, rng)
    return [Candidate(pair, float(rng.random()), drawn_router(problem, rng)) for pair in pairs]


def crossed(problem: Problem, a: Candidate, b: Candidate, rng: np.random.Generator) -> Candidate:
    """A child of ``a`` and ``b``; ``a``'s pair where no child was feasible."""
    share = a.share + rng.random() * (b.share - a.share)
    router = a.router if a.router == b.router or rng.random() < 0.5 else b.router
    for _ in range(ATTEMPTS):
        pair = problem.pairs.crossover(a.pair, b.pair, rng)
        if problem.feasible(pair):
            return Candidate(pair, share, router)
    return Candidate(a.pair, share, router)


def mutated(problem: Problem, candidate: Candidate, rng: np.random.Generator) -> Candidate:
    """A mutant of a candidate; its own pair where no mutant was feasible."""
    share = float(np.clip(candidate.share + rng.normal(0, SHARE_STEP), 0, 1))
    several = len(problem.prices.routers) > 1
    router = drawn_router(problem, rng) if several and rng.random() < ROUTER_CHANGE else candidate.router
    for _ in range(ATTEMPTS):
        pair = problem.pairs.mutate(candidate.pair, rng)
        if problem.feasible(pair):
            return Candidate(pair, share, router)
    return Candidate(candidate.pair, share, router)


def drawn_router(problem: Problem, rng: np.random.Generator) -> int:
    """Draw a router's number; a single router consumes no random number."""
    routers = len(problem.prices.routers)
    return int(rng.integers(routers)) if routers > 1 else 0


def minimised(point: Point, goal: Goal) -> list[float]:
    """The objectives of a point, each with its sign changed if it is maximised, so that less is better."""
    values = {**point.figures, ACCURACY: point.accuracy}
    return [float(goal.minimised(name, values[name])) for name in goal.objectives]
