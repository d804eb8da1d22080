"""DrNAS learns distributions over the choices of pairs, and proposes by them within the constraints."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.data.images import Images
from duonas.recipe.schema import options_for
from duonas.search.bilevel import DrnasOptions
from duonas.search.collapse import in_words
from duonas.search.goal import Goal
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.strategies.drnas import Drnas
from duonas.search.strategy import make_strategy
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.pair import PairSupernet
from duonas.testing import StrategyContract

GOAL = Goal(("accuracy", "expected_macs", "peak_macs"), {})
CLASSES, SIDE = 4, 6
TINY = {"steps": 2, "batch_size": 4, "aims": 2}
CELLS = NasBench201.Options(channels=2, cells=1)
SIZES = MobileNet.Options(
    preset="digits", axes={"depth": [1, 2], "kernel": [3, 5], "width": [0.5, 1.0], "expansion": [1, 2]}
)


def images(count, seed=0):
    """Images whose mean brightness is their class."""
    rng = stream(seed, "images")
    labels = np.arange(count) % CLASSES
    bright = 255 * (labels + 0.5) / CLASSES
    pixels = np.clip(bright[:, None, None, None] + rng.normal(0, 20, (count, 3, SIDE, SIDE)), 0, 255)
    return Images(torch.from_numpy(pixels.astype(np.uint8)), torch.from_numpy(labels))


@cache
def coupled(family, coupling, **changes):
    """The pair space and its supernet, made once; searches leave it as it is."""
    options = replace(CELLS if family is NasBench201 else SIZES, **changes)
    space = build_space(family, options, SIDE, CLASSES)
    pairs = pair_space(space, coupling)
    towers = [build_supernet(family, space, [0.5] * 3, [0.3] * 3, stream(0, role), options) for role in pairs.towers]
    return pairs, PairSupernet(pairs, *towers).eval()


def learned(pairs, supernet, seed, goal=GOAL, **options):
    chosen = Drnas.Options(drnas=DrnasOptions(**TINY | options))
    strategy = Drnas(Problem(goal, Prices(pairs)), chosen, seed)
    strategy.fit(supernet, images(32), images(32, 1))
    return strategy


class TestDrnasOnCells(StrategyContract):
    family, coupling = NasBench201, "nested"

    def pairs(self):
        return coupled(self.family, self.coupling)[0]

    def strategy(self, pairs, seed):
        return learned(*coupled(self.family, self.coupling), seed)


class TestDrnasOnSizes(TestDrnasOnCells):
    family, coupling = MobileNet, "partial"


@pytest.fixture(scope="module")
def cells():
    return coupled(NasBench201, "nested")


def test_constraints_hold_for_all_that_is_asked_and_nothing_is_asked_twice(cells):
    price = Prices(cells[0])
    drawn = [price.figures(cells[0].sample(stream(0, number))) for number in range(40)]
    limits = {name: sorted(row[name] for row in drawn)[25] for name in ("peak_macs", "params", "little_macs")}
    strategy = learned(*cells, 0, Goal(GOAL.objectives, limits))
    asked = [candidate.pair for _ in range(5) for candidate in strategy.ask(10)]
    assert len(asked) == len(set(asked)) == 50
    assert all(price.figures(pair)[name] <= limit for pair in asked for name, limit in limits.items())


def test_the_supernet_and_the_global_random_state_stay_as_they_were(cells):
    pairs, supernet = cells
    before, state = {name: value.clone() for name, value in supernet.state_dict().items()}, torch.get_rng_state()
    learned(pairs, supernet, 0)
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state) and not supernet.training
    assert all(parameter.requires_grad for parameter in supernet.parameters())


@pytest.mark.slow
def test_it_learns_to_choose_what_classifies(cells):
    """From new weights that learn along: images differ in brightness, so a big without convolutions is at chance."""
    strategy = learned(
        *cells, 0, Goal(("accuracy",), {}), steps=40, batch_size=32, weights="scratch", weights_learning_rate=0.05
    )
    history = strategy.findings()["history"]
    first, last = ([row["loss"] for row in rows] for rows in (history[:5], history[-5:]))
    assert sum(last) < 0.9 * sum(first)
    assert history[-1]["big_entropy"] < history[0]["big_entropy"]
    assert [aim["budget"] for aim in strategy.findings()["aims"]] == [None]


@pytest.mark.slow
def test_an_aim_at_a_low_cost_becomes_cheaper_than_one_at_a_high_cost(cells):
    strategy = learned(*cells, 0, steps=24, learning_rate=0.5, cost=20.0, weights="frozen")
    cheap, dear = strategy.findings()["aims"]
    expected = [
        np.mean([row["expected_macs"] for row in strategy.findings()["history"][-10:] if row["aim"] == aim])
        for aim in (0, 1)
    ]
    assert cheap["budget"] < dear["budget"] and expected[0] < 0.8 * expected[1]


def test_a_progressive_search_leaves_out_values_after_half_of_the_steps(cells):
    strategy = learned(*cells, 0, progressive=True)
    (aim, _) = strategy._learned.aims
    mixture = aim.choices.mean()
    assert {int((row > 0).sum()) for row in mixture.big.values()} == {2}
    assert all(torch.allclose(row.sum(), torch.tensor(1.0)) for row in mixture.little.values())
    assert strategy._learned._network("big", 0).part == 0.5


def test_a_part_of_the_channels_needs_norms_that_can_be_cut():
    pairs, supernet = coupled(NasBench201, "nested", norm="switchable")
    with pytest.raises(DuonasError, match=r"progressive computes a part of the channels"):
        learned(pairs, supernet, 0, progressive=True)


def test_a_space_without_mixed_operations_is_refused_with_those_that_have_them():
    pairs = pair_space(MobileNet.space(SIZES, SIDE, CLASSES))  # as a family that does not say that it relaxes
    with pytest.raises(
        DuonasError, match=r"'mobilenet' has no mixed operations: take a \[space\] that has \(mobilenet, "
    ):
        make_strategy(Problem(GOAL, Prices(pairs)), options_for("search", strategy="drnas"), 0)


def test_a_search_without_a_supernet_is_refused(cells):
    strategy = make_strategy(Problem(GOAL, Prices(cells[0])), options_for("search", strategy="drnas"), 0)
    with pytest.raises(DuonasError, match="learns on a supernet, and this search has none"):
        strategy.ask(1)


def test_a_small_space_is_searched_to_its_end():
    pairs, supernet = coupled.__wrapped__(
        MobileNet, "nested", axes={"depth": [1], "kernel": [3], "width": [1.0], "expansion": [1, 2]}
    )
    strategy = learned(pairs, supernet, 0)
    assert len(strategy.ask(100)) == pairs.size() == 5 and strategy.ask(100) == []


def row(aim, entropy, skip, depth=5.0):
    return {f"{role}_{name}": value for role in ("little", "big")
            for name, value in (("entropy", entropy), ("skip", skip), ("depth", depth))} | {"aim": aim}  # fmt: skip


def test_a_collapse_is_said():
    healthy = [row(0, 1.0, 0.2), row(0, 0.25, 0.3)]
    assert in_words(healthy) == (
        "DrNAS: the entropy of the choices fell for little from 100 % to 25 % and for big from 100 % to 25 % of the "
        "largest one."
    )
    assert "Skip connections dominate in little and big" in in_words([*healthy, row(1, 0.1, 0.9)])
    assert "dominate" in in_words([*healthy, row(1, 0.1, 0.1, depth=0)])
