"""Runs whose supernet is not trained: the pair is chosen by a metric alone, and all the time is for its training."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

import duonas
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.plan import Plan
from duonas.core.progress import Silent
from duonas.core.tensors import read_header
from duonas.pipeline import stages
from duonas.pipeline.choice import advice_on_ranking
from duonas.pipeline.contexts import context_of
from duonas.pipeline.plan import shares
from duonas.rundir.folder import RunFolder
from duonas.search.front import Front

QUICK = [
    "data.test=0.6", "train.batch_size=64", "train.accelerator=cpu", "train.checkpoint_seconds=0.000001",
    "space.axes={depth = [1], kernel = [3], expansion = [1, 2]}", "search.recalibration_images=64",
    "train.epochs=0", "search.strategy=zero_cost", "search.zero_cost.candidates=12",
    "search.zero_cost.metric=grad_norm", "search.constraints.expected_macs=60000", "finetune.mode=scratch",
    "baselines.plain=true", "budget.minutes=4",
    "measure.latency_images=2", "measure.throughput_batches=1",
]  # fmt: skip
STEPS = ["budget.minutes=", "finetune.epochs=1"]


class Ticking:
    """A clock that goes on by a second whenever somebody looks at it."""

    now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


class Told(Silent):
    """Remembers notes, and interrupts a stage at its third report."""

    def __init__(self, interrupted=""):
        self.notes, self.interrupted, self.reports = [], interrupted, 0

    def note(self, text):
        self.notes.append(text)

    def stage(self, name):
        return self if name == self.interrupted else super().stage(name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def __call__(self, done, total, **figures):
        self.reports += 1
        if self.reports == 3:
            raise KeyboardInterrupt


def run(folder, *overrides, until="plain", progress=None):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "context_of", partial(context_of, clock=Ticking()))
        recipe = duonas.load_recipe("digits", [*QUICK, *overrides])
        return Path(stages.run(recipe, folder, until=until, progress=progress))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    told = Told()
    return run(tmp_path_factory.mktemp("choice") / "run", progress=told), told


def test_the_time_of_the_supernet_is_the_pairs(whole):
    folder, told = whole
    plan = Plan.load(folder / "plan.json")
    assert list(plan.parts) == ["search", "pair", "plain"]
    assert shares(RunFolder(folder).recipe, trained=True) == {"search": 0.1, "pair": 0.9}
    ranked = read_json(folder / "front.json")["strategy"]["ranked"]
    assert 10 <= ranked == plan.parts["search"].count <= 12
    assert any("the supernet is not trained, so its share of the time is the pair's" in note for note in told.notes)
    assert read_header(folder / "supernet.safetensors")["steps"] == 0
    assert RunFolder(folder).read_log("finetune")[-1]["step"] == plan.parts["pair"].count


def test_the_accuracies_are_those_of_the_trained_pair_alone(whole):
    folder, told = whole
    found, front = read_json(folder / "finetuned.json"), Front.load(folder / "front.json")
    assert found["search"] is None and found["little_share"] == 0.7 and 0 < found["now"]["routed"] < 1
    assert front.is_assumed and not list((folder / "logits").glob("*"))
    assert any("grad_norm alone chose the pair, among" in note for note in told.notes)
    assert duonas.Run(folder).front[0]["accuracy"] is None
    with pytest.raises(DuonasError, match="has no front to draw"):
        duonas.Run(folder).plot()
    assert "<img" not in duonas.Run(folder)._repr_html_()


def test_the_plain_network_is_the_best_by_the_metric_at_the_pairs_cost(whole):
    folder, _ = whole
    front, plain = Front.load(folder / "front.json"), read_json(folder / "plain" / "network.json")
    assert plain["values"] in [dict(each.values) for each in front.single]
    assert plain["alone"]["steps"] == RunFolder(folder).read_log("plain")[-1]["step"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["search", "finetune"])
def test_a_killed_run_goes_on_to_the_same_pair(whole, tmp_path, stage):
    folder, _ = whole
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", progress=Told(stage))
    kept = len(list((tmp_path / "run" / "proxies").iterdir()))
    assert kept > 0 and (kept == len(list((folder / "proxies").iterdir()))) is (stage == "finetune")
    run(tmp_path / "run", until="search" if stage == "search" else "finetune")
    assert (tmp_path / "run" / "front.json").read_bytes() == (folder / "front.json").read_bytes()
    if stage == "finetune":
        for role in ("little", "big"):
            name = f"pair/{role}.safetensors"
            assert (tmp_path / "run" / name).read_bytes() == (folder / name).read_bytes()


def test_a_supernet_that_is_not_trained_serves_no_other_run(whole, tmp_path):
    folder, _ = whole
    for overrides in ([], STEPS):
        recipe = duonas.load_recipe("digits", [*QUICK, "train.epochs=2", *overrides])
        with pytest.raises(DuonasError, match="is not trained, since its recipe has"):
            stages.run(recipe, tmp_path / "other", supernet=folder)
        assert not (tmp_path / "other").exists()


def test_profile_says_how_the_pair_is_chosen_and_refuses_what_a_run_refuses():
    recipe = duonas.load_recipe("digits", [*QUICK, *STEPS, "search.constraints.expected_macs=36000"])
    refused = duonas.profile(recipe)
    assert "the best of 12 drawn pairs by grad_norm alone is taken" in refused.choice
    assert "where little answers 70% of the images" in refused.refusal and not refused.constraints[0].met
    free = duonas.load_recipe("digits", [*QUICK, "search.constraints.expected_macs="])
    assert "takes one of the largest pairs" in advice_on_ranking(free) and not advice_on_ranking(recipe)


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [[], ["search.pair.little={ width = 0.25 }", "finetune.mode=independent", "search.constraints.expected_macs=2e5"]],
)
def test_a_whole_run_ends_with_its_verdict(tmp_path, overrides):
    folder = run(tmp_path / "run", *STEPS, *overrides, until="report")
    page, said = (folder / "report.html").read_text(), " ".join(duonas.Run(folder).explain().split())
    for text in (page, said):
        assert "The supernet is not trained, so no accuracy is known before the pair is trained." in text
        assert "(at the assumed little share of 70.0%); the search knew none" in text
    assert "Not shown" not in page and "The supernet was not trained: all training was of the pair." in page
    assert read_json(folder / "measure.json")["verdict"]["sentence"]
    assert "plain" in read_json(folder / "measure.json")
