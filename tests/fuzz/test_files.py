"""A damaged file of a run is one sentence, however it is damaged. The profile ``explore`` looks for new damage."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from duonas.cli.explain import explain
from duonas.core.cost import PairCost
from duonas.core.couplings import possible_pairs
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.pair.build import build
from duonas.pair.facts import ROLES, PairFacts
from duonas.pair.pair import Pair
from duonas.recipe.schema import Recipe, options_for
from duonas.routing.policy import Policy
from duonas.routing.route import CalibrationSet, decide
from duonas.routing.routers.confidence import Confidence
from duonas.routing.threshold import sweep
from duonas.rundir.folder import RunFolder
from duonas.rundir.stages import STAGES
from duonas.runtime.prepare import Preparation
from duonas.search.front import Front, FrontPoint
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.family import build_space
from support.damage import damaged_bytes

EACH = 30 * int(os.environ.get("DUONAS_FUZZ", "1"))  # examples of each file
RECIPE = Recipe(seed=3)
FIGURES = {"accuracy": 0.9, "expected_macs": 120_000.0, "little_share": 0.5}
ALONE = {"accuracy": 0.8, "macs": 200_000}


def policy():
    rng, undecided = stream(0, "fuzz"), Policy(
        Confidence("margin", 1.2), float("inf"), {}, (), PairCost(stem=50, router=0, little=100, big=1000),
        num_classes=10, preparation=Preparation(8), images=200,
    )  # fmt: skip
    score = rng.random(200).astype(np.float32)
    right = rng.random(200) < 0.8
    ladder = sweep(rng.random(200), right, right)
    taus = ladder.tau[ladder.thinned()].astype(np.float32)
    calibration = CalibrationSet(taus, score, right, rng.random(200) < 0.9, np.arange(200) % 10, 10)
    return decide(undecided, calibration, options_for("route", share=0.5))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with all that its commands read."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    pairs = possible_pairs(build_space(MobileNet, MobileNet.Options(preset="digits"), 8, 10))["nested"]
    chosen = pairs.sample(stream(0, "fuzz"))
    little, big = (build(pairs.blocks(subnet)) for subnet in pairs.subnets(chosen))
    point = FrontPoint(chosen, {"little": {}, "big": {}}, 0.5, 0.5, 0.9, "confidence", "after_little", {})
    with RunFolder.open(folder, RECIPE) as opened:
        opened.hold_splits({"train": "1", "val": "2"})
        front = Front(("accuracy",), {}, (point,), 0, 1, 1, 0.5, {"accuracy": 0.0})
        opened.finish("search", [front.save(opened.front)])
        opened.finish("pair", Pair.join(little, big, PairFacts.of(pairs, chosen, analytic)).save(opened.pair))
        opened.finish("route", [policy().save(opened.policy)])
        opened.measure.write_text(json.dumps({"routed": FIGURES, "little": ALONE, "big": ALONE}))
        opened.finish("measure", [opened.measure])
    return folder


def read_stages(folder):
    read = RunFolder(folder)
    return [read.recipe, read.stages, *map(read.is_done, STAGES)]


def go_on(folder):
    RunFolder.open(folder, RECIPE).close()


def hold(folder):
    RunFolder(folder).hold_splits({"train": "1", "val": "2"})


READERS = {
    "stages.json": (read_stages, go_on, explain),
    "environment.json": (go_on,),
    "splits.json": (hold,),
    "front.json": (lambda folder: Front.load(folder / "front.json").best,),
    "pair/pair.json": (lambda folder: Pair.load(folder / "pair"),),
    "pair/policy.json": (lambda folder: Policy.load(folder / "pair" / "policy.json"), explain),
    "measure.json": (explain,),
}


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_one_sentence(run, name):
    assert ROLES and all(read(run) or True for read in READERS[name])  # undamaged, it is read
    path, whole = run / name, (run / name).read_bytes()

    @settings(max_examples=EACH, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
    @given(damaged_bytes(json.loads(whole)))
    def check(data):
        for read in READERS[name]:
            path.write_bytes(data)
            try:
                read(run)
            except DuonasError as error:
                assert "\n" not in str(error) and len(str(error)) < 1500

    try:
        check()
    finally:
        path.write_bytes(whole)


@settings(max_examples=EACH, phases=[Phase.generate])
@given(st.binary(max_size=60))
def test_a_recipe_that_is_no_recipe_is_one_sentence(run, data):
    whole = (run / "recipe.toml").read_bytes()
    try:
        (run / "recipe.toml").write_bytes(data)
        with pytest.raises(DuonasError):
            RunFolder.open(run, RunFolder(run).recipe)
    finally:
        (run / "recipe.toml").write_bytes(whole)
