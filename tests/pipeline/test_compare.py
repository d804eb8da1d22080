"""A small study from images to the page, and what is made of several seeds."""

from __future__ import annotations

import json
from importlib import import_module
from types import SimpleNamespace

import pytest

from duonas.core.errors import DuonasError
from duonas.core.progress import Silent
from duonas.pipeline.compare import compare, run_folder, slug
from duonas.recipe.study import load_study
from duonas.rundir.folder import RunFolder
from support import listings

comparing = import_module("duonas.pipeline.compare")  # the attribute of that name is the function

STUDY = """
title = "Is <b>little</b> & big better apart?"
base = "digits"
seeds = [0]
conclusion = "One sentence.\\n\\nAnother."

[recipe]
train = { epochs = 1, batch_size = 256 }
space.axes = { depth = [1, 2], kernel = [3], expansion = [1, 2] }
search.recalibration_images = 64
search.pair = { little = { width = 0.5, depth = 1 }, big = { depth = 2 } }
measure = { latency_images = 5, throughput_batches = 1 }

[variants."Trained apart"]
supernet = "plain"
finetune = { mode = "independent", epochs = 1 }

[variants.plain]
"""


class Notes(Silent):
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


@pytest.fixture(scope="module")
def heard():
    return Notes()


@pytest.fixture(scope="module")
def done(tmp_path_factory, heard):
    folder = tmp_path_factory.mktemp("studies")
    (folder / "small.toml").write_text(STUDY)
    study = load_study(folder / "small.toml")
    return study, folder / "runs", compare(study, folder / "runs", heard)


def test_every_variant_is_run_and_compared_with_the_first(done):
    _, folder, page = done
    found = json.loads((folder / "small.json").read_text())
    apart, plain = found["variants"]
    assert (apart["name"], plain["name"]) == ("Trained apart", "plain")
    for variant in found["variants"]:
        measured = json.loads((run_folder(folder, variant["name"], 0) / "measure.json").read_text())
        assert variant["figures"]["routed"] == {"mean": measured["routed"]["accuracy"], "std": None}
    difference = plain["figures"]["routed"]["mean"] - apart["figures"]["routed"]["mean"]
    assert plain["over_first"]["routed"]["mean"] == difference
    assert apart["over_first"]["routed"]["mean"] == 0
    text = page.read_text()
    assert "&lt;b&gt;little&lt;/b&gt; &amp; big" in text and text.count('class="lead"') == 2


def test_the_images_that_the_runs_share_are_described_once_and_stored_in_each(done, heard):
    _, folder, _ = done
    assert ["8 x 8 (1,797)" in text for text in heard.texts].count(True) == 1
    for variant in ("Trained apart", "plain"):
        assert json.loads((run_folder(folder, variant, 0) / "data.json").read_text())["all"]["images"] == 1797


def test_both_variants_have_the_pair_that_was_given_and_one_supernet(done):
    _, folder, _ = done
    apart, plain = (RunFolder(run_folder(folder, name, 0)) for name in ("Trained apart", "plain"))
    assert apart.supernet.read_bytes() == plain.supernet.read_bytes()
    pairs = [json.loads((run.pair / "pair.json").read_text())["pair"] for run in (apart, plain)]
    assert pairs[0] == pairs[1]
    assert (apart.pair / "little.safetensors").read_bytes() != (plain.pair / "little.safetensors").read_bytes()


def test_what_is_done_is_not_done_again(done, monkeypatch):
    study, folder, page = done
    before = page.read_text()
    monkeypatch.setattr(comparing.stages, "run", lambda *args, **more: pytest.fail("ran again"))
    assert compare(study, folder) == page
    assert page.read_text() == before


FAULTY = """
base = "digits"
[recipe]
train.epochs = 1
space.axes = { depth = [1], kernel = [3], expansion = [1] }
[variants.good]
[variants.limits]
search.constraints.peak_macs = 5
[variants.weights]
space.pretrained = "auto"
[variants.longer]
supernet = "good"
train.epochs = 2
[variants.otherwise]
supernet = "good"
train.lr = 0.7
"""


def test_all_variants_are_checked_before_the_first_is_trained(tmp_path, monkeypatch):
    (tmp_path / "s.toml").write_text(FAULTY)
    monkeypatch.setattr(comparing.stages, "run", lambda *args, **more: pytest.fail("trained"))
    with pytest.raises(DuonasError) as caught:
        compare(load_study(tmp_path / "s.toml"), tmp_path / "runs")
    first, *items = str(caught.value).split("\n- ")
    assert first == "the study cannot be run:" and not (tmp_path / "runs").exists()
    found = {item.partition(": ")[0]: item.partition(": ")[2] for item in items}
    assert list(found) == [f"variant '{name}'" for name in ("limits", "weights", "longer", "otherwise")]
    assert "peak_macs" in found["variant 'limits'"]
    assert "needs a preset that is a network of timm" in found["variant 'weights'"]
    assert "the supernet of 'good' is trained for" in found["variant 'longer'"]
    assert "(lr is 0.05 there and 0.7 here)" in found["variant 'otherwise'"]


def test_too_few_minutes_are_found_too(tmp_path, monkeypatch):
    (tmp_path / "s.toml").write_text(FAULTY[: FAULTY.index("[variants.limits]")] + "budget.minutes = 0.001")
    monkeypatch.setattr(comparing.stages, "run", lambda *args, **more: pytest.fail("trained"))
    with pytest.raises(DuonasError, match=r"^variant 'good': \[budget\] minutes = 0.001 is too short"):
        compare(load_study(tmp_path / "s.toml"), tmp_path / "runs")


def test_names_that_make_one_folder_are_refused(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text('base = "digits"\n[variants."T = 1"]\n[variants."t-1"]')
    assert slug("T = 1") == slug("t-1") == "t-1"
    with pytest.raises(DuonasError, match="two variants would have the same folder"):
        compare(load_study(path), tmp_path / "runs")


def test_a_study_is_one_process(done, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(DuonasError, match="runs in one process"):
        compare(done[0], done[1])


def test_a_figure_that_a_run_lacks_is_left_out():
    assert comparing._spread([None, 0.5]) == {"mean": 0.5, "std": None}
    assert comparing._spread([None]) == {"mean": None, "std": None} and comparing._less(None, 0.5) is None


def test_seeds_give_a_mean_and_a_deviation_and_differences_go_seed_by_seed(tmp_path, monkeypatch):
    path = tmp_path / "s.toml"
    path.write_text('base = "digits"\nseeds = [0, 1]\n[variants.a]\n[variants.b]')
    accuracies = {("a", 0): 0.5, ("a", 1): 0.7, ("b", 0): 0.6, ("b", 1): 0.8}

    def measured(recipe, folder, **_):
        accuracy = accuracies[folder.parent.name, recipe.seed]
        role = {"accuracy": accuracy, "expected_macs": 1e6, "peak_macs": 2e6, "little_share": 0.5}
        folder.mkdir(parents=True)
        text = json.dumps({role_: role for role_ in ("little", "big", "routed", "oracle")} | {"auroc": 0.8})
        (folder / "measure.json").write_text(text)

    monkeypatch.setattr(comparing.stages, "run", measured)
    images = SimpleNamespace(inspected=listings.inspected(listings.listed({"cat": 4, "dog": 4})))
    monkeypatch.setattr(comparing, "read_splits", lambda *_: images)
    monkeypatch.setattr(comparing, "check_variants", lambda *_: None)
    compare(load_study(path), tmp_path / "runs")
    a, b = json.loads((tmp_path / "runs" / "s.json").read_text())["variants"]
    assert a["figures"]["routed"] == pytest.approx({"mean": 0.6, "std": 0.1 * 2**0.5})
    assert b["over_first"]["routed"] == pytest.approx({"mean": 0.1, "std": 0.0}, abs=1e-12)
