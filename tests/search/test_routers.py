"""Routers are searched for like pairs: which one, where, and from which score on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from duonas.core.couplings import IndependentPairs, NestedPairs, pair_space
from duonas.core.errors import DuonasError
from duonas.core.pair import Subnet
from duonas.core.protocols import CostModel
from duonas.core.rng import stream
from duonas.core.trial import Trial
from duonas.costs.analytic import analytic
from duonas.data.images import Images
from duonas.pair.facts import PairFacts
from duonas.pair.pair import Pair
from duonas.recipe.schema import options_for
from duonas.routing.calibration import auroc
from duonas.routing.router import Answers
from duonas.routing.routers.confidence import Confidence
from duonas.routing.routers.difficulty import Difficulty
from duonas.routing.routers.learned import Learned
from duonas.routing.threshold import keeps_little
from duonas.search.curves import Curves
from duonas.search.evaluate import NO_READINGS, Evaluator, SubnetResult
from duonas.search.front import Front
from duonas.search.goal import Goal
from duonas.search.options import GivenPair, SearchOptions
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.routers import make_routers
from duonas.search.scores import Scores, ranks
from duonas.search.strategies.fixed import Fixed
from duonas.search.strategies.nsga2 import Nsga2
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.pair import PairSupernet

OPTIONS = options_for("search", evaluations=24, population=8)


def test_the_recipe_names_them_and_else_there_is_its_own():
    made = make_routers(options_for("search"), options_for("route", score="entropy"))
    assert made == (Confidence("entropy"),)
    assert make_routers(options_for("search"), options_for("route", score="best")) == (Confidence("margin"),)
    named = options_for("search", routers=("confidence@after_little",))
    assert make_routers(named, options_for("route", score="energy")) == (Confidence("energy"),)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("confidense",),
            r"routers has 'confidense': \[route\] router has no choice 'confidense': did you mean 'confidence'",
        ),
        (("confidence@stem",), "has no position 'stem'; choose from confidence@after_little"),
        (("confidence@",), "has no position ''"),
        (("confidence", "confidence@after_little"), "names confidence@after_little twice"),
    ],
)
def test_one_that_cannot_be_is_refused(names, message):
    with pytest.raises(DuonasError, match=message):
        make_routers(options_for("search", routers=names), options_for("route"))


@pytest.mark.parametrize(
    ("position", "stand_in"),
    [
        ("after_little", Confidence()),
        ("stem", Difficulty(position="stem")),
        ("auto", Difficulty(position="stem")),
        ("input", Difficulty(position="input")),
    ],
)
def test_a_network_learns_in_the_search_only_where_that_is_asked_for(position, stand_in):
    route = options_for("route", router="learned", position=position)
    assert make_routers(options_for("search"), route) == (stand_in,)
    (asked,) = make_routers(options_for("search", routers=("learned",)), route)
    assert isinstance(asked, Learned)


def test_every_point_of_the_front_is_true(pairs, evaluator, routers, search):
    result = search(pairs, evaluator, OPTIONS, routers, 0)
    prices = Prices(pairs, routers=routers)
    scores = Scores(evaluator, prices, 0)
    assert {(point.router, point.position) for point in result.front.points} >= {("at-stem", "stem")}
    for point in result.front.points[::3]:
        (number,) = (i for i, r in enumerate(routers) if (r.name, r.position) == (point.router, point.position))
        little, big = pairs.subnets(point.pair)
        stays = keeps_little(scores.of(number, little, pairs.shared(point.pair)).score, point.tau)
        answer = np.where(stays, *(evaluator.logits(each).argmax(1) for each in (little, big)))
        assert point.accuracy == (answer == evaluator.labels).mean() and point.little_share == stays.mean()
        cost = prices.price(point.pair, routers[number]).parts["macs"]
        expected = cost.expected(stays.mean()), cost.peak
        assert (point.figures["expected_macs"], point.figures["peak_macs"]) == expected
    assert all(trial["router"] in {router.name for router in routers} for trial in result.trials)


@pytest.mark.parametrize("strategy", ["random", "sequential"])
@pytest.mark.parametrize("coupling", ["nested", "partial"])
def test_more_routers_are_never_worse_and_each_stem_is_described_once(
    coupling, strategy, pairs, evaluator, routers, search
):
    evaluator.pairs = pairs = pair_space(pairs.space, coupling)
    options = replace(OPTIONS, strategy=strategy, constraints={"expected_macs": 2.5e6})
    alone = search(pairs, evaluator, options, routers[:1], 0)
    assert evaluator.described == []
    result = search(pairs, evaluator, options, routers, 0)
    assert result.front.best.accuracy >= alone.front.best.accuracy
    assert len(evaluator.described) == len(set(evaluator.described)) < len(result.archs)
    assert result.front.scored_pairs >= alone.front.scored_pairs
    assert all(point.figures["expected_macs"] <= 2.5e6 for point in result.front.points)


def test_a_killed_search_run_again_is_one_that_never_was(pairs, evaluator, routers, tmp_path, search):
    result = search(pairs, evaluator, OPTIONS, routers, 0)
    original, calls = evaluator.describe, []

    def describe(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    evaluator.describe = describe
    with pytest.raises(KeyboardInterrupt):
        search(pairs, evaluator, OPTIONS, routers, 0)
    again = search(pairs, evaluator, OPTIONS, routers, 0)
    assert again == result != search(pairs, evaluator, OPTIONS, routers, 1)
    again.save(tmp_path)
    assert Front.load(tmp_path / "front.json") == result.front


class Device:
    """Answers of littles that a stem tells apart rather well, and little itself better."""

    def __init__(self, pairs, images=400):
        self.pairs, rng = pairs, stream(0, "device")
        self.labels = rng.integers(0, 4, images)
        self.hard = rng.random(images) < 0.4
        self.seen = self.hard + 0.35 * rng.normal(size=images)

    def evaluate(self, subnet, readings=NO_READINGS):
        rng, small = stream(0, subnet.id), subnet.arch != self.pairs.space.largest()
        right = ~(self.hard & (rng.random(len(self.labels)) < 0.9)) if small else rng.random(len(self.labels)) < 0.97
        answer = np.where(right, self.labels, (self.labels + 1) % 4)
        sure = np.where(right, 4.0, 1.0) + rng.normal(size=len(self.labels)) / 2
        logits = (np.eye(4)[answer] * sure[:, None]).astype(np.float32)
        return SubnetResult.of(subnet, logits, self.labels, readings)

    def kept(self, name, about, compute, wanted=()):
        return compute()

    def describe(self, router, subnet, shared):
        return torch.from_numpy(self.seen.astype(np.float32))[:, None]


@pytest.mark.parametrize(("launch", "chosen"), [(0, "confidence"), (2e7, "at-stem")])
def test_one_device_gets_a_cascade_and_another_a_router_at_the_stem(launch, chosen, pairs, routers, search):
    """Where little costs next to nothing it is best asked first; a dear one should not run in vain."""

    class Launched(CostModel):
        """In MACs, and what it costs to start a block."""

        def __call__(self, blocks):
            return replace(analytic(blocks), macs=analytic(blocks).macs + launch * len(blocks))

    cost, little = Launched(), GivenPair(little={"width": 0.5, "kernel": 3, "expansion": 1})
    problem = Problem(Goal(("accuracy",), {}), Prices(pairs))
    pair = Fixed(problem, Fixed.Options(pair=little), 0).ask(1)[0].pair
    least, most = (cost(pairs.blocks(subnet)).macs for subnet in pairs.subnets(pair))
    options = SearchOptions(pair=little, constraints={"expected_macs": (least + most) / 2})
    result = search(pairs, Device(pairs), options, routers, 0, model=cost)
    assert (least / most > 0.7) == bool(launch)
    assert result.pair == pair and result.front.best.router == result.trials[0]["router"] == chosen
    assert result.front.best.position == ("stem" if launch else "after_little")


def test_no_image_is_judged_by_a_router_that_saw_its_label(pairs, evaluator, routers):
    """On labels that say nothing, a router that could learn them by heart is no better than chance."""

    class ByHeart(type(routers[2])):
        def __init__(self, known=None):
            self.known = known

        def judge(self, described):
            if self.known is None:
                return described[:, 0]
            values, right = self.known
            return right[(described - values).abs().argmin(1)]

        def fit(self, described, answers, rng):
            return ByHeart((described[:, 0], torch.from_numpy(answers.little_right).float()))

    evaluator.labels = stream(5, "noise").integers(0, 4, len(evaluator.labels))
    scores = Scores(evaluator, Prices(pairs, routers=(ByHeart(),)), 0)
    little = Subnet(pairs.space.smallest())
    right = evaluator.evaluate(little).right
    score = scores.of(0, little, 2).score
    described = evaluator.describe(ByHeart(), little, 2)
    by_heart = ByHeart().fit(described, Answers(evaluator.logits(little), None, evaluator.labels), None)
    assert auroc(by_heart.judge(described).numpy(), right) == 1
    assert 0.25 < auroc(score, right) < 0.75


def small_evaluator(folder, coupling=NestedPairs, name="weights", seed=1):
    """Of untrained weights and 20 drawn images, 24 more for the batch norms."""
    table = MobileNet.Options(preset="digits", axes={"depth": [1, 2], "kernel": [3]})
    net = MobileNet.supernet(MobileNet.space(table, 8, 4), (0.5,) * 3, (0.25,) * 3, stream(0, "init"), table)
    rng = stream(seed, "images")
    pixels = torch.from_numpy(rng.integers(0, 256, (44, 3, 8, 8), dtype=np.uint8))
    val = Images(pixels[:20], torch.from_numpy(rng.integers(0, 4, 20)))
    options = options_for("search", recalibration_images=24, batch_size=8)
    return Evaluator(PairSupernet(coupling(net.space), net), pixels[20:], val, folder, options, name)


def test_a_killed_search_learns_nothing_twice(tmp_path, routers, monkeypatch, search):
    """What a router learned for a little is kept, until weights, seed or the router itself are others."""
    told, fits = [], []
    options = replace(OPTIONS, evaluations=4, population=4)

    class Counting(type(routers[2])):
        def describe(self, seen):
            return seen.mean((2, 3))

        def fit(self, described, answers, rng):
            fits.append(1)
            if len(fits) == kill:
                raise KeyboardInterrupt
            return super().fit(described, answers, rng)

    def searched(router, name="weights", seed=0):
        evaluator = small_evaluator(tmp_path, name=name)
        told.clear()
        fits.clear()
        pairs = evaluator.supernet.pairs
        return search(pairs, evaluator, options, (router,), seed, lambda *now, **figures: told.append((*now, figures)))

    kill = 5
    with pytest.raises(KeyboardInterrupt):
        searched(Counting())
    kill = 0
    result = searched(Counting())
    rest = len(fits)
    waited = [(done, total) for done, total, _ in told[4:-1]]
    scoring = next(place for place, (done, _) in enumerate(waited) if done == 0)  # routers are fitted before
    for piece in (waited[:scoring], waited[scoring:]):
        assert [done for done, _ in piece] == sorted({done for done, _ in piece})
    assert waited[-1][0] == waited[-1][1]
    assert all(figures["best_val_accuracy"] == told[3][2]["best_val_accuracy"] for _, _, figures in told[4:-1])
    assert searched(Counting()) == result and fits == []
    for changes in ({"name": "other weights"}, {"seed": 1}):
        searched(Counting(), **changes)
        assert len(fits) >= rest
    other = Counting()
    other.sign = 1.0
    searched(other)
    assert len(fits) == rest + 4


def test_ranks_keep_order_ties_and_what_is_not_a_number():
    np.testing.assert_array_equal(ranks(np.float32([3, 1, 3, np.nan])), np.float32([0.75, 0.25, 0.75, np.nan]))
    assert ranks(np.float32([])).shape == (0,)


def test_what_a_router_learns_needs_no_partner(pairs, evaluator, routers):
    """The largest arch stands in for every big."""
    seen = []

    class Seeing(type(routers[2])):
        def fit(self, described, answers, rng):
            seen.append(answers.big)
            return super().fit(described, answers, rng)

    scores = Scores(evaluator, Prices(pairs, routers=(Seeing(),)), 0)
    scores.of(0, Subnet(pairs.space.smallest()), 2)
    largest = evaluator.logits(Subnet(pairs.space.largest()))
    assert sorted(np.concatenate(seen).tolist()) == sorted(largest.tolist())


def test_the_router_is_a_gene(pairs, routers):
    """It is drawn, handed down and changed; an individual is judged by its own router alone."""
    problem = Problem(Goal(("accuracy", "expected_macs"), {}), Prices(pairs, routers=routers))
    strategy = Nsga2(problem, Nsga2.Options(population=8), 0)
    figures = {"expected_macs": np.array([3.0, 1.0]), "peak_macs": np.array([4.0, 2.0])}
    curves = Curves(np.ones(2), np.array([0.9, 0.8]), np.array([0, 2]), figures)

    def trial(candidate):
        return Trial(candidate, curves.best(problem.goal, 0.0, candidate.router), curves.best(problem.goal), {}, {})

    asked = []
    for _ in range(6):
        batch = strategy.ask(8)
        asked.append({candidate.router for candidate in batch})
        strategy.tell(list(map(trial, batch)))
    assert asked[0] == {0, 1, 2} and set.union(*asked[1:]) == {0, 1, 2}
    points = [curves.best(problem.goal, 0.0, router) for router in (0, 2, 1, None)]
    assert [(point.accuracy, point.figures["expected_macs"]) for point in points] == [
        (0.9, 3.0), (0.8, 1.0), (0.9, 3.0), (0.9, 3.0),
    ]  # fmt: skip
    bounded = replace(curves, figures=figures | {"peak_macs": np.array([4e7, 2e7])})
    assert bounded.best(Goal(("accuracy",), {"peak_macs": 3e7})).router == 2


def test_a_pair_without_shared_blocks_has_no_router_at_the_stem(pairs, evaluator, routers, search):
    """Pairs of one resolution are all that such a router leaves."""
    result = search(pairs, evaluator, OPTIONS, routers[2:], 0)
    assert all(pairs.shared(point.pair) and point.position == "stem" for point in result.front.points)
    apart = IndependentPairs(pairs.space)
    with pytest.raises(
        DuonasError, match="since its networks share no blocks: set the position of a router to 'input'"
    ):
        search(apart, evaluator, OPTIONS, routers[2:], 0)
    given = options_for("search", pair=GivenPair(little={"width": 0.5, "resolution": 24}))
    with pytest.raises(DuonasError, match=r"\[search.pair\] cannot be routed"):
        search(pairs, evaluator, given, routers[2:], 0)


def test_what_the_evaluator_describes_is_what_the_pair_sees(tmp_path, routers):
    """The stem of a little by itself is that of every pair that shares it, batch norms included."""
    evaluator, rng = small_evaluator(tmp_path), stream(2, "pair")
    supernet, val = evaluator.supernet, evaluator.images
    pair = supernet.pairs.sample(rng)
    little, big = supernet.pairs.subnets(pair)
    shared = supernet.pairs.shared(pair)
    facts = PairFacts.of(supernet.pairs, pair, analytic)
    net = Pair.join(evaluator.network(little), evaluator.network(big), facts)
    with torch.inference_mode():
        stem = net(val.pixels.float() / 255).stem
    assert shared
    for subnet in (little, big):
        torch.testing.assert_close(evaluator.describe(routers[2], subnet, shared), stem, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(evaluator.describe(routers[1], little, 0), val.pixels.float() / 255)
