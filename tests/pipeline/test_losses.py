"""What pairs are trained by is checked before any training, and trains them in a run."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

import duonas
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.data.splits import load_splits
from duonas.pipeline.losses import check_losses
from duonas.rundir.folder import RunFolder

QUICK = ["data.test=0.6", "train.epochs=1", "train.batch_size=64", "train.accelerator=cpu", "search.evaluations=3",
         "search.population=3", "search.recalibration_images=64", "finetune.epochs=1",
         "space.axes={depth = [1], kernel = [3], expansion = [1, 2]}"]  # fmt: skip
OWN = '''
"""Own parts of a loss."""
from dataclasses import dataclass
import torch
from duonas.training.term import Term
from duonas.training.weighting import ImageWeights, Weighting

class Flat(Term):
    @dataclass(frozen=True)
    class Options:
        flat: float = 0.1
        """Weight."""
    weight = property(lambda self: self.options.flat)
    def __call__(self, batch):
        return batch.mean((batch.little ** 2).mean(1))

class Vector(Flat):
    def __call__(self, batch):
        return batch.little

class Broken(Flat):
    def __call__(self, batch):
        return batch.litle

class Ones(Weighting):
    def __call__(self, batch, step, backward):
        ones = torch.ones(len(batch.images))
        return ImageWeights(ones, ones)

class Few(Weighting):
    def __call__(self, batch, step, backward):
        return ImageWeights(None, torch.ones(3))
'''


@pytest.fixture(scope="module")
def splits():
    recipe = duonas.load_recipe("digits", QUICK)
    return load_splits(recipe.data, recipe.seed)


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return f"{tmp_path}/own.py"


def check(splits, *overrides):
    check_losses(duonas.load_recipe("digits", [*QUICK, *overrides]), splits)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["finetune.mode=independent", "finetune.loss.gatekeeper=1"],
         r"^\[finetune.loss\] gatekeeper is for networks that are trained together: set \[finetune\] mode to 'joint'"),
        (["finetune.mode=none", "finetune.loss.weighting=l2w"], r"weighting = 'l2w' is for .* here it is 'none'\.$"),
        (["finetune.mode=joint", "finetune.loss.teacher=resnet5"], "timm has no 'resnet5' for a teacher: did you mean"),
        (["finetune.mode=joint", "finetune.loss.teacher=resnet18"], "are for 1,000 classes, and the images have 10"),
        (["finetune.mode=joint", "finetune.loss.teacher_file=none.onnx"], "teacher_file none.onnx does not exist"),
        (["train.rule=cotrain", "train.loss.teacher=resnet18"], "are for 1,000 classes, and the images have 10"),
    ],
)  # fmt: skip
def test_what_cannot_train_the_pair_is_refused(splits, overrides, message):
    with pytest.raises(DuonasError, match=message):
        check(splits, *overrides)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("finetune.alpha=1", r"\[finetune\] alpha is called 'loss.alpha' now"),
        ("finetune.loss.gatekeper=1", r"\[finetune.loss\] has no key 'gatekeper': did you mean 'gatekeeper'\?"),
        (
            "finetune.loss.hard_weight=2",
            r"it is a key of \[finetune.loss\] weighting = 'hard', but here",
        ),
        ("finetune.loss.weighting=lw2", r"\[finetune.loss\] weighting has no choice 'lw2': did you mean 'l2w'\?"),
        ("finetune.loss.little_share=1", r"\[finetune.*loss.*little_share must be below 1"),
        ("finetune.loss.gatekeeper_alpha=2", "must be at most 1"),
        ("finetune.divergence=decupled", "did you mean 'decoupled'"),
    ],
)
def test_a_wrong_key_is_refused_in_one_sentence(override, message):
    with pytest.raises(DuonasError, match=message):
        duonas.load_recipe("digits", [override])


def test_own_parts_are_tried_before_any_training(splits, own):
    mode = "finetune.mode=joint"
    check(splits, mode, f"finetune.loss.terms=['{own}:Flat']", f"finetune.loss.weighting={own}:Ones")
    with pytest.raises(DuonasError, match=r"term .*own.py:Vector must return one finite number with a gradient"):
        check(splits, mode, f"finetune.loss.terms=['{own}:Vector']")
    with pytest.raises(DuonasError, match=r"term .*own.py:Broken: AttributeError: .*litle"):
        check(splits, mode, f"finetune.loss.terms=['{own}:Broken']")
    with pytest.raises(DuonasError, match=r"weighting .*own.py:Few must return ImageWeights of little and big"):
        check(splits, mode, f"finetune.loss.weighting={own}:Few")


def test_profile_refuses_what_a_run_refuses(tmp_path):
    recipe = duonas.load_recipe("digits", [*QUICK, "finetune.mode=joint", "finetune.loss.teacher=resnet18"])
    assert "for 1,000 classes" in duonas.profile(recipe).refusal
    with pytest.raises(DuonasError, match="for 1,000 classes"):
        duonas.run(recipe, tmp_path / "run", until="train")
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A run up to its fine-tuned pair."""
    folder = tmp_path_factory.mktemp("losses") / "base"
    return duonas.run(duonas.load_recipe("digits", [*QUICK, "finetune.mode=joint"]), folder, until="finetune")


def test_a_run_trains_its_pair_by_every_term_and_learned_weights(base, tmp_path, own):
    teacher = base / "pair" / "big.safetensors"
    recipe = duonas.load_recipe("digits", [
        *QUICK, "finetune.mode=joint", "finetune.loss.gatekeeper=0.5", "finetune.loss.consistency=0.1",
        "finetune.loss.weighting=l2w", "finetune.loss.l2w_every=3", f"finetune.loss.teacher_file={teacher}",
        f"finetune.loss.terms=['{own}:Flat']", "finetune.divergence={name = 'decoupled', other_weight = 2.0}",
    ])  # fmt: skip
    folder = duonas.run(recipe, tmp_path / "run", until="route", supernet=base)
    run = RunFolder(folder)
    entry = run.read_log("finetune")[-1]
    assert {"big", "little", "distillation", "gatekeeper", "consistency", "teacher", "Flat"} <= entry.keys()
    assert run.pair.exists() and (folder / "pair" / "policy.json").exists()
    assert run.recipe == recipe


def test_another_teacher_is_another_run(base, tmp_path):
    """Its bytes are a part of what the run is; it is not needed once the pair is trained."""
    teacher = tmp_path / "big.safetensors"
    (tmp_path / "pair.json").write_bytes((base / "pair" / "pair.json").read_bytes())
    for name in ("little", "big"):
        (tmp_path / f"{name}.safetensors").write_bytes((base / "pair" / f"{name}.safetensors").read_bytes())
    recipe = duonas.load_recipe("digits", [*QUICK, "finetune.mode=joint", f"finetune.loss.teacher_file={teacher}"])
    folder = duonas.run(recipe, tmp_path / "run", until="pair", supernet=base)
    whole = teacher.read_bytes()
    save_file({"weight": torch.from_numpy(stream(0).random(3))}, teacher)
    with pytest.raises(DuonasError, match=r"the file of finetune\.loss\.teacher_file is not that with which"):
        duonas.run(recipe, folder, until="finetune")
    teacher.write_bytes(whole)
    duonas.run(recipe, folder, until="finetune")
    teacher.unlink()
    duonas.run(recipe, folder, until="route")
