"""Costs of all pairs at once equal those of one pair at a time, for shipped and for users' own pair spaces."""

from __future__ import annotations

import numpy as np
import pytest

from duonas.core.couplings import NestedPairs, pair_space
from duonas.core.errors import DuonasError
from duonas.core.goal import Goal
from duonas.core.options import SpaceOptions
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.costs.analytic import analytic, pair_cost, peak_while_waiting
from duonas.search.prices import Pricer, PriceTable
from duonas.search.problem import Problem
from duonas.spaces.families import build_space, build_supernet
from duonas.spaces.mobilenet import MobileNetSpace
from duonas.spaces.nasbench201 import FAMILY as NASBENCH201
from duonas.spaces.uib import FAMILY as UIB
from duonas.supernet.pair import PairSupernet

OBJECTIVES = ("accuracy", "expected_macs")
LIMITS = {"expected_macs": 2e6, "peak_macs": 9e6, "params": 5e4, "little_macs": 1.5e6, "big_macs": 8e6,
          "peak_memory_bytes": 2e5}  # fmt: skip


def subnets(pairs, n=25):
    rng = stream(0, "archs")
    drawn = [pairs.sample(rng) for _ in range(n)]
    return list(dict.fromkeys(subnet for pair in drawn for subnet in pairs.subnets(pair)))


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
@pytest.mark.parametrize("constraints", [{}, LIMITS])
@pytest.mark.parametrize("simple", [False, True])
@pytest.mark.parametrize("which", [0, 1])
def test_rows_are_pair_by_pair(coupling, constraints, simple, which, pairs, routers):
    """For a router after little, and for one before."""
    preset, narrow = pairs.space.preset, {"depth": [1, 2], "kernel": [3, 5], "expansion": [1, 2]}
    little = MobileNetSpace(preset.simple(), 32, 4, narrow) if simple else None
    pairs = pair_space(pairs.space, coupling, little=little)
    router = routers[which]
    pricer = Pricer(pairs, routers=(router,))
    table = PriceTable(pricer, subnets(pairs))
    goal = Goal(OBJECTIVES, constraints)
    seen, stems = 0, set()
    for index, little in enumerate(table.subnets):
        row = table.row(index, goal)
        held = []
        for number, big in enumerate(table.subnets):
            pair = PairArch(little.arch, big.arch, little.split)
            if not pairs.contains(pair) or pairs.subnets(pair) != (little, big):
                continue
            figures = pricer.figures(pair)
            if pricer.possible(pair) and all(figures[name] <= limit for name, limit in constraints.items()):
                held.append(number)
        assert row.bigs.tolist() == held
        for place, number in enumerate(held):
            pair = table.pair(index, number)
            cost = pair_cost(pairs, pair).routed_by(router.macs, before=router.before)
            figures = pricer.figures(pair)
            charge = row.charges["macs"].take(np.array([place]))
            assert (charge.least, charge.extra) == (cost.least, cost.extra)
            assert all(row.figures[name][place] == figures[name] for name in row.figures)
            shares = np.linspace(0, 1, 5)
            assert (charge.expected(shares) == cost.expected(shares)).all()
            stems.add(pairs.shared(pair))
        seen += len(held)
    assert seen > (3 if constraints else 30) or coupling == "partial"
    assert constraints or coupling == "partial" or stems == {0, 2}


@pytest.mark.parametrize("weights", ["shared", "kshot"])
def test_params_are_those_of_the_networks_that_are_stored(weights):
    """A nested little whose weights are made for it is no part of big, but for the stem."""
    dictionary = None if weights == "shared" else 2
    table = SpaceOptions(name="nasbench201", channels=2, cells=1, weights=weights, dictionary=dictionary)
    pairs = pair_space(build_space(NASBENCH201, table, 8, 4))
    net = PairSupernet(pairs, build_supernet(NASBENCH201, pairs.space, (0.5,) * 3, (0.2,) * 3, stream(0), table))
    pricer = Pricer(pairs)
    prices = PriceTable(pricer, subnets(pairs, 3))
    for little in range(len(prices.subnets)):
        row = prices.row(little, Goal(OBJECTIVES, {}))
        for place, big in enumerate(row.bigs):
            pair = prices.pair(little, big)
            stored = net.extract_pair(pair)
            parts = [stored.big, stored.stem, *([] if weights == "shared" else [stored.little])]
            expected = sum(p.numel() for part in parts for p in part.parameters())
            assert row.figures["params"][place] == pricer.params(pair) == expected


def test_a_router_at_the_stem_has_a_row_for_each_number_of_shared_blocks(pairs, routers):
    stem = routers[2]
    table = PriceTable(Pricer(pairs, routers=routers), subnets(pairs))
    apart = 0
    for little in range(len(table.subnets)):
        every = table.row(little, Goal(OBJECTIVES, {})).bigs.tolist()
        rows = {count: table.row(little, Goal(OBJECTIVES, {}), stem, count).bigs for count in table.depths(little)}
        shared = {big: pairs.shared(table.pair(little, big)) for big in every}
        for big in every:
            assert [count for count, bigs in rows.items() if big in bigs] == ([shared[big]] if shared[big] else [])
            assert table.pricer.possible(table.pair(little, big)) == ([0, 1, 2] if shared[big] else [0, 1])
            apart += not shared[big]
    assert apart


def test_the_figures_of_a_pair_are_the_least_of_its_routers(pairs, routers):
    pair = pairs.sample(stream(3))
    cascade, before, both = (Pricer(pairs, routers=some).figures(pair) for some in (routers[:1], routers[1:2], routers))
    little, big = cascade["little_macs"], cascade["big_macs"]
    assert before["peak_macs"] == big + 90_000 and before["expected_macs"] == little + 90_000
    assert cascade["peak_macs"] > both["peak_macs"] == big and both["expected_macs"] == little
    assert cascade["peak_memory_bytes"] >= before["peak_memory_bytes"] == both["peak_memory_bytes"]


@pytest.mark.parametrize("seed", range(5))
def test_what_little_and_big_share_waits_for_big_while_little_answers(pairs, seed):
    """Beside every layer of little's behind the one that reads it."""
    pair = pairs.sample(stream(seed))
    blocks, shared = pairs.space.blocks(pair.little), pairs.shared(pair)
    waiting = 4 * blocks[shared - 1].out_channels * blocks[shared - 1].out_resolution ** 2
    _, *layers = (layer for block in blocks[shared:] for layer in block.layers)
    peak, alone = peak_while_waiting(blocks, shared), analytic(blocks).peak_memory_bytes
    assert shared and peak >= max(alone, *(waiting + 4 * layer.activations for layer in layers))
    assert peak <= max(alone, waiting + analytic(blocks[shared:]).peak_memory_bytes)
    assert peak_while_waiting(blocks, 0) == alone


def test_a_space_with_its_own_order_is_asked(pairs):
    class Space(type(pairs.space)):
        def contained(self, little, bigs):
            return (bigs[:, 0] == little[0]) & super().contained(little, bigs)

    space = Space(pairs.space.preset, 32, 4, {"depth": [1, 2], "kernel": [3, 5], "expansion": [1, 2]})
    own = NestedPairs(space)
    table = PriceTable(Pricer(own), subnets(own))
    found = {(i, j) for i in range(len(table.subnets)) for j in table.row(i, Goal(OBJECTIVES, {})).bigs}
    expected = {
        (i, j)
        for i, little in enumerate(table.subnets)
        for j, big in enumerate(table.subnets)
        if own.contains(PairArch(little.arch, big.arch))
    }
    assert found == expected != set()


def test_figures_of_a_pair(pairs):
    pair = pairs.sample(stream(3))
    figures = Pricer(pairs).figures(pair)
    little, big = (analytic(pairs.space.blocks(arch)) for arch in (pair.little, pair.big))
    assert figures["little_macs"] == little.macs == figures["expected_macs"]
    assert figures["big_macs"] == big.macs and figures["params"] == big.params >= little.params
    waiting = peak_while_waiting(pairs.space.blocks(pair.little), pairs.shared(pair))
    assert figures["peak_memory_bytes"] == max(waiting, big.peak_memory_bytes)
    stem = pair_cost(pairs, pair).stem
    assert figures["peak_macs"] == little.macs + big.macs - stem


def test_a_memory_that_only_others_than_the_smallest_pairs_keep_is_searched_for():
    """What waits for big need not grow with the archs."""
    pairs = pair_space(UIB.space(SpaceOptions(name="uib", preset="uib-cifar"), 32, 10), "nested")
    pricer, name = Pricer(pairs), "peak_memory_bytes"
    smallest = min(pricer.figures(pair)[name] for pair in pairs.smallest())
    problem = Problem(Goal(OBJECTIVES, {name: smallest - 1}), pricer)
    assert pricer.figures(problem.sample(stream(2)))[name] < smallest
    with pytest.raises(DuonasError, match="cannot be met"):
        Problem(Goal(OBJECTIVES, {name: 1000}), pricer)
