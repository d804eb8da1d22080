"""What is known before any training: sizes, spreads, and what cannot be met."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import duonas
from duonas.core.couplings import NestedPairs
from duonas.core.errors import DuonasError
from duonas.costs.analytic import analytic
from duonas.costs.block_table import write_block_table
from duonas.costs.distinct import distinct_blocks
from duonas.data.splits import load_splits
from duonas.runtime.energy import GivenPower
from duonas.runtime.meters import Found
from duonas.spaces.mobilenet import MobileNet


def test_counts_are_exact_and_spreads_are_those_of_the_extremes():
    profile = duonas.profile(duonas.load_recipe("digits"))
    space = MobileNet.space(MobileNet.Options(preset="digits"), 8, 10)
    assert profile.archs == space.size() and profile.pairs == NestedPairs(space).size()
    macs = profile.figures["macs"]
    assert macs.least == analytic(space.blocks(space.smallest())).macs
    assert macs.most == analytic(space.blocks(space.largest())).macs
    assert macs.least < macs.median < macs.most
    assert set(profile.figures) == {"macs", "params", "weight_bytes", "peak_memory_bytes"}


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
def test_pairs_are_counted_exactly_for_every_coupling(coupling):
    """Against walking through all pairs of a space that is small enough."""
    axes = "space.axes={depth = [1, 2], kernel = [3], expansion = [1, 2], width = [0.5, 1.0]}"
    profile = duonas.profile(duonas.load_recipe("digits", [axes, f"pair.coupling={coupling}"]))
    table = MobileNet.Options(
        preset="digits", axes={"depth": [1, 2], "kernel": [3], "expansion": [1, 2], "width": [0.5, 1.0]}
    )
    space = MobileNet.space(table, 8, 10)
    archs = list(space.archs())
    assert profile.archs == len(archs) == 144
    early = [[arch.get(name, -1) for name, axis in space.axes.items() if axis.stage <= 1] for arch in archs]
    both = [(i, j) for i in range(144) for j in range(144)]
    assert profile.couplings == {
        "nested": sum(i != j and space.contains(archs[j], archs[i]) for i, j in both),
        "sibling": len(both),
        "independent": len(both),
        "partial": sum(early[i] == early[j] for i, j in both),
    }
    assert profile.pairs == profile.couplings[coupling] and profile.splits == (1,)


def test_split_points_are_the_recipes():
    recipe = ["space.preset=cifar-small", "data.image_size=32", "pair.coupling=partial"]
    every, one = (
        duonas.profile(duonas.load_recipe("digits", [*recipe, *splits])) for splits in ([], ["pair.splits=[2]"])
    )
    assert (every.splits, one.splits) == ((1, 2), (2,))
    assert every.pairs > one.pairs and every.couplings["sibling"] == one.couplings["sibling"]


def test_it_says_what_the_fastest_pair_takes_and_refuses_less(tmp_path):
    """By MACs without a device table, by its times with one; a limit just above the least is no reason to refuse."""
    axes = "space.axes={depth = [1, 2], kernel = [3], expansion = [1, 2], width = [0.5, 1.0]}"
    counted = duonas.profile(duonas.load_recipe("digits", [axes]))
    assert list(counted.possible) == ["expected_macs", "peak_macs", "weight_bytes", "peak_memory_bytes"]
    space = MobileNet.space(duonas.load_recipe("digits", [axes]).space, 8, 10)
    figures = {block: {"latency_ms": 0.001 + block.macs / 50e6} for block in distinct_blocks(NestedPairs(space))}
    table = write_block_table(tmp_path / "board.csv", figures, {"device": "a board"})

    def profiled(*overrides):
        return duonas.profile(duonas.load_recipe("digits", [axes, f"search.device.table={table}", *overrides]))

    timed = profiled()
    least = {name: timed.possible[name] for name in ("expected_latency_ms", "peak_latency_ms")}
    blocks = space.blocks(space.smallest())
    assert least["expected_latency_ms"] == pytest.approx(sum(0.001 + block.macs / 50e6 for block in blocks))
    assert least["expected_latency_ms"] < least["peak_latency_ms"]
    assert counted.possible["weight_bytes"] == timed.possible["weight_bytes"]
    for name, figure in [*least.items(), ("p95_latency_ms", least["expected_latency_ms"])]:
        refused = profiled(f"search.constraints.{name}={0.99 * figure}").refusal
        assert refused is not None and f"the fastest pair found needs {figure:.6g} ms" in refused
        assert profiled(f"search.constraints.{name}={1.01 * figure}").refusal is None
    assert profiled("route.share=", f"route.budget={1.01 * least['expected_latency_ms']}ms").refusal is None
    with pytest.raises(DuonasError, match=r"\[route\] budget = 1.0ms needs a device table with figures of latency_ms"):
        duonas.profile(duonas.load_recipe("digits", [axes, "route.share=", "route.budget=1ms"]))


def test_it_says_which_constraints_can_be_met():
    constraints = ["search.constraints.peak_macs=10", "search.constraints.params=1e6", "route.budget=300000"]
    found = {c.name: c for c in duonas.profile(duonas.load_recipe("digits", constraints)).constraints}
    assert not found["peak_macs"].met and "the smallest pair of the space needs" in found["peak_macs"].why
    assert found["params"].met and found["expected_macs"].met  # a routing budget is a constraint of the search


@pytest.mark.parametrize(
    ("constraints", "refusal"),
    [
        ({"peak_macs": 1e9, "params": 1e6}, None),
        ({"peak_macs": 10, "params": 1e6}, r"\[search\] constraint peak_macs = 10 cannot be met: the smallest pair"),
    ],
)
def test_it_is_refused_as_a_run_would_be(constraints, refusal):
    overrides = [f"search.constraints.{name}={limit:g}" for name, limit in constraints.items()]
    found = duonas.profile(duonas.load_recipe("digits", overrides)).refusal
    assert found is None if refusal is None else re.match(refusal, found)


def test_what_cannot_be_met_is_refused_before_any_training(tmp_path):
    recipe = duonas.load_recipe("digits", ["search.constraints.peak_macs=10"])
    with pytest.raises(
        DuonasError, match=r"constraint peak_macs = 10 cannot be met: the smallest pair .* needs [\d,]+; relax it"
    ):
        duonas.run(recipe, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_after_an_impossible_constraint_the_same_folder_takes_the_corrected_recipe(tmp_path):
    with pytest.raises(DuonasError, match=r"constraint \(or \[route\] budget\) expected_macs = 10 cannot be met"):
        duonas.run(duonas.load_recipe("digits", ["route.budget=10"]), tmp_path / "run")
    assert not (tmp_path / "run" / "recipe.toml").exists()
    with pytest.raises(
        DuonasError,
        match=r"peak_macs = 10 cannot be met: .* remove it by an empty value: `--set search.constraints.peak_macs=`",
    ):
        duonas.run(duonas.load_recipe("digits", ["search.constraints.peak_macs=10"]), tmp_path / "run")


@pytest.mark.parametrize(
    ("route", "refusal"),
    [
        (
            {"floor": 0.9999},
            r"\[route\] floor = 99.99% \(an accuracy floor\) can never be guaranteed with 95% confidence",
        ),
        ({"floor": 0.95, "floor_on": "worst_class"}, r"of them of class .* at least 118 calib images of every class"),
        ({"budget": 10, "budget_in_search": False}, r"expected_macs = 10 cannot be met"),
        ({"floor": 0.5}, None),
    ],
)
def test_a_target_that_no_pair_could_meet_is_refused_before_any_training(route, refusal, tmp_path):
    recipe = duonas.load_recipe("digits")
    recipe = replace(recipe, route=replace(recipe.route, share=None, **route))
    found = duonas.profile(recipe).refusal
    if refusal is None:
        assert found is None
        return
    assert re.search(refusal, found)
    with pytest.raises(DuonasError, match=re.escape(found)):
        duonas.run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("overrides", "refusal"),
    [
        (
            ["space.name=nasbench201", "space.preset=nasbench201-small", "train.resolution=batch"],
            "an axis 'resolution'",
        ),
        (["space.weights=kshot", "train.rule=progressive"], "needs weights that all archs share"),
        (["route.router=learned", "route.position=stem", "finetune.mode=independent"], "needs a stem that both"),
        (["route.router=learned", "route.learned.joint=keep"], "needs a gate that was trained with the pair"),
        (["train.rule=cotrain", "train.loss.cost=1", "train.loss.cost_budget=10"], "below the smallest pair's"),
    ],
)
def test_it_refuses_whatever_a_run_refuses_before_any_training(overrides, refusal, tmp_path):
    recipe = duonas.load_recipe("digits", overrides)
    found = duonas.profile(recipe).refusal
    assert refusal in found
    with pytest.raises(DuonasError, match=re.escape(found)):
        duonas.run(recipe, tmp_path / "run")


@pytest.mark.parametrize("hint", ["", "energy_uj can be read by root only."])
def test_an_energy_without_a_meter_is_refused_before_any_training(hint, tmp_path, monkeypatch):
    monkeypatch.setattr("duonas.pipeline.check.find_meter", lambda watts: Found(watts and GivenPower(watts), hint))
    found = duonas.profile(duonas.load_recipe("digits", ["route.energy=3mJ"])).refusal
    assert found.startswith("[route] energy: this machine has no energy meter that can be read: give") and hint in found
    with pytest.raises(DuonasError, match=re.escape(found)):
        duonas.run(duonas.load_recipe("digits", ["route.energy=3mJ"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert duonas.profile(duonas.load_recipe("digits", ["route.energy=3mJ", "route.watts=5"])).refusal is None


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("None", r"baseline .*own.py:Odd: AttributeError"),
        ("nn.Flatten()", r"own.py:Odd: its logits have shape \(2, 192\), expected \(2, 10\)"),
        ("1 / 0", "own.py:Odd: ZeroDivisionError: division by zero"),
    ],
)
def test_a_baseline_of_ones_own_is_tried_before_any_training(answer, message, tmp_path):
    (tmp_path / "own.py").write_text(
        "from torch import nn\n"
        "from duonas.baselines.baseline import Baseline\n"
        "class Odd(Baseline):\n"
        f"    def build(self, classes, image_size, mean, std): return {answer}\n"
    )
    overrides = [f'baselines.networks=["{tmp_path}/own.py:Odd"]']
    assert re.search(message, duonas.profile(duonas.load_recipe("digits", overrides)).refusal)


def test_the_highest_floor_that_it_names_is_possible_and_no_higher_one():
    recipe = duonas.load_recipe("digits")
    promise = duonas.profile(recipe).promise
    calib = load_splits(recipe.data, recipe.seed).calib
    assert promise.images == -(-len(calib) // 2) and promise.floor == pytest.approx(0.05 ** (1 / promise.images))
    for floor, refused in ((promise.floor, False), (promise.floor + 1e-6, True)):
        route = replace(recipe.route, share=None, floor=floor)
        assert (duonas.profile(replace(recipe, route=route)).refusal is not None) is refused


def test_a_preset_for_other_images_is_doubted():
    recipe = duonas.load_recipe("digits")
    assert duonas.profile(recipe).advice == ""
    other = replace(recipe, space=replace(recipe.space, preset="cifar"))
    assert "for images of 32 x 32 pixels, but these have 8 x 8" in duonas.profile(other).advice
