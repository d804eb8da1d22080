"""Costs of all pairs at once equal those of one pair at a time, for shipped and for users' own pair spaces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duonas.core.couplings import NestedPairs, pair_space
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.costs.analytic import analytic, pair_cost, peaks_while_waiting
from duonas.search.goal import Goal
from duonas.search.pair_table import PairTable
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.spaces.mobilenet import MobileNetSpace
from duonas.spaces.nasbench201 import NasBench201
from duonas.spaces.uib import UIB
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.options import WeightsOptions
from duonas.supernet.pair import PairSupernet
from duonas.supernet.weights.kshot import Kshot

OBJECTIVES = ("accuracy", "expected_macs", "peak_macs", "params", "weight_bytes", "peak_memory_bytes")
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
    prices = Prices(pairs, routers=(router,))
    table = PairTable(prices, subnets(pairs), Goal(OBJECTIVES, constraints))
    seen, stems = 0, set()
    for index, little in enumerate(table.subnets):
        ((_, _, row),) = table.rows(index)
        held = []
        for number, big in enumerate(table.subnets):
            pair = PairArch(little.arch, big.arch, little.split)
            if not pairs.contains(pair) or pairs.subnets(pair) != (little, big):
                continue
            figures = prices.figures(pair)
            if prices.possible(pair) and all(figures[name] <= limit for name, limit in constraints.items()):
                held.append(number)
        assert row.bigs.tolist() == held
        for place, number in enumerate(held):
            pair = table.pair(index, number)
            cost = pair_cost(pairs, pair).routed_by(router.macs, before=router.before)
            figures = prices.figures(pair)
            part = row.parts["macs"].take(np.array([place]))
            assert (part.least, part.extra, part.peak) == (cost.least, cost.extra, cost.peak)
            assert prices.price(pair, router).parts["macs"] == cost
            assert all(row.figures[name][place] == figures[name] for name in row.figures)
            shares = np.linspace(0, 1, 5)
            assert (part.expected(shares) == cost.expected(shares)).all()
            stems.add(pairs.shared(pair))
        seen += len(held)
    assert seen > (3 if constraints else 30) or coupling == "partial"
    assert constraints or coupling == "partial" or stems == {0, 2}


@pytest.mark.parametrize("weights", ["shared", "kshot"])
def test_params_are_those_of_the_networks_that_are_stored(weights):
    """A nested little whose weights are made for it is no part of big, but for the stem."""
    made = WeightsOptions() if weights == "shared" else Kshot.Options(dictionary=2)
    options = NasBench201.Options(channels=2, cells=1, weights=made)
    pairs = pair_space(build_space(NasBench201, options, 8, 4))
    net = PairSupernet(pairs, build_supernet(NasBench201, pairs.space, (0.5,) * 3, (0.2,) * 3, stream(0), options))
    prices = Prices(pairs)
    table = PairTable(prices, subnets(pairs, 3), Goal(OBJECTIVES, {}))
    for little in range(len(table.subnets)):
        ((_, _, row),) = table.rows(little)
        for place, big in enumerate(row.bigs):
            pair = table.pair(little, big)
            stored = net.extract_pair(pair)
            parts = [stored.big, stored.stem, *([] if weights == "shared" else [stored.little])]
            expected = sum(p.numel() for part in parts for p in part.parameters())
            assert row.figures["params"][place] == prices.figures(pair)["params"] == expected
            numbers = [value for name, value in stored.state_dict().items() if value.is_floating_point()]
            of_images = 6  # mean and deviation of the three colours
            expected = 4 * (sum(value.numel() for value in numbers) - of_images)
            assert row.figures["weight_bytes"][place] == prices.figures(pair)["weight_bytes"] == expected


def test_a_router_at_the_stem_has_a_row_for_each_number_of_shared_blocks(pairs, routers):
    stem = routers[2]
    table = PairTable(Prices(pairs, routers=routers), subnets(pairs), Goal(OBJECTIVES, {}))
    apart = 0
    for little in range(len(table.subnets)):
        rows = {(number, count): row.bigs for number, count, row in table.rows(little)}
        every = rows[0, None].tolist()
        rows = {count: bigs for (number, count), bigs in rows.items() if routers[number] is stem}
        shared = {big: pairs.shared(table.pair(little, big)) for big in every}
        for big in every:
            assert [count for count, bigs in rows.items() if big in bigs] == ([shared[big]] if shared[big] else [])
            assert table.prices.possible(table.pair(little, big)) == ([0, 1, 2] if shared[big] else [0, 1])
            apart += not shared[big]
    assert apart


def test_the_figures_of_a_pair_are_the_least_of_its_routers(pairs, routers):
    pair = pairs.sample(stream(3))
    cascade, before, both = (Prices(pairs, routers=some).figures(pair) for some in (routers[:1], routers[1:2], routers))
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
    peaks = peaks_while_waiting(blocks, [analytic([block]).peak_memory_bytes for block in blocks])
    peak, alone = peaks[shared], analytic(blocks).peak_memory_bytes
    assert shared and peak >= max(alone, *(waiting + 4 * layer.activations for layer in layers))
    assert peak <= max(alone, waiting + analytic(blocks[shared:]).peak_memory_bytes)
    assert peaks[0] == peaks[-1] == alone and len(peaks) == len(blocks) + 1


@given(keep=st.floats(0, 0.5), ask=st.floats(0, 0.5), share=st.floats(0, 1), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_routing_takes_time_of_its_own(keep, ask, share, seed, pairs, timed, routers):
    """Every image pays for the decision, and one that goes to big for asking it; other routers have other prices."""
    pair = pairs.sample(stream(seed, "pair"))
    free, dear = (Prices(pairs, timed(*each), routers) for each in ((0.01,), (0.01, keep, ask)))
    for router in routers:
        with_time, without = (prices.price(pair, router) for prices in (dear, free))
        added = (keep, ask) if router.position == "after_little" else (0, 0)
        part = with_time.parts["latency_ms"]
        assert part.expected(share) == pytest.approx(
            without.parts["latency_ms"].expected(share) + added[0] + (1 - share) * added[1]
        )
        assert part.expected(share) <= part.peak + 1e-12
        assert with_time.parts["macs"] == without.parts["macs"] and with_time.big == without.big


def test_pairs_are_priced_with_the_time_of_routing_all_at_once(pairs, timed, routers):
    prices = Prices(pairs, timed(0.01, 0.03, 0.02), routers)
    table = PairTable(prices, subnets(pairs), Goal(("accuracy", "expected_latency_ms", "peak_energy_mj"), {}))
    seen = 0
    for little in range(len(table.subnets)):
        for number, _, row in table.rows(little):
            for place, big in enumerate(row.bigs):
                pair = table.pair(little, big)
                assert number in prices.possible(pair)
                one = prices.price(pair, routers[number])
                for name, part in one.parts.items():
                    assert row.parts[name].take(np.array([place])).expected(0.3) == pytest.approx(part.expected(0.3))
                assert row.figures["peak_energy_mj"][place] == pytest.approx(one.parts["energy_mj"].peak)
                seen += 1
    assert seen > 100


def test_a_space_with_its_own_order_is_asked(pairs):
    class Space(type(pairs.space)):
        def contained(self, little, bigs):
            return (bigs[:, 0] == little[0]) & super().contained(little, bigs)

    space = Space(pairs.space.preset, 32, 4, {"depth": [1, 2], "kernel": [3, 5], "expansion": [1, 2]})
    own = NestedPairs(space)
    table = PairTable(Prices(own), subnets(own), Goal(OBJECTIVES, {}))
    found = {(i, j) for i in range(len(table.subnets)) for _, _, row in table.rows(i) for j in row.bigs}
    expected = {
        (i, j)
        for i, little in enumerate(table.subnets)
        for j, big in enumerate(table.subnets)
        if own.contains(PairArch(little.arch, big.arch))
    }
    assert found == expected != set()


def test_figures_of_a_pair(pairs):
    pair = pairs.sample(stream(3))
    figures = Prices(pairs).figures(pair)
    little, big = (analytic(pairs.space.blocks(arch)) for arch in (pair.little, pair.big))
    assert figures["little_macs"] == little.macs == figures["expected_macs"]
    assert figures["big_macs"] == big.macs and figures["params"] == big.params >= little.params
    blocks = pairs.space.blocks(pair.little)
    waiting = peaks_while_waiting(blocks, [analytic([b]).peak_memory_bytes for b in blocks])[pairs.shared(pair)]
    assert figures["peak_memory_bytes"] == max(waiting, big.peak_memory_bytes)
    stem = pair_cost(pairs, pair).stem
    assert figures["peak_macs"] == little.macs + big.macs - stem


def test_a_memory_that_only_others_than_the_smallest_pairs_keep_is_searched_for():
    """What waits for big need not grow with the archs."""
    pairs = pair_space(UIB.space(UIB.Options(preset="uib-cifar"), 32, 10), "nested")
    prices, name = Prices(pairs), "peak_memory_bytes"
    smallest = min(prices.figures(pair)[name] for pair in pairs.smallest())
    problem = Problem(Goal(OBJECTIVES, {name: smallest - 1}), prices).check()
    assert prices.figures(problem.sample(stream(2)))[name] < smallest
    with pytest.raises(DuonasError, match="cannot be met"):
        Problem(Goal(OBJECTIVES, {name: 1000}), prices).check()
