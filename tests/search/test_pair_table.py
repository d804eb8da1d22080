"""Prices of all pairs at once equal those of one pair at a time, for shipped and for users' own pair spaces."""

from __future__ import annotations

import numpy as np
import pytest

from duonas.core.couplings import NestedPairs, pair_space
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.costs.analytic import pair_cost
from duonas.search.goal import Goal
from duonas.search.pair_table import PairTable
from duonas.search.prices import Prices
from duonas.spaces.mobilenet import MobileNetSpace
from duonas.spaces.nasbench201 import NasBench201
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


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial", "independent"])
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
    assert constraints or coupling == "partial" or stems == ({0} if coupling == "independent" else {0, 2})


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
