"""Networks of several exits in the stage ``baselines``: trained, measured beside the pair, and resumed."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.torch import load_file

from duonas.baselines.baseline import find_baseline
from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.rng import stream
from duonas.core.tensors import save_tensors
from duonas.exits.answers import answers
from duonas.pipeline.baselines import train_baselines
from duonas.pipeline.check import _check_baselines
from duonas.pipeline.context import Context
from duonas.recipe.schema import parse
from duonas.routing.policy import Policy
from duonas.routing.route import CalibrationSet, decide
from duonas.routing.routers.confidence import Confidence
from duonas.routing.threshold import sweep
from duonas.rundir.folder import RunFolder
from duonas.runtime.prepare import Preparation

NAME = "msdnet-exits2-channels2-growth2-scales2"
RECIPE = parse(
    {
        "data": {"test": 0.8},
        "space": {"axes": {"depth": [1], "kernel": [3], "expansion": [1]}},
        "train": {"batch_size": 96, "lr": 0.02, "accelerator": "cpu", "checkpoint_seconds": 1e-6},
        "search": {"recalibration_images": 64},
        "route": {"share": 0.5},
        "baselines": {"networks": [NAME], "steps": 3},
    }
)


class Killed(Exception):
    pass


def stage(folder, kill_at=None, paired=False):
    """The stage by itself, beside a pair that was measured or not."""

    def told(done, total, **figures):
        if done == kill_at:
            raise Killed

    with RunFolder.open(folder, RECIPE) as run:
        context = Context(RECIPE, run)
        if paired:
            fabricate_pair(context)
        train_baselines(context, told)
    return context


def fabricate_pair(context):
    """A pair of some hundred MACs, and a big that takes as much as the network."""
    rng, images, labels = stream(0, "pair"), 200, context.splits.test.labels.numpy()
    score, little, big = rng.random(images), rng.random(images) < 0.5, rng.random(images) < 0.8
    ladder = np.array([np.inf, 0.5, -np.inf], np.float32)
    judged = CalibrationSet(ladder, score.astype(np.float32), little, big, np.arange(images) % 10, 10)
    assert len(sweep(score, little, big).tau) > 100
    cost = PairCost(stem=0, router=0, little=300, big=80_000)
    start = Policy(Confidence("margin", 1.0), np.inf, {}, (), cost, num_classes=10, preparation=Preparation(8),
                   images=images)  # fmt: skip
    decide(start, judged, RECIPE.route).save(context.run.policy)
    logits = {f"{role}_logits": rng.random((len(labels), 10), np.float32) for role in ("little", "big")}
    score = rng.random(len(labels)).astype(np.float32)
    outputs = {"score": score, "labels": labels, "is_little": (score > 0.5).astype(np.uint8)}
    save_tensors(context.run.test_outputs, logits | outputs)


def files(context):
    weights = context.run.baseline_weights / NAME
    return [path.read_bytes() for path in (context.run.baselines, *sorted(weights.rglob("*.safetensors")))]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return stage(tmp_path_factory.mktemp("exits") / "whole")


def test_a_killed_stage_goes_on(whole, tmp_path):
    """Law 8."""
    with pytest.raises(Killed):
        stage(tmp_path / "killed", kill_at=2)
    resumed = stage(tmp_path / "killed")
    assert len(files(whole)) == 3 and files(resumed) == files(whole)
    first = resumed.run.read_log(f"baselines/{NAME}")[-1]
    assert first["step"] == 3 and first["loss"] == pytest.approx(first["exit1"] + first["exit2"], rel=1e-5)


def test_what_is_written_is_what_the_saved_network_does(whole):
    found = read_json(whole.run.baselines)
    assert found["networks"] == [] and found["test_images"] == len(whole.splits.test)
    (row,) = found["exits"]
    splits = whole.splits
    net = find_baseline(NAME).network(10, 8, splits.mean, splits.std, stream(9)).eval()
    net.load_state_dict(load_file(whole.run.baseline_weights / NAME / "weights.safetensors"))
    whole.recalibrate(net)
    macs = [each["macs"] for each in row["anytime"]]
    test = answers(net, splits.test, macs, 250)
    assert [each["accuracy"] for each in row["anytime"]] == pytest.approx(test.right.mean(0), abs=2.5 / len(test.right))
    assert row["budgeted"][0]["macs"] == macs[0] and row["budgeted"][-1]["chosen_macs"] <= macs[1]
    assert len(row["geometric"]) == 40 and "against_pair" not in row and row["confidence"] == "max_softmax"


def test_beside_a_measured_pair_it_says_where_the_pair_is_better(tmp_path):
    paired = stage(tmp_path / "paired", paired=True)
    (row,) = read_json(paired.run.baselines)["exits"]
    found = row["against_pair"]
    assert found["range"][0] >= row["anytime"][0]["macs"] and found["better"] + found["worse"]
    assert found["at_pair"]["chosen_macs"] <= 40_300.1 and found["sentence"].startswith("At equal mean cost")


def test_exits_that_a_network_cannot_bear_are_refused_before_any_training(whole):
    recipe = parse({"baselines": {"networks": ["branchynet-mobilenetv3_small_050-exits9"]}})
    with pytest.raises(DuonasError, match="cannot be cut into 9 stages: expected at most 6"):
        _check_baselines(recipe, whole.splits)


def test_exits_on_a_network_of_the_pair_need_a_search_space(whole):
    pairs = whole.pairs
    for network in ("little", "big"):
        recipe = parse({"baselines": {"networks": [f"branchynet-{network}-exits2"]}})
        _check_baselines(recipe, whole.splits, pairs)
        with pytest.raises(DuonasError, match=f"'branchynet-{network}-exits2' puts exits on a network of a search"):
            _check_baselines(recipe, whole.splits)
