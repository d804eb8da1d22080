"""Zero-cost metrics: their values by hand, contracts, and searches and filters by them."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.registry import find, names
from duonas.core.rng import stream
from duonas.core.trial import Candidate
from duonas.costs.analytic import analytic
from duonas.data.images import Images
from duonas.recipe.schema import parse
from duonas.routing.routers.confidence import Confidence
from duonas.search.filter import Filter
from duonas.search.goal import Goal
from duonas.search.metric import ArchFacts, find_filter, find_metric, metrics
from duonas.search.options import FilterOptions, SearchOptions
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.search import search
from duonas.search.strategies.nsga2 import Nsga2
from duonas.search.strategy import make_strategy
from duonas.search.untrained import UntrainedNetworks
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201
from duonas.spaces.uib import UIB
from duonas.testing import MetricContract

OWN = str(Path(__file__).parents[2] / "examples" / "own_proxy.py") + ":Contrast"
OPTIONS = SearchOptions(evaluations=12, strategy="random")
COLOURS = ((0.5,) * 3, (0.25,) * 3)
CELLS = NasBench201.space(NasBench201.Options(preset="nasbench201-small"), 32, 10)
EMPTY = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def value(name, network, images, labels=None):
    labels = torch.zeros(len(images), dtype=torch.long) if labels is None else labels
    return find("proxy", name)(name).of(network.train(), images, labels)


def linear(weights):
    layer = nn.Linear(len(weights[0]), len(weights), bias=False)
    layer.weight.data = torch.tensor(weights, dtype=torch.float32)
    return layer


def convolved(*weights):
    """1 x 1 convolutions of one channel."""
    layers = [nn.Conv2d(1, 1, 1, bias=False) for _ in weights]
    for layer, weight in zip(layers, weights, strict=True):
        layer.weight.data.fill_(weight)
    return layers


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.Hardswish, nn.GELU, nn.SiLU, None])
def test_naswot_counts_agreeing_signs_of_pre_activations(activation):
    weights = [[1.0, -1.0, 0.5], [0.5, 1.0, -1.0], [-1.0, 0.2, 0.3], [1.0, 1.0, -4.0]]
    images = torch.tensor([[1.0, -2.0, 0.5], [-1.0, 0.5, 2.0], [0.3, 1.0, -1.0]])
    body = nn.Sequential(linear(weights), *([activation()] if activation else []))
    network = nn.Sequential(body, nn.Sequential(linear([[1.0] * 4])))
    code = images.numpy() @ np.array(weights).T > 0
    kernel = np.array([[(a == b).sum() for b in code] for a in code], float)
    assert np.linalg.matrix_rank(kernel) == 3
    assert value("naswot", network, images) == pytest.approx(log(np.linalg.det(kernel)))


def test_synflow_of_a_chain_is_its_length_times_the_product_of_its_weights():
    """Norms, activations and signs leave it alone; 2 * 3 * 0.5 flows through three layers."""
    first, second = convolved(2.0, -3.0)
    chain = nn.Sequential(first, nn.BatchNorm2d(1), nn.Hardswish(), second, nn.ReLU6(), nn.Flatten(), linear([[-0.5]]))
    assert value("synflow", chain, torch.zeros(2, 1, 1, 1)) == pytest.approx(log(1 + 3 * 2 * 3 * 0.5))


def test_synflow_of_a_deep_network_is_finite():
    deep = nn.Sequential(*convolved(*[1e6] * 40), nn.Flatten())
    assert value("synflow", deep, torch.zeros(2, 1, 1, 1)) == pytest.approx(log(40) + 40 * log(1e6))


def test_jacob_cov_is_one_without_correlation_and_all_but_zero_where_all_gradients_are_equal():
    seen = torch.tensor([[1.0, 1.0, -1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]])
    gated = nn.Sequential(nn.ReLU(), linear([[1.0, -1.0, 1.0, -1.0]]))
    assert value("jacob_cov", gated, seen) == pytest.approx(1)
    small, both = 1e-5, 2 + 1e-5
    least = 2 / (log(both) + 1 / both + log(small) + 1 / small)
    assert value("jacob_cov", linear([[1.0, -1.0, 1.0, -1.0]]), seen) == pytest.approx(least, rel=1e-6)
    assert value("jacob_cov", linear([[0.0] * 4]), seen) == 0
    assert np.isnan(
        value("jacob_cov", nn.Sequential(nn.ReLU(), linear([[1.0, -1.0]])), torch.tensor([[1.0, -1], [-1, -1]]))
    )


def test_grad_norm_of_a_linear_layer_is_that_of_the_softmax_regression():
    weights, images, labels = [[1.0, 2.0], [0.5, -1.0]], torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([1, 0])
    logits = images.numpy() @ np.array(weights).T
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    gradient = (chances - np.eye(2)[labels]).T @ images.numpy() / 2
    assert value("grad_norm", linear(weights), images, labels) == pytest.approx(np.linalg.norm(gradient))


def depth(pairs_space, arch):
    blocks = pairs_space.blocks(arch)
    return find_metric("depth").value(ArchFacts(None, blocks, analytic(blocks)))


def test_the_depth_of_a_cell_is_that_of_its_longest_path():
    """Of three stages; a path that does not reach the output does not count."""
    around = depth(CELLS, CELLS.arch(cell=EMPTY))
    chain = EMPTY.replace("|none~0|+", "|nor_conv_3x3~0|+").replace("none~1|+", "nor_conv_1x1~1|+")
    assert depth(CELLS, CELLS.arch(cell=chain)) == around
    assert depth(CELLS, CELLS.arch(cell=chain.replace("none~2", "skip_connect~2"))) == around + 3 * 2
    both = chain.replace("none~2", "nor_conv_3x3~2").replace("+|none~0|none~1|nor", "+|nor_conv_1x1~0|none~1|nor")
    assert depth(CELLS, CELLS.arch(cell=both)) == around + 3 * 3


class Sizes(MetricContract):
    called = ""

    def metric(self):
        return find_metric(self.called)

    def pairs(self):
        return pair_space(MobileNet.space(MobileNet.Options(preset="digits"), 8, 10), "sibling")


class TestNaswot(Sizes):
    called = "naswot"


class TestJacobCov(Sizes):
    called = "jacob_cov"


class TestSynflow(Sizes):
    called = "synflow"


class TestGradNorm(Sizes):
    called = "grad_norm"


class TestDepth(Sizes):
    called = "depth"


class TestOwn(Sizes):
    called = OWN


class TestNaswotOfUib(TestNaswot):
    def pairs(self):
        return pair_space(UIB.space(UIB.Options(), 8, 10))


@pytest.mark.parametrize("name", names("proxy"))
def test_a_cell_that_lets_nothing_through_has_a_figure_below_that_of_one_with_convolutions(name):
    untrained = UntrainedNetworks.rehearsal(32, 10)

    def of(cell):
        blocks = CELLS.blocks(CELLS.arch(cell=cell))
        pairs = pair_space(CELLS)
        (subnet, *_) = pairs.subnets(pairs.sample(stream(0)))
        return untrained.value(find_metric(name), ArchFacts(replace(subnet, arch=CELLS.arch(cell=cell)), blocks, None))

    assert 0 <= of(EMPTY) < of(EMPTY.replace("none", "nor_conv_3x3"))


@pytest.fixture
def images(pairs):
    side = pairs.space.image_size
    pixels = stream(0, "pixels").integers(0, 256, (100, 3, side, side), np.uint8)
    return Images(torch.from_numpy(pixels), torch.arange(100) % 4)


@pytest.fixture
def untrained(images, tmp_path):
    return lambda folder=tmp_path / "proxies": UntrainedNetworks(images, COLOURS, 0, folder)


def searched(pairs, evaluator, options, untrained):
    objectives = options.objectives or ("accuracy", "expected_macs", "peak_macs")
    problem = Problem(Goal(objectives, options.constraints), Prices(pairs, routers=(Confidence(),)))
    return search(problem, evaluator, options, 0, untrained=untrained)


@pytest.mark.parametrize("name", ["naswot", OWN])
def test_a_proxy_is_objective_and_constraint(name, pairs, evaluator, untrained):
    """Of a pair the worse figure counts, and a constraint is the least."""
    objectives = ("accuracy", "expected_macs", name)
    few = replace(OPTIONS, evaluations=5)
    found = searched(pairs, evaluator, replace(few, objectives=objectives), untrained())
    known = {row["arch"]: row[name] for row in found.archs}
    assert len(set(known.values())) > 1
    assert all(row[name] == min(known[row["little"]], known[row["big"]]) for row in found.trials)
    least = float(np.median([row[name] for row in found.trials]))
    bounded = searched(pairs, evaluator, replace(few, constraints={name: least}), untrained())
    assert bounded.front.points and all(point.figures[name] >= least for point in bounded.front.points)


def test_depth_is_a_constraint_that_is_kept_before_any_evaluation(pairs, evaluator, untrained):
    found = searched(pairs, evaluator, replace(OPTIONS, constraints={"depth": 13.0}), None)
    free = searched(pairs, evaluator, OPTIONS, None)
    depths = [depth(pairs.space, subnet.arch) for subnet in evaluator.asked]
    assert min(row["depth"] for row in found.trials) >= 13 > min(depths) and "depth" not in free.trials[0]
    with pytest.raises(DuonasError, match=r"depth = 99 cannot be met: the largest value of any pair found is"):
        searched(pairs, evaluator, replace(OPTIONS, constraints={"depth": 99.0}), None)


def test_figures_are_cached_until_what_they_depend_on_changes(pairs, evaluator, images, untrained, tmp_path):
    options, folder = replace(OPTIONS, evaluations=3, objectives=("accuracy", OWN)), tmp_path / "proxies"
    first = untrained()
    found = searched(pairs, evaluator, options, first)
    archs = len(list(folder.iterdir()))
    assert first.new == archs == len(found.archs) == first.effort[OWN]["archs"]
    assert first.effort[OWN]["seconds_an_arch"] > 0
    again = untrained()
    assert searched(pairs, evaluator, options, again) == found and again.new == 0
    next(iter(folder.iterdir())).write_text("{")
    other = replace(images, pixels=images.pixels.flip(0))
    for changed, new in ((untrained(), 1), (UntrainedNetworks(images, COLOURS, 1, folder), archs),
                         (UntrainedNetworks(other, COLOURS, 1, folder), archs)):  # fmt: skip
        searched(pairs, evaluator, options, changed)
        assert changed.new == new


def test_images_that_are_equal_count_once(images, pairs):
    """Else two codes were equal, and no kernel had a determinant."""
    twice = Images(torch.cat([images.pixels] * 2), torch.cat([images.labels] * 2))
    subnet = pairs.subnets(pairs.sample(stream(0)))[0]
    facts = ArchFacts(subnet, pairs.blocks(subnet), None)
    assert np.isfinite(UntrainedNetworks(twice, COLOURS, 0).value(find_metric("naswot"), facts))
    one = Images(images.pixels[:1].repeat(3, 1, 1, 1), images.labels[:3])
    with pytest.raises(DuonasError, match="needs two training images that differ"):
        UntrainedNetworks(one, COLOURS, 0).value(find_metric("naswot"), facts)


@pytest.mark.parametrize(
    "strategy",
    ["random", "nsga2", "evolution", "sequential", "moead", pytest.param("predictor", marks=pytest.mark.slow)],
)
def test_with_a_filter_every_strategy_evaluates_as_many_pairs_as_are_asked_for(strategy, pairs, evaluator):
    options = replace(OPTIONS, strategy=strategy, evaluations=30, filter=FilterOptions("depth", 0.5))
    found = searched(pairs, evaluator, options, None)
    assert len(found.trials) == 30
    assert searched(pairs, evaluator, options, None) == found


def test_the_filter_keeps_the_pairs_whose_networks_rank_highest_together(pairs, evaluator):
    options = replace(OPTIONS, filter=FilterOptions("depth", 0.25))
    found = searched(pairs, evaluator, options, None)
    problem = Problem(Goal(("accuracy",), {}), Prices(pairs))
    proposed = [each.pair for each in make_strategy(problem, OPTIONS, 0).ask(48)]
    depths = np.array([[depth(pairs.space, each) for each in (pair.little, pair.big)] for pair in proposed])
    ranks = sum((column[:, None] > column).sum(1) + (column[:, None] == column).sum(1) / 2 for column in depths.T)
    kept = np.sort(np.argsort(-ranks, kind="stable")[:12])
    assert [(row["little"], row["big"]) for row in found.trials] == [
        tuple(subnet.id for subnet in pairs.subnets(proposed[place])) for place in kept
    ]


def test_one_evaluation_of_many_proposals_is_a_search_by_a_proxy_alone(pairs, evaluator, untrained):
    options = replace(OPTIONS, evaluations=1, filter=FilterOptions("naswot", 0.1))
    first = untrained()
    found = searched(pairs, evaluator, options, first)
    assert len(found.trials) == 1 and len(found.archs) == 2 < first.new


def test_a_killed_search_with_a_filter_run_again_is_one_that_never_was(
    pairs, evaluator, untrained, tmp_path, monkeypatch
):
    options = Nsga2.Options(evaluations=6, population=4, filter=FilterOptions(OWN, 0.4))
    whole = searched(pairs, evaluator, options, untrained(tmp_path / "whole"))
    count, original = [], UntrainedNetworks._computed

    def computed(self, *arguments):
        count.append(1)
        if len(count) == 7:
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(UntrainedNetworks, "_computed", computed)
    with pytest.raises(KeyboardInterrupt):
        searched(pairs, evaluator, options, untrained())
    assert searched(pairs, evaluator, options, untrained()) == whole
    assert (
        len(count) == len(list((tmp_path / "whole").iterdir())) + 1 + 2
    )  # the killed one, and a rehearsal of each search


def test_progress_is_told_while_a_filter_computes(pairs, evaluator, untrained):
    problem = Problem(Goal(("accuracy", "expected_macs"), {}), Prices(pairs))
    told, options = [], replace(OPTIONS, evaluations=3, filter=FilterOptions(OWN, 0.5))
    first = untrained()
    search(problem, evaluator, options, 0, lambda done, total, **_: told.append((done, total)), untrained=first)
    assert told[: first.new] == [(0, 3)] * first.new > []


ODD = """
from duonas.search.proxy import Proxy

class Odd(Proxy):
    def of(self, network, images, labels):
        return {}
"""


def test_a_proxy_that_gives_no_number_is_named_with_its_arch(pairs, evaluator, tmp_path, untrained):
    """Before the search where it never gives one, else at the arch."""
    own = tmp_path / "own.py"
    own.write_text(ODD.format("float('nan')"))
    message = r"metric .*own.py:Odd: value\(\) must return one finite number, got nan, for the untrained network"
    for options in (replace(OPTIONS, objectives=("accuracy", f"{own}:Odd")),
                    replace(OPTIONS, filter=FilterOptions(f"{own}:Odd"))):  # fmt: skip
        with pytest.raises(DuonasError, match=message):
            searched(pairs, evaluator, options, untrained())
    assert not evaluator.asked
    later = tmp_path / "later.py"
    later.write_text(ODD.format("1.0 if len(images) == 16 else float('-inf')"))
    with pytest.raises(DuonasError, match=r"later.py:Odd: .* got -inf, for the untrained network of arch \w{8}"):
        searched(pairs, evaluator, replace(OPTIONS, filter=FilterOptions(f"{later}:Odd")), untrained())


def test_given_networks_have_no_proxies(pairs, monkeypatch):
    monkeypatch.setattr(pairs, "coupling", "given")
    with pytest.raises(DuonasError, match="metric naswot: networks that are given have no untrained form"):
        Problem(Goal(("accuracy", "naswot"), {}), Prices(pairs)).check()


def test_a_recipe_names_a_filter_or_is_refused(tmp_path):
    found = parse({"search": {"filter": {"metric": "naswot", "keep": "25%"}}}).search.filter
    assert found == FilterOptions("naswot", 0.25) and parse({}).search.filter is None
    for table, message in (
        ({"metric": "nasvot"}, r"no filter 'nasvot': did you mean 'naswot'"),
        ({"metric": "expected_macs"}, "by 'expected_macs', which is no figure of single archs or is only known after"),
        ({"metric": "balanced_accuracy"}, "choose from depth, grad_norm, jacob_cov, naswot, synflow"),
        ({"keep": 0}, "keep"),
        ({"keep": 1.5}, "keep"),
    ):
        with pytest.raises(DuonasError, match=message):
            parse({"search": {"filter": table}})


def test_every_proxy_is_a_metric_whose_file_is_imported_when_it_judges():
    assert set(names("proxy")) == {"naswot", "jacob_cov", "synflow", "grad_norm"} <= set(metrics())
    assert all(find_metric(name).untrained and find_metric(name).late for name in names("proxy"))


@pytest.mark.parametrize("metric", ["params", "macs"])
def test_a_filter_by_size_keeps_the_largest(metric, pairs):
    prices, drawn = Prices(pairs), [Candidate(pairs.sample(stream(seed))) for seed in range(20)]
    kept = Filter(FilterOptions(metric, 0.25), pairs, prices.arch_value).best(lambda n: drawn[:n], 5)

    def size(candidate):
        return sum(getattr(prices.subnet(each), metric) for each in pairs.subnets(candidate.pair))

    assert len(kept) == 5 and np.mean([*map(size, kept)]) > np.mean([*map(size, drawn)])
    with pytest.raises(DuonasError, match="params, macs, or your own"):
        find_filter("expected_macs")
