"""Metrics: what there is, contracts, and a search by metrics of the user's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.registry import find
from duonas.recipe.read import load
from duonas.recipe.schema import parse
from duonas.routing.routers.confidence import Confidence
from duonas.search.goal import Goal
from duonas.search.metric import find_metric, metrics
from duonas.search.options import SearchOptions
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.spaces.mobilenet import MobileNet
from duonas.testing import MetricContract

OPTIONS = SearchOptions(evaluations=24)
ROUTERS = (Confidence("margin"),)
LAUNCHES = str(Path(__file__).parents[2] / "examples" / "own_metric.py") + ":Launches"
OWN = """
from duonas.search.metric import ArchMetric, PairMetric

class Spread(PairMetric):
    '''How much larger big is than little.'''
    direction = "max"
    def value(self, pair, little_share=1.0):
        return pair.big["macs"] / pair.little["macs"]

class Load(PairMetric):
    '''The root of the mean MACs.'''
    varies = True
    def value(self, pair, little_share=1.0):
        return pair.parts["macs"].expected(little_share) ** 0.5

class Sure(ArchMetric):
    '''The mean of the largest logit.'''
    direction = "max"
    dear = True
    def value(self, arch):
        return float(arch.logits.max(1).mean())
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return lambda name: f"{tmp_path}/own.py:{name}"


class Contract(MetricContract):
    called = ""

    def metric(self):
        return find_metric(self.called)

    def pairs(self):
        return pair_space(MobileNet.space(MobileNet.Options(preset="digits"), 8, 10), "sibling")


class TestLaunches(Contract):
    called = LAUNCHES


class TestExpected(Contract):
    called = "expected_macs"


class TestWeightBytes(Contract):
    called = "weight_bytes"


class TestBigParams(Contract):
    called = "big_params"


class TestBalanced(Contract):
    called = "balanced_accuracy"


class TestWorstClass(Contract):
    called = "worst_class_accuracy"


def test_the_balanced_accuracy_of_a_pair_is_that_of_its_worse_network(pairs, evaluator, search):
    objectives = ("accuracy", "balanced_accuracy", "worst_class_accuracy")
    options = replace(OPTIONS, objectives=objectives, constraints={"balanced_accuracy": 0.2})
    result = search(pairs, evaluator, options, ROUTERS, 0)
    known = {row["arch"]: row for row in result.archs}
    for row in result.trials:
        members = [known[row[role]] for role in ("little", "big")]
        for name in ("balanced_accuracy", "worst_class_accuracy"):
            assert row[name] == min(each[name] for each in members)
        assert row["worst_class_accuracy"] <= row["balanced_accuracy"]
    assert all(point.figures["balanced_accuracy"] >= 0.2 for point in result.front.points)


def test_a_share_above_one_is_refused():
    with pytest.raises(DuonasError, match=r"constraint balanced_accuracy = 80 must be at most 1, or a share such as"):
        parse({"search": {"constraints": {"balanced_accuracy": 80}}})
    assert parse({"search": {"constraints": {"balanced_accuracy": "80%"}}}).search.constraints == {
        "balanced_accuracy": 0.8
    }


def test_every_shipped_metric_has_a_name_of_its_own():
    assert {"accuracy", "expected_macs", "peak_latency_ms", "params", "weight_bytes", "little_energy_mj"} <= set(
        metrics()
    )
    assert all(find_metric(name) is metric for name, metric in metrics().items())


def test_an_own_metric_of_archs_is_objective_and_constraint(pairs, evaluator, search):
    """Of a pair the larger of its archs' figures counts."""
    objectives = ("accuracy", "expected_macs", LAUNCHES)
    free = search(pairs, evaluator, replace(OPTIONS, objectives=objectives), ROUTERS, 0)
    layers = [[sum(layer.kind != "norm" for block in pairs.space.blocks(arch) for layer in block.layers)
               for arch in (point.pair.little, point.pair.big)] for point in free.front.points]  # fmt: skip
    assert [point.figures[LAUNCHES] for point in free.front.points] == list(map(max, layers))
    assert len(set(map(max, layers))) > 1 and LAUNCHES in free.trials[0] and LAUNCHES in free.archs[0]
    limit = float(np.median(list(map(max, layers))))
    bounded = search(pairs, evaluator, replace(OPTIONS, strategy="random", constraints={LAUNCHES: limit}), ROUTERS, 0)
    assert all(point.figures[LAUNCHES] <= limit for point in bounded.front.points)
    assert all(row[LAUNCHES] <= limit for row in bounded.trials)
    with pytest.raises(DuonasError, match=r"own_metric.py:Launches = 3 cannot be met: the smallest pair found needs"):
        search(pairs, evaluator, replace(OPTIONS, constraints={LAUNCHES: 3.0}), ROUTERS, 0)


def test_metrics_of_pairs_and_of_answers_that_are_maximised(pairs, evaluator, search, own):
    """A constraint is then the least; a dear one is held once archs are evaluated."""
    spread, sure = own("Spread"), own("Sure")
    options = replace(OPTIONS, objectives=("accuracy", spread), constraints={spread: 3.0})
    found = search(pairs, evaluator, options, ROUTERS, 0)
    macs = {row["arch"]: row["macs"] for row in found.archs}
    assert all(row[spread] == macs[row["big"]] / macs[row["little"]] >= 3 for row in found.trials)
    assert all(point.figures[spread] >= 3 for point in found.front.points)
    free = search(pairs, evaluator, replace(OPTIONS, objectives=("accuracy", sure)), ROUTERS, 0)
    known = {row["arch"]: row[sure] for row in free.archs}
    assert all(row[sure] == min(known[row["little"]], known[row["big"]]) for row in free.trials)
    least = float(np.median([row[sure] for row in free.trials]))
    bounded = search(pairs, evaluator, replace(OPTIONS, constraints={sure: least}), ROUTERS, 0)
    assert bounded.front.points and all(point.figures[sure] >= least for point in bounded.front.points)
    assert 0 < bounded.front.hypervolume <= 1 and 0 < free.front.hypervolume <= 1


def test_a_recipe_names_metrics_or_is_refused():
    for key, value in (("objectives", ["accuracy", "weight_byte"]), ("constraints", {"weight_byte": 3e5})):
        with pytest.raises(DuonasError, match=r"no (objective|constraint) 'weight_byte': did you mean 'weight_bytes'"):
            parse({"search": {key: value}})
    assert parse({"search": {"constraints": {LAUNCHES: 30}}}).search.constraints == {LAUNCHES: 30}
    with pytest.raises(DuonasError, match="Lunches"):
        parse({"search": {"objectives": ["accuracy", LAUNCHES.replace("Launches", "Lunches")]}})


def test_at_most_so_many_bytes_of_weights_can_be_said(pairs, evaluator, search):
    """Of both networks, what they share once."""
    lowest = Problem(Goal(("accuracy",), {"weight_bytes": 1.0}), Prices(pairs)).lowest("weight_bytes")
    result = search(pairs, evaluator, replace(OPTIONS, constraints={"weight_bytes": 3 * lowest}), ROUTERS, 0)
    assert all(row["weight_bytes"] <= 3 * lowest for row in result.trials)
    assert all(point.to_json()["weight_bytes"] <= 3 * lowest for point in result.front.points)


def test_at_most_so_many_ms_at_p95_and_so_many_bytes_can_be_said_in_a_line(pairs, evaluator, search, timed):
    """Of the front and of every trial; a third constraint, on the mean time, is kept beside them."""
    line = 'search.constraints={ p95_latency_ms = "0.2 ms", weight_bytes = "250KB", expected_latency_ms = "0.19ms" }'
    constraints = load("digits", [line]).search.constraints
    assert constraints == {"p95_latency_ms": 0.2, "weight_bytes": 250e3, "expected_latency_ms": 0.19}
    found = search(pairs, evaluator, replace(OPTIONS, constraints=constraints), ROUTERS, 0, model=timed(0.005, 0.01))
    assert found.front.objectives == ("accuracy", "expected_latency_ms", "peak_latency_ms")
    most = 0
    points = [point.figures | {"little_share": point.little_share} for point in found.front.points]
    for figures in [*points, *found.trials]:
        assert all(figures[name] <= limit for name, limit in constraints.items())
        assert figures["little_share"] >= 0.95 or figures["peak_latency_ms"] <= 0.2
        most += figures["peak_latency_ms"] > 0.2
    assert most


def test_a_metric_of_ones_own_that_varies_is_kept_at_the_thresholds_of_the_front(pairs, evaluator, search, own):
    load = own("Load")
    found = search(pairs, evaluator, replace(OPTIONS, strategy="random", constraints={load: 730.0}), ROUTERS, 0)
    loads = [point.figures[load] for point in found.front.points]
    assert 700 < max(loads) <= 730


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("strategy", "from duonas.search.strategy import Strategy\nclass X(Strategy): ...", "does not define ask"),
        ("metric", "from duonas.search.metric import ArchMetric\nclass X(ArchMetric): ...", "does not define value"),
        ("metric", "from duonas.search.metric import Metric\nclass X(Metric): ...", "subclass ArchMetric or Pair"),
    ],
)
def test_an_incomplete_part_of_ones_own_is_refused(tmp_path, kind, text, message):
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(DuonasError, match=message):
        find(kind, f"{tmp_path / 'own.py'}:X")


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')", "None", "'3'", "[1.0, 2.0]", "10**400", "1j"])
@pytest.mark.parametrize("dear", [False, True])
def test_a_metric_of_ones_own_that_is_not_one_number_is_refused_before_the_search(value, dear, pairs, tmp_path):
    (tmp_path / "own.py").write_text(
        "from duonas.search.metric import ArchMetric\n"
        "class Odd(ArchMetric):\n"
        f"    dear = {dear}\n"
        f"    def value(self, arch): return {value}\n"
    )
    goal = Goal(("accuracy", f"{tmp_path}/own.py:Odd"), {})
    with pytest.raises(DuonasError, match=r"metric .*own.py:Odd: value\(\) must return one finite number, got"):
        Problem(goal, Prices(pairs)).check()
