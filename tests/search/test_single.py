"""Single networks beside pairs: their order, their budgets and their file."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from duonas.core.couplings import NestedPairs
from duonas.core.rng import stream
from duonas.search.goal import Goal
from duonas.search.pair_table import PairTable
from duonas.search.prices import Prices
from duonas.search.single import SingleNetwork, Singles
from duonas.spaces.mobilenet import MobileNet

PRICES = Prices(NestedPairs(MobileNet.space(MobileNet.Options(preset="digits"), 8, 10)))
SUBNETS = list(
    dict.fromkeys(
        subnet for seed in range(6) for subnet in PRICES.pairs.subnets(PRICES.pairs.sample(stream(seed, "pair")))
    )
)


def singles(seed, goal=Goal(("accuracy", "expected_macs"), {})):  # noqa: B008
    right = stream(seed, "right").random((len(SUBNETS), 10)) < 0.6
    table = PairTable(PRICES, SUBNETS, goal)
    return Singles(right, table), right.mean(1), table.costs


@given(st.integers(0, 10**6), st.floats(0, 4e6))
def test_the_best_at_no_more_cost_is_brute_force(seed, cost):
    found, accuracy, costs = singles(seed)
    most = max(accuracy[costs <= cost], default=-np.inf)
    assert found.best(np.array([cost])) == most
    plain = found.plain(cost)
    assert (plain is None) == (most == -np.inf)
    if plain is not None:
        assert plain.accuracy == most and plain.figures["macs"] == costs[(costs <= cost) & (accuracy == most)].min()


@given(st.integers(0, 10**6))
def test_a_budget_excludes_the_network_that_it_is_below(seed):
    found, _, costs = singles(seed)
    assert (np.diff(costs[found.front]) > 0).all()
    for budget, number in zip(found.budgets, found.front, strict=True):
        plain = found.plain(budget * (1 - 1e-6))
        assert budget < costs[number] and (plain is None or plain.figures["macs"] < costs[number])


def test_only_networks_that_keep_the_constraints_are_there():
    limit = float(np.median([PRICES.subnet(subnet).params for subnet in SUBNETS]))
    found, _, _ = singles(3, Goal(("accuracy",), {"params": limit, "big_macs": 1.0}))
    assert len(found.front)
    assert all(found.network(number).figures["params"] <= limit for number in found.front.tolist())


def test_a_network_survives_its_file():
    found, _, _ = singles(1)
    network = found.network(0)
    assert SingleNetwork.from_json(json.loads(json.dumps(network.to_json()))) == network
