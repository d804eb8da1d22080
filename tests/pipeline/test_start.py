"""A hypernetwork that starts from the shared weights of a trained run."""

from __future__ import annotations

import shutil

import pytest
import torch

import duonas
from duonas.core.errors import DuonasError
from duonas.core.progress import Silent
from duonas.core.rng import stream
from duonas.core.tensors import load_tensors, read_header
from duonas.pipeline.context import Context
from duonas.pipeline.profile import profile
from duonas.rundir.folder import RunFolder

CELLS = ["space.name=nasbench201", "space.preset=nasbench201-small", "space.channels=2", "train.rule=uniform",
         "train.epochs=1", "train.batch_size=512", "train.warmup_epochs=0"]  # fmt: skip


class Heard(Silent):
    def __init__(self):
        self.warned = []

    def warn(self, sentence):
        self.warned.append(sentence)


def recipe(*more):
    return duonas.load_recipe("digits", [*CELLS, *more])


def hyper(start, *more):
    weights = f"space.weights={{ name = 'kshot-hypernet', dictionary = 2, rank = 2, start = '{start}' }}"
    return recipe(weights, *more)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared") / "run"
    duonas.run(recipe("seed=1"), folder, until="train")
    return folder


@pytest.fixture(scope="module")
def begun(shared, tmp_path_factory):
    folder, heard = tmp_path_factory.mktemp("hyper") / "run", Heard()
    duonas.run(hyper(shared), folder, until="train", progress=heard)
    return folder, heard.warned


def test_kernels_norms_and_classifier_are_those_of_the_run(shared):
    theirs = Context(RunFolder(shared).recipe, RunFolder(shared)).supernet.eval()
    ours = Context(hyper(shared), RunFolder("run", hyper(shared))).fresh_supernet().eval()
    images, space = torch.rand(3, 3, 8, 8), ours.big.space
    with torch.no_grad():
        for arch in (space.largest(), space.sample(stream(0))):
            assert torch.equal(ours.big(images, arch), theirs.big(images, arch))


def test_the_run_says_and_records_where_it_came_from(shared, begun):
    folder, warned = begun
    assert f"the supernet starts from the shared weights of {shared}." in warned
    facts = read_header(folder / "start.safetensors")
    assert facts["big"]["run"] == str(shared) and len(facts["big"]["sha256"]) == 64
    assert "start.safetensors" in RunFolder(folder).stages["train"]["files"]


def test_a_run_killed_before_its_first_checkpoint_goes_on_without_the_other_folder(
    shared, begun, tmp_path, monkeypatch
):
    moved = shutil.copytree(shared, tmp_path / "moved")

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("duonas.pipeline.stages.fit", killed)
        with pytest.raises(KeyboardInterrupt):
            duonas.run(hyper(moved), tmp_path / "run", until="train")
    shutil.rmtree(moved)
    duonas.run(hyper(moved), tmp_path / "run", until="train")
    ours, theirs = (load_tensors(folder / "supernet.safetensors")[0] for folder in (tmp_path / "run", begun[0]))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_a_run_that_is_not_there_is_refused_before_any_training(tmp_path):
    one, message = hyper("nowhere"), r"start = 'nowhere': there is no such run: expected its folder"
    for attempt in (lambda: profile(one), lambda: duonas.run(one, tmp_path / "run")):
        with pytest.raises(DuonasError, match=message):
            attempt()
    assert not (tmp_path / "run").exists()


def found(one):
    return Context(one, RunFolder("run", one)).starts


def test_a_run_of_another_skeleton_is_refused_with_what_differs(shared):
    message = r"another skeleton than this one's: blocks.stem.conv.conv.weight is 2 x 3 x 3 x 3 there and 4 x 3 x 3"
    with pytest.raises(DuonasError, match=message):
        found(hyper(shared, "space.channels=4"))


def test_a_tower_that_the_run_does_not_have_is_refused(shared):
    with pytest.raises(DuonasError, match="another skeleton than this one's: it has no such tower"):
        found(hyper(shared, "pair.coupling=sibling"))


def test_a_run_whose_weights_are_not_shared_is_refused(begun):
    with pytest.raises(DuonasError, match=r"all archs share: its weights are generated for each arch \(kshot-hypernet"):
        found(hyper(begun[0]))


def test_a_run_that_is_not_trained_is_refused(shared, tmp_path):
    other = shutil.copytree(shared, tmp_path / "other")
    (other / "supernet.safetensors").unlink()
    with pytest.raises(DuonasError, match=rf"{other} has no trained supernet yet: finish `duonas train {other}` first"):
        found(hyper(other))


def test_going_on_with_the_weights_of_another_run_is_refused(shared, begun, tmp_path):
    duonas.run(recipe("seed=2"), tmp_path / "other", until="train")
    folder = shutil.copytree(begun[0], tmp_path / "run")
    (folder / "supernet.safetensors").unlink()
    with pytest.raises(
        DuonasError, match=rf"began with the weights of {shared}, and {tmp_path}/other has others: give"
    ):
        duonas.run(hyper(tmp_path / "other"), folder, until="train")
    with pytest.raises(DuonasError, match="has others: leave out --supernet"):
        duonas.run(hyper(tmp_path / "other"), tmp_path / "new", until="train", supernet=begun[0])
