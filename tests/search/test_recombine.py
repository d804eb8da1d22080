"""The best pairs and thresholds equal brute force over all of them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from duonas.core.cost import PairCost
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.costs.network_table import NetworkTable
from duonas.routing.routers.confidence import Confidence
from duonas.routing.threshold import keeps_little, steps, sweep
from duonas.search.bounds import Bigs, Bounds
from duonas.search.front import nondominated
from duonas.search.goal import Goal
from duonas.search.pair_table import PairTable, PriceRow
from duonas.search.prices import Prices
from duonas.search.recombine import best_within, recombine
from duonas.search.scores import Judged
from duonas.search.single import Singles


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 10**6), st.booleans(), st.booleans())
@example(images=6, bigs=5, seed=5, ties=False, timed=False)  # a big that costs nothing on top, at exactly its price
@settings(deadline=None, max_examples=40)
def test_best_within_is_brute_force(images, bigs, seed, ties, timed):
    """With budgets of MACs, and with budgets of MACs and of latency at once; some pairs have a least little share."""
    rng = stream(seed, "best")
    score = rng.random(images).astype(np.float32)
    score = score.round(1) if ties else score
    score[rng.random(images) < 0.1] = np.nan
    little, big = rng.random(images) < 0.6, rng.random((bigs, images)) < 0.8
    parts = {"macs": PairCost(rng.integers(10, 60, bigs), 0, 0, rng.integers(0, 500, bigs))}
    if timed:
        parts["latency_ms"] = PairCost(rng.uniform(0.01, 0.1, bigs), 0, 0, rng.uniform(0, 0.3, bigs))
    prices = PriceRow(np.arange(bigs), parts, {}, stream(seed, "shares").choice([0, 0, 0.5, 0.95], bigs))
    levels = {
        quantity: np.append(rng.uniform(0, 1.2, 9) * charge.peak.max(), [charge.least.min(), charge.peak.max()])
        for quantity, charge in parts.items()
    }
    little_right, big_right = little.astype(np.int8), big.astype(np.int8)
    correct, kept = best_within(steps(score), little_right, big_right, prices, levels)
    all_bigs = Bigs.of(big_right, [prices], rng.random(bigs))
    assert (Bounds.of(steps(score), little_right, all_bigs, prices).within(levels) >= correct).all()
    for column in range(bigs):
        curve = sweep(score, little, big[column])
        each = prices.take(np.array([column])).parts
        for row in range(11):
            costs = [
                each[quantity].expected(curve.little_share) <= budgets[row] for quantity, budgets in levels.items()
            ]
            costs.append(curve.little_share >= prices.share[column] - 1e-9)
            open_to = np.flatnonzero(np.all(costs, axis=0))
            if len(open_to) == 0:
                assert correct[row, column] == -1
                continue
            most = curve.correct[open_to].max()
            cheapest = open_to[curve.correct[open_to] == most][-1]
            assert correct[row, column] == most
            assert kept[row, column] == round(curve.little_share[cheapest] * images)


ROUTERS = (Confidence(),)


def made_up_device(archs, seed):
    """Latencies and energies that have little to do with MACs; one arch in ten is not known."""
    rng = stream(seed, "device")
    known = [arch for arch in archs if rng.random() < 0.9]
    rows = {arch: {"latency_ms": rng.uniform(0.01, 0.5), "energy_mj": rng.uniform(1, 9)} for arch in known}
    return NetworkTable({}, rows, ("macs", "latency_ms", "energy_mj"))


class Setting:
    """A few archs with drawn answers: few images, so that equal accuracies are common."""

    def __init__(self, pairs, routers=ROUTERS, count=14, images=12, seed=0, timed=False):
        rng = stream(seed, "setting")
        drawn = [pairs.sample(rng) for _ in range(count)]
        self.subnets = list(dict.fromkeys(subnet for pair in drawn for subnet in pairs.subnets(pair)))
        model = made_up_device(dict.fromkeys(subnet.arch for subnet in self.subnets), seed) if timed else analytic
        self.prices = Prices(pairs, model, routers)
        macs = np.array([self.prices.subnet(subnet).macs for subnet in self.subnets])
        right = 0.5 + 0.4 * (macs / macs.max())[:, None] ** 0.3
        self.correct = rng.random((len(self.subnets), images)) < right
        self.images, self.seed = images, seed

    def score(self, router, little, shared):
        shared = shared if router.position == "stem" else 0
        return stream(self.seed, "score", router.name, little, shared).random(self.images, dtype=np.float32)

    def table(self, goal):
        return PairTable(self.prices, self.subnets, goal)

    def judged(self, table):
        for little in range(len(self.subnets)):
            for number, shared, row in table.rows(little):
                router = self.prices.routers[number]
                if len(row.bigs):
                    yield Judged(little, number, self.score(router, little, shared), router.macs, row)

    def recombined(self, goal):
        table = self.table(goal)
        return recombine(self.correct, list(self.judged(table)), table, Singles(self.correct, table))

    def routed(self):
        """Every allowed pair with every router that can route it, one by one: little, big, router's number, price."""
        prices, table = self.prices, self.table(GOALS[0])
        for little, big in product(range(len(self.subnets)), repeat=2):
            pair = table.pair(little, big)
            members = self.subnets[little], self.subnets[big]
            if prices.pairs.contains(pair) and prices.pairs.subnets(pair) == members:
                for number in prices.possible(pair):
                    yield little, big, number, pair, prices.price(pair, prices.routers[number])


def alone(setting, goal):
    """The accuracies and costs of the networks that meet a goal's constraints by themselves."""
    prices, found = setting.prices, []
    for subnet, correct in zip(setting.subnets, setting.correct, strict=True):
        cost = prices.subnet(subnet).figures
        own = cost | {f"{kind}_{name}": cost[name] for kind in ("expected", "peak", "p95") for name in cost}
        limits = {name: limit for name, limit in goal.constraints.items() if not name.startswith(("little", "big"))}
        own["peak_memory_bytes"] = cost["peak_memory_bytes"]
        if prices.compared in cost and all(own[name] <= limit for name, limit in limits.items()):
            found.append((correct.mean(), cost[prices.compared]))
    return np.array(found).reshape(-1, 2).T


def everything(setting, goal):
    """Every allowed pair with every router at every threshold.

    The minimised objectives, whether a single network beats it, and how many pairs there are. Thresholds at which a
    pair costs as much as its own big count only if all do.
    """
    figures, met, prices = [], set(), setting.prices
    compared, beaten, saves, (singles, costs) = prices.compared, [], [], alone(setting, goal)
    for little, big, number, pair, price in setting.routed():
        score = setting.score(prices.routers[number], little, prices.pairs.shared(pair))
        curve = sweep(score, setting.correct[little], setting.correct[big])
        values = prices.figures(pair) | {"accuracy": -curve.accuracy, "peak_memory_bytes": price.peak_memory_bytes}
        for quantity, cost in price.parts.items():
            values |= {f"peak_{quantity}": cost.peak, f"expected_{quantity}": cost.expected(curve.little_share)}
            values[f"p95_{quantity}"] = np.array([percentile(cost, share, curve.count) for share in curve.little_share])
        within = np.ones(len(curve.tau), dtype=bool)
        for name, limit in goal.constraints.items():
            within &= values[name] <= limit
        figures.append(
            np.column_stack([np.broadcast_to(values[name], within.shape)[within] for name in goal.objectives])
        )
        met |= {(little, big)} if within.any() else set()
        own = np.array([[setting.correct[n].mean(), prices.subnet(setting.subnets[n]).figures[compared]]
                        for n in (little, big)]).T  # fmt: skip
        spent = np.broadcast_to(values[f"expected_{compared}"], within.shape)[within]
        for accuracy, cost in zip(curve.accuracy[within], spent, strict=True):
            better = np.append(singles, own[0]) >= accuracy
            slow = own[1, 1] <= cost * (1 + 1e-9)  # big alone costs no more
            saves.append(not slow)
            beaten.append(bool(slow or (better & (np.append(costs, own[1]) <= cost * (1 + 1e-9))).any()))
    some = np.array(saves, bool) | (not any(saves))
    return np.concatenate(figures)[some], np.array(beaten)[some], len(met)


def percentile(cost, share, images):
    """The cost that 95 of 100 images keep to, counted image by image."""
    kept = round(share * images)
    paid = sorted([cost.least] * kept + [cost.peak] * (images - kept))
    return paid[-(-95 * images // 100) - 1]


GOALS = [
    Goal(("accuracy", "expected_macs"), {}),
    Goal(("accuracy", "expected_macs"), {"expected_macs": 1.5e6}),
    Goal(("accuracy", "expected_macs", "peak_macs"), {}),
    Goal(("accuracy", "peak_macs"), {"expected_macs": 2e6, "params": 6e4}),
    Goal(("accuracy", "expected_macs", "params", "peak_memory_bytes"), {}),
    Goal(("accuracy",), {"peak_macs": 8e6}),
    Goal(("accuracy", "expected_macs", "weight_bytes"), {"weight_bytes": 4e5, "little_params": 9e4}),
    Goal(("accuracy", "expected_macs"), {"p95_macs": 6e6}),
]


TIMED = [
    Goal(("accuracy", "expected_latency_ms"), {}),
    Goal(("accuracy", "expected_latency_ms", "peak_latency_ms"), {"expected_macs": 2e6}),
    Goal(("accuracy", "expected_macs", "expected_latency_ms"), {"peak_energy_mj": 12}),
    Goal(("accuracy", "expected_macs"), {"expected_latency_ms": 0.4, "expected_energy_mj": 7, "big_latency_ms": 0.4}),
    Goal(("accuracy",), {"expected_latency_ms": 0.3, "little_energy_mj": 6}),
    Goal(("accuracy", "peak_latency_ms", "peak_energy_mj", "peak_macs", "params"), {}),
    Goal(("accuracy", "expected_latency_ms"), {"p95_latency_ms": 0.3, "weight_bytes": 4e5, "peak_energy_mj": 14}),
]


SETTINGS = [("nested", 0), ("sibling", 3), ("nested", 1), ("nested", 2)]
CASES = [*product(GOALS, SETTINGS), *product(TIMED, SETTINGS[:2])]


@pytest.mark.parametrize(("goal", "coupling", "seed"), [(goal, *setting) for goal, setting in CASES], ids=str)
def test_no_pair_at_no_threshold_of_no_router_dominates_a_winner(goal, coupling, seed, pairs, routers):
    """With one router, and with one at each position; priced in MACs, and on a device."""
    for several in (routers[:1], routers):
        setting = Setting(pair_space(pairs.space, coupling), several, seed=seed, timed=goal in TIMED)
        every, beaten, met = everything(setting, goal)
        if not met:
            assert goal in GOALS
            with pytest.raises(DuonasError, match="meets all constraints with any router"):
                setting.recombined(goal)
            continue
        points, scored = setting.recombined(goal)
        mine = {"accuracy": -points.accuracy, **points.figures}
        chosen = np.column_stack([mine[name] for name in goal.objectives])
        spent, members = points.figures[f"expected_{setting.prices.compared}"], np.stack([points.little, points.big])
        lead = Singles(setting.correct, setting.table(goal)).lead(points.accuracy, spent, members)
        assert scored == met and (lead > 0).any() == (~beaten).any()
        if (lead > 0).any():
            assert chosen[lead > 0, 0].min() == every[~beaten, 0].min()
        assert all((every == row).all(1).any() for row in chosen)
        if f"expected_{setting.prices.compared}" not in goal.objectives:
            continue  # some points are only there because no single network beats them
        front = every[nondominated(every)]
        for row in chosen:
            assert not ((every <= row).all(1) & (every < row).any(1)).any()
        best = chosen[nondominated(chosen)]
        assert best[:, 0].min() == front[:, 0].min()
        if len(goal.objectives) == 2 and goal.objectives[1].startswith("expected"):
            assert best[:, 1].min() == front[:, 1].min()


@pytest.mark.parametrize("goal", GOALS[:3], ids=str)
def test_within_any_budget_the_best_of_the_front_is_the_best_of_all(goal, pairs, routers):
    for several in (routers[:1], routers):
        setting = Setting(pairs, several, images=40)
        points, _ = setting.recombined(goal)
        every, _, _ = everything(setting, goal)
        for budget in np.geomspace(points.figures["expected_macs"].min(), points.figures["expected_macs"].max(), 20):
            mine = points.accuracy[points.figures["expected_macs"] <= budget].max()
            best = -every[every[:, 1] <= budget, 0].min()
            # Budgets between two levels may cost one level: 256 of them.
            assert mine >= best - 2 / 40
        assert points.accuracy.max() == -every[:, 0].min()


def test_the_points_are_what_routing_gives(pairs, routers):
    setting = Setting(pairs, routers, images=30)
    points, _ = setting.recombined(GOALS[2])
    prices, table = setting.prices, setting.table(GOALS[2])
    assert set(points.router) == {0, 1, 2} and len(points.tau) > 5
    for index, (little, big) in enumerate(zip(points.little, points.big, strict=True)):
        router, pair = routers[points.router[index]], table.pair(little, big)
        stays = keeps_little(setting.score(router, little, prices.pairs.shared(pair)), points.tau[index])
        right = np.where(stays, setting.correct[little], setting.correct[big])
        assert (points.little_share[index], points.accuracy[index]) == (stays.mean(), right.mean())
        cost = prices.price(pair, router).parts["macs"]
        assert points.figures["expected_macs"][index] == cost.expected(stays.mean())
        assert points.figures["peak_macs"][index] == cost.peak >= points.figures["expected_macs"][index]


def test_chunks_change_nothing(pairs, routers, monkeypatch):
    setting = Setting(pairs, routers, images=30)
    whole, _ = setting.recombined(GOALS[2])
    monkeypatch.setattr("duonas.search.recombine.CHUNK", 3)
    parts, _ = setting.recombined(GOALS[2])
    for name in ("little", "big", "router", "tau", "accuracy"):
        assert (getattr(whole, name) == getattr(parts, name)).all()


def test_where_no_evaluated_pair_meets_the_constraints_the_worst_missed_comes_first(pairs):
    rng, prices = stream(0, "missed"), Prices(pairs, routers=ROUTERS)
    subnets = list(dict.fromkeys(subnet for _ in range(20) for subnet in pairs.subnets(pairs.sample(rng))))
    free = PairTable(prices, subnets, Goal(("accuracy", "expected_macs", "peak_macs"), {}))
    rows = [row for little in range(len(subnets)) for _, _, row in free.rows(little) if len(row.bigs)]
    number = sum(len(row.bigs) for row in rows)
    least = min(float(row.parts["macs"].peak.min()) for row in rows)
    table = PairTable(prices, subnets, Goal(("accuracy",), {"expected_macs": 1e12, "peak_macs": 10.0}))
    with pytest.raises(DuonasError) as refused:
        right = np.ones((len(subnets), 5), bool)
        recombine(right, [], table, Singles(right, table))
    assert str(refused.value) == (
        f"[search] none of the {number:,} evaluated pairs meets all constraints with any router: peak_macs at most 10 "
        f"is missed by {number:,} (the best value is {least:,.0f}), expected_macs at most 1,000,000,000,000 is missed "
        f"by 0 (the best value is {min(float(row.parts['macs'].least.min()) for row in rows):,.0f}); relax one of "
        "them, or remove it by an empty value: `--set search.constraints.peak_macs=`."
    )
