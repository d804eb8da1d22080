"""The sequential search: big by itself first, then the best little for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from duonas.core.couplings import COUPLINGS, pair_space
from duonas.core.goal import CONSTRAINTS as EVERY
from duonas.core.goal import Goal
from duonas.core.options import SearchOptions, SpaceOptions
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.routing.routers.confidence import Confidence
from duonas.search.prices import Pricer
from duonas.search.problem import BigProblem, Problem
from duonas.search.search import search
from duonas.spaces.mobilenet import FAMILY

OPTIONS = SearchOptions(order="sequential", evaluations=24, population=6)
OBJECTIVES = OPTIONS.objectives
ROUTERS = (Confidence("margin"),)
CONSTRAINTS = [name for name in EVERY if not name.endswith(("ms", "mj"))]  # those that need no device
SMALL = {"depth": [1], "kernel": [3], "expansion": [1, 2], "width": [0.5, 1.0]}


@pytest.fixture(params=sorted(COUPLINGS))
def coupled(request, pairs, evaluator):
    """Pairs under each coupling, and answers for them."""
    evaluator.pairs = pair_space(pairs.space, request.param)
    return evaluator.pairs, evaluator


@pytest.mark.parametrize("strategy", ["random", "nsga2"])
def test_first_bigs_alone_then_littles_for_the_best(strategy, coupled):
    pairs, evaluator = coupled
    limits = {"big_macs": 9e6}
    result = search(pairs, evaluator, replace(OPTIONS, strategy=strategy, constraints=limits), ROUTERS, 0)
    bigs, rest = result.trials[:12], result.trials[12:]
    assert all(row.little == row.big and row.accuracy == row.accuracy_big for row in bigs)
    best = max(row.accuracy_big for row in bigs)
    assert len({row.big for row in rest}) == 1 and rest[0].accuracy_big == best
    assert len({row.little for row in rest}) == len(rest) == 12 and all(row.little != row.big for row in rest)
    macs = {row.arch: row.macs for row in result.archs}
    assert all(macs[row.big] <= 9e6 and row.peak_macs == macs[row.big] for row in bigs)


def test_it_asks_half_as_many_subnets(coupled):
    """At most one an evaluation, where the joint search asks two."""
    pairs, evaluator = coupled
    result = search(pairs, evaluator, OPTIONS, ROUTERS, 0)
    assert len(evaluator.asked) == len(set(evaluator.asked)) == len(result.archs) <= 24
    joint = search(pairs, evaluator, replace(OPTIONS, order="joint"), ROUTERS, 0)
    assert len(joint.archs) > 1.3 * len(result.archs)


def test_the_front_is_made_of_all_that_was_evaluated(coupled):
    pairs, evaluator = coupled
    result = search(pairs, evaluator, OPTIONS, ROUTERS, 0)
    littles = [one for one in evaluator.asked if one.role == pairs.roles[-1]]
    bigs = [one for one in evaluator.asked if one.role == "big"]
    every = [PairArch(a.arch, b.arch, a.split) for a in littles for b in bigs]
    assert result.front.scored_pairs == sum(map(pairs.contains, every)) >= 12
    assert all(pairs.contains(point.pair) for point in result.front.points)


def test_without_a_bound_on_big_it_takes_the_knee(coupled):
    """The most accurate big would be about the dearest; a budget that little keeps alone does not bound it either."""
    pairs, evaluator = coupled
    for limits in ({}, {"expected_macs": 3e6}):
        result = search(pairs, evaluator, replace(OPTIONS, constraints=limits), ROUTERS, 0)
        alone = {row.big: row for row in result.trials[:12]}
        taken = alone[result.trials[-1].big]
        assert taken.peak_macs < max(row.peak_macs for row in alone.values())
        assert not any(row.accuracy > taken.accuracy and row.peak_macs <= taken.peak_macs for row in alone.values())


def test_the_same_seed_gives_the_same_search_and_a_killed_one_goes_on(coupled):
    pairs, evaluator = coupled
    result = search(pairs, evaluator, OPTIONS, ROUTERS, 0)
    original, known = evaluator.evaluate, []

    def evaluate(subnet):
        known.append(subnet)
        if len(known) == 16:
            raise KeyboardInterrupt
        return original(subnet)

    evaluator.evaluate = evaluate
    with pytest.raises(KeyboardInterrupt):
        search(pairs, evaluator, OPTIONS, ROUTERS, 0)
    assert search(pairs, evaluator, OPTIONS, ROUTERS, 0) == result


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_the_big_that_is_chosen_leaves_room_for_a_little(name, coupled):
    """However tight a constraint is, among the bigs that it leaves there is a pair."""
    pairs, evaluator = coupled
    least = Problem(Goal(OBJECTIVES, {}), Pricer(pairs)).least[name]
    options = replace(OPTIONS, evaluations=6, population=3, constraints={name: 1.02 * least})
    result, pricer = search(pairs, evaluator, options, ROUTERS, 0), Pricer(pairs)
    assert all(pricer.figures(point.pair)[name] <= 1.02 * least for point in result.front.points)


@pytest.mark.parametrize("coupling", sorted(COUPLINGS))
def test_a_big_is_feasible_exactly_if_a_pair_with_it_is(coupling):
    """By brute force over all littles, also where two constraints pull apart."""
    space = FAMILY.space(SpaceOptions(preset="cifar", axes=SMALL), 32, 4)
    pairs = pair_space(space, coupling)
    pricer, archs, rng = Pricer(pairs), list(space.archs()), stream(1)
    bigs = [big for big in archs if any(pairs.smallest_with(big))]
    figures = {
        big: [
            pricer.figures(pair)
            for little in archs
            for split in pairs.splits
            if pairs.contains(pair := PairArch(little, big, split))
        ]
        for big in [bigs[int(i)] for i in rng.permutation(len(bigs))[:12]]
    }
    for found in figures.values():
        assert found
    for name in CONSTRAINTS:
        assert all(
            min(f[name] for f in found) == min(pricer.figures(pair)[name] for pair in pairs.smallest_with(big))
            for big, found in figures.items()
        )
    for other in ("expected_macs", "little_macs", "params"):
        for share in (1.05, 1.2, 1.6):
            limits = {
                name: share * min(f[name] for fs in figures.values() for f in fs) for name in ("peak_macs", other)
            }
            problem = BigProblem(Problem(Goal(OBJECTIVES, limits), pricer))
            for big, found in figures.items():
                possible = any(all(f[name] <= limit for name, limit in limits.items()) for f in found)
                assert problem.feasible(PairArch(big, big)) == possible


def test_a_sequential_search_ends_when_the_space_does(evaluator):
    pairs = pair_space(FAMILY.space(SpaceOptions(preset="digits", axes=SMALL), 8, 4), "nested")
    evaluator.pairs = pairs
    result = search(pairs, evaluator, replace(OPTIONS, evaluations=100, population=10), ROUTERS, 0)
    assert len({row.big for row in result.trials if row.little == row.big}) == 15  # all but the smallest
    assert len(result.trials) == 15 + pairs.size_with(
        next(a for a in pairs.space.archs() if a.id == result.trials[-1].big)
    )


def test_a_big_alone_costs_what_it_costs(pairs):
    problem = BigProblem(Problem(Goal(OBJECTIVES, {}), Pricer(pairs)))
    pair = problem.sample(stream(4))
    cost, figures = analytic(pairs.space.blocks(pair.big)), problem.pricer.figures(pair)
    assert figures["expected_macs"] == figures["peak_macs"] == figures["big_macs"] == cost.macs
    assert figures["params"] == cost.params and figures["peak_memory_bytes"] == cost.peak_memory_bytes
