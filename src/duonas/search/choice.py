"""A pair that is chosen without accuracies, where the supernet is not trained: at an assumed little share."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan

import numpy as np

from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch, Subnet
from duonas.core.protocols import Progress, silent
from duonas.core.rng import stream
from duonas.runtime.units import percentage
from duonas.search.bench import Row, arch_row, values_of
from duonas.search.front import Front, FrontPoint
from duonas.search.judge import Judge
from duonas.search.metric import ACCURACY, find_filter
from duonas.search.options import SearchOptions
from duonas.search.pair_table import PairTable
from duonas.search.problem import Problem
from duonas.search.search import SearchResult
from duonas.search.single import SingleNetwork
from duonas.search.strategy import make_strategy, proposals
from duonas.search.untrained import UntrainedNetworks

DRAWN = 300  # pairs whose archs may be the plain network, where none are ranked
SIZE = "macs"  # by which these are ranked


def choose(
    problem: Problem,
    options: SearchOptions,
    seed: int,
    progress: Progress = silent,
    untrained: UntrainedNetworks | None = None,
) -> SearchResult:
    """Take the pair that a strategy proposes first; accuracies are ``nan``, since no network is trained yet.

    The rows of the result are the pair, and all archs that were ranked.

    Args:
        problem: allowed pairs, prices, constraints, and the little share at which these are kept.
        options: the ``[search]`` table; its strategy needs no accuracies.
        seed: of the strategy.
        progress: called with the number of pairs that are ranked.
        untrained: untrained networks, for metrics of these.

    Raises:
        DuonasError: the constraints cannot be met.
    """
    problem.check()
    strategy, judge = make_strategy(problem, options, seed), Judge(problem.prices, untrained)
    strategy.judge, strategy.progress = judge, progress
    proposed = proposals(strategy, 1, problem.prices)
    if not proposed:
        raise DuonasError(f"[search] strategy {strategy.name} proposed no pair.")
    point = assumed(problem, proposed[0].pair)
    ranking = options.ranking
    ranked = _sizes(problem, seed) if ranking is None else judge.values[ranking]
    single = alone(problem, ranking or SIZE, ranked)
    found = Front(
        objectives=problem.goal.objectives, constraints=dict(problem.goal.constraints), points=(point,), chosen=0,
        evaluated_archs=0, scored_pairs=0, hypervolume=0.0, reference={}, device=problem.prices.model.origin(),
        single=single, strategy={**strategy.findings(), "said": _said(problem, strategy.findings().get("said", ""))},
    )  # fmt: skip
    known = {} if ranking is None else {each: {ranking: value} for each, value in ranked.items()}
    archs = [
        arch_row(problem.pairs, each, problem.prices.subnet(each).figures | {ACCURACY: None} | known.get(each, {}))
        for each in known or problem.pairs.subnets(point.pair)
    ]
    return SearchResult(found, (_pair_row(problem, point),), tuple(archs))


def assumed(problem: Problem, pair: PairArch) -> FrontPoint:
    """The pair at the problem's little share, with the first router that keeps the constraints there."""
    prices, goal = problem.prices, problem.goal
    table = PairTable(prices, prices.pairs.subnets(pair), goal)
    routers = [prices.routers[number] for number in prices.possible(pair)]
    figures = [table.figures(0, 1, each, each.macs, problem.share) for each in routers]
    place = next((place for place, each in enumerate(figures) if goal.keeps(each)), 0)
    spaces, router = prices.pairs.spaces, routers[place]
    return FrontPoint(
        pair=pair,
        values={"little": spaces["little"].values(pair.little), "big": spaces["big"].values(pair.big)},
        tau=nan,
        little_share=problem.share,
        accuracy=nan,
        router=router.name,
        position=router.position,
        figures={name: np.asarray(value).item() for name, value in figures[place].items()},
    )


def alone(problem: Problem, name: str, values: Mapping[Subnet, float]) -> tuple[SingleNetwork, ...]:
    """The subnets that keep the constraints alone, and that no other one beats in a metric and in cost, by rising cost.

    Args:
        problem: constraints and prices.
        name: of the metric.
        values: its figures.
    """
    subnets, minimised = list(values), find_filter(name).minimised
    table = PairTable(problem.prices, subnets, problem.goal)
    goodness = -minimised * np.array(list(values.values()))
    fit = np.flatnonzero(table.alone)
    order = fit[np.lexsort([-goodness[fit], table.costs[fit]])]
    best = np.maximum.accumulate(goodness[order])
    kept = [subnets[number] for number in order[np.diff(best, prepend=-np.inf) > 0]]
    spaces, price = problem.pairs.spaces, problem.prices.subnet
    return tuple(
        SingleNetwork(each, spaces[each.role].values(each.arch), nan, price(each).figures | {name: values[each]})
        for each in kept
    )


def _sizes(problem: Problem, seed: int) -> dict[Subnet, float]:
    """The MACs of the networks of some drawn pairs."""
    rng, found = stream(seed, "search", "plain"), dict[Subnet, float]()
    for _ in range(DRAWN):
        for subnet in problem.pairs.subnets(problem.sample(rng)):
            found[subnet] = float(problem.prices.subnet(subnet).macs)
    return found


def _said(problem: Problem, said: str) -> str:
    chosen = said or f"The pair is taken where little answers {percentage(problem.share)} of the images."
    return f"{chosen} The supernet is not trained, so no accuracy is known before the pair is trained."


def _pair_row(problem: Problem, point: FrontPoint) -> Row:
    little, big = problem.pairs.subnets(point.pair)
    return {
        "number": 0, "little": little.id, "big": big.id, "accuracy_little": None, "accuracy_big": None,
        "little_share": point.little_share, ACCURACY: None, **point.figures, "router": point.router,
        "position": point.position, "little_values": values_of(problem.pairs, little),
        "big_values": values_of(problem.pairs, big),
    }  # fmt: skip
