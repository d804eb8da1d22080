"""The plain network beside a pair: which arch it is, and for how long it is trained alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

import duonas
from duonas.core.arch import Arch
from duonas.core.files import read_json
from duonas.core.pair import Subnet
from duonas.data.batches import outputs
from duonas.pair.plain import PlainNetwork
from duonas.pipeline.context import Context
from duonas.pipeline.plain import best_alone, mean_cost
from duonas.rundir.folder import RunFolder
from duonas.search.front import Front
from duonas.search.single import SingleNetwork

QUICK = [
    "data.test=0.6", "train.epochs=1", "train.batch_size=64", "train.accelerator=cpu", "search.evaluations=6",
    "search.population=3", "search.recalibration_images=64", "finetune.mode=joint", "baselines.plain=true",
    "space.axes={depth = [1], kernel = [3], expansion = [1, 2]}",
]  # fmt: skip


def network(name, accuracy, macs):
    return SingleNetwork(Subnet(Arch(name, ())), {}, accuracy, {"macs": macs})


LITTLE = Subnet(Arch("little", ()), "little")
FRONT = SimpleNamespace(
    single=(network("a", 0.5, 10), network("b", 0.6, 20), network("c", 0.9, 40)), plain=network("d", 0.7, 30)
)


@pytest.mark.parametrize(("cost", "name"), [(5, "little"), (10, "a"), (29.9, "b"), (30, "d"), (100, "c")])
def test_it_is_the_most_accurate_arch_at_no_more_cost(cost, name):
    assert best_alone(FRONT, "macs", cost, little=LITTLE).arch.space == name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Without a limit of time."""
    return duonas.run(duonas.load_recipe("digits", QUICK), tmp_path_factory.mktemp("plain") / "run", until="plain")


def test_without_minutes_it_is_trained_for_as_many_steps_as_supernet_and_pair(folder):
    run = RunFolder(folder)
    steps = {stage: run.read_log(stage)[-1]["step"] for stage in ("train", "finetune", "plain")}
    assert steps["plain"] == steps["train"] + steps["finetune"]
    alone = read_json(run.plain / "network.json")["alone"]
    assert alone == {"steps": steps["plain"], "epochs": steps["plain"] / steps["train"], "minutes": None}


def test_it_costs_no_more_than_the_pair_and_has_weights_of_its_own(folder):
    run = RunFolder(folder)
    context, plain = Context(run.recipe, run), PlainNetwork.load(run.plain)
    quantity, cost = mean_cost(context, Front.load(run.front))
    assert plain.cost.figures[quantity] <= cost * (1 + 1e-9)
    val = context.splits.val
    right = (outputs(plain.network, val.pixels).argmax(1) == val.labels).float().mean()
    assert float(right) == pytest.approx(plain.accuracy)
    big = duonas.Run(folder).pair.towers()["big"].state_dict()["stem.0.weight"]
    assert not torch.equal(plain.network.state_dict()["stem.0.weight"], big)


def test_without_a_wish_for_it_there_is_none():
    assert not duonas.load_recipe("digits").trains_plain
    assert not duonas.load_recipe("digits", ["budget.minutes=10"]).trains_plain
    assert duonas.load_recipe("digits", ["budget.minutes=11"]).trains_plain
    assert not duonas.load_recipe("digits", ["budget.minutes=11", "baselines.plain=false"]).trains_plain
