"""A gate that is trained together with the pair becomes the learned router, through kills and in another run too."""

from __future__ import annotations

import numpy as np
import pytest

import duonas
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.progress import Silent
from duonas.core.tensors import load_tensors
from duonas.pipeline import stages
from duonas.routing.policy import Policy
from duonas.routing.routers.learned import Network
from duonas.runtime import Bundle

QUICK = ["train.epochs=1", "train.batch_size=64", "train.random_archs=0", "train.checkpoint_seconds=0.000001",
         "search.evaluations=4", "search.population=4", "search.recalibration_images=64", "data.calib=0.3",
         "train.rule=cotrain", "space.axes={depth = [1], kernel = [3], expansion = [1, 2]}",
         "route.learned.steps=20"]  # fmt: skip
GATE = ["train.loss.gate=learned", "train.loss.gamma=0.5"]
ROUTED = ["route.router=learned", "route.position=after_little", "route.share=0.5"]


def recipe(*settings):
    return duonas.load_recipe("digits", [*QUICK, *settings])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return duonas.run(recipe(*GATE, *ROUTED), tmp_path_factory.mktemp("gate") / "run", until="export")


def test_it_is_a_file_of_the_training_and_the_routed_run_works_to_its_end(whole):
    assert set(read_json(whole / "stages.json")["stages"]["train"]["files"]) == {
        "supernet.safetensors", "gate.safetensors",
    }  # fmt: skip
    router = Policy.load(whole / "pair" / "policy.json").router
    assert (router.name, router.position, router.report["joint"]) == ("learned", "after_little", 1)
    answered = Bundle.load(whole / "export").predict(np.zeros((3, 3, 8, 8), np.float32))
    assert answered.logits.shape == (3, 10)


@pytest.mark.parametrize("when", ["while it is trained", pytest.param("before it is written", marks=pytest.mark.slow)])
def test_killed_and_run_again_it_is_the_same(when, whole, tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    class Killed(Silent):
        def stage(self, name):
            return _Interrupted()

    with pytest.raises(KeyboardInterrupt), monkeypatch.context() as patch:
        if when == "before it is written":
            patch.setattr(stages, "save_tensors", killed)
        duonas.run(
            recipe(*GATE, *ROUTED), tmp_path / "run", until="train",
            progress=Killed() if when == "while it is trained" else None,
        )  # fmt: skip
    assert not (tmp_path / "run" / "gate.safetensors").exists()
    again = duonas.run(recipe(*GATE, *ROUTED), tmp_path / "run", until="train")
    assert all((again / name).read_bytes() == (whole / name).read_bytes() for name in ("gate.safetensors",
               "supernet.safetensors"))  # fmt: skip


class _Interrupted:
    def __enter__(self):
        def report(done, total, **figures):
            if done > total / 2:
                raise KeyboardInterrupt

        return report

    def __exit__(self, *_):
        return False


@pytest.mark.parametrize("joint", ["keep", "ignore"])
def test_another_run_that_takes_the_supernet_takes_the_gate_too(joint, whole, tmp_path):
    other = recipe(*GATE, *ROUTED, f"route.learned.joint={joint}")
    run = duonas.run(other, tmp_path / "run", until="route", supernet=whole)
    assert (run / "gate.safetensors").read_bytes() == (whole / "gate.safetensors").read_bytes()
    router = Policy.load(run / "pair" / "policy.json").router
    assert ("joint" in router.report) == (joint == "keep")
    gate = Network(**load_tensors(run / "gate.safetensors")[0])
    if router.network is not None:
        assert all(map(np.array_equal, router.network, gate)) == (joint == "keep")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ROUTED, r"joint = 'keep' needs a gate that was trained with the pair: \[train\] rule = 'cotrain' with"),
        ([*ROUTED, "train.rule=sandwich"], "joint = 'keep' needs a gate that was trained with the pair"),
        ([*GATE, "route.router=learned"], "joint = 'keep' is for a learned router at position 'after_little'"),
    ],
)
def test_a_gate_that_will_not_be_there_cannot_be_kept(settings, message, tmp_path):
    with pytest.raises(DuonasError, match=message):
        duonas.run(recipe(*settings, "route.learned.joint=keep"), tmp_path / "run")
    assert not (tmp_path / "run" / "recipe.toml").exists()
