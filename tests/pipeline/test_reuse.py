"""A supernet of another run is recognised by what was trained, not by how that was asked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import duonas
from duonas.core.errors import DuonasError
from duonas.pipeline.reuse import adopt, asked_steps, difference
from duonas.rundir.folder import RunFolder

QUICK = ["data.test=0.6", "train.epochs=2", "train.batch_size=64", "train.accelerator=cpu",
         "space.axes={depth = [1], kernel = [3], expansion = [1]}"]  # fmt: skip
NAMES = ("supernet", "gate", "beta", "pretrained", "start_weights", "logits")  # of files that are taken along


def recipe(*overrides):
    return duonas.load_recipe("digits", [*QUICK, *overrides])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return duonas.run(recipe(), tmp_path_factory.mktemp("reuse") / "run", until="train")


def steps(run):
    return RunFolder(run).read_log("train")[-1]["step"]


def test_it_is_taken_by_its_steps(trained, tmp_path):
    """Whichever way they are given, and whatever the epochs are that they take the place of."""
    given = [f"train.steps={steps(trained)}", "train.epochs=30", "train.checkpoint_seconds=7"]
    found = duonas.run(recipe(*given), tmp_path / "run", until="train", supernet=trained)
    assert (found / "supernet.safetensors").read_bytes() == (trained / "supernet.safetensors").read_bytes()


def test_other_steps_are_refused_with_those_that_were_trained(trained, tmp_path):
    there = steps(trained)
    for overrides, asked in ((["train.epochs=4"], 2 * there), (["train.steps=7"], 7)):
        with pytest.raises(DuonasError) as caught:
            duonas.run(recipe(*overrides), tmp_path / "other", supernet=trained)
        assert str(caught.value) == (
            f"the supernet of {trained.folder} was trained for {there} steps and this recipe asks for {asked}: set "
            f"train.steps={there}, or leave out --supernet."
        )


def test_with_minutes_nothing_is_asked_for(trained):
    """The plan gives the time of the supernet that is there to the pair."""
    assert asked_steps(recipe("budget.minutes=3"), None) is None
    finished, adopted = [], SimpleNamespace(
        recipe=recipe("budget.minutes=3"), splits=SimpleNamespace(hashes=RunFolder(trained).split_hashes()),
        kinds={}, pairs=SimpleNamespace(towers=()),
        run=SimpleNamespace(
            **{name: trained.folder.parent / name for name in NAMES},
            baseline_weights=trained.folder.parent / "baselines", finish=lambda *_, **__: finished.append(True),
        ),
    )  # fmt: skip
    adopt(adopted, trained.folder)
    assert finished


def test_what_differs_is_named():
    assert difference(recipe("train.steps=9"), recipe("train.accelerator=auto")) == ""
    assert difference(recipe("train.lr=0.1"), recipe("train.lr=0.9")) == "[train] (lr is 0.1 there and 0.9 here)"
    assert difference(recipe(), recipe("space.tied=true", "seed=3")) == (
        "[space] (tied is False there and True here) and seed"
    )
    assert "(splits is not set there and [1] here)" in difference(
        recipe("pair.coupling=partial"), recipe("pair.coupling=partial", "pair.splits=[1]")
    )
