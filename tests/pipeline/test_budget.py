"""A run with a limit of time: planned, kept by what is done, shown, and refused where it is too short."""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

import duonas
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.plan import Plan
from duonas.core.progress import Silent
from duonas.core.registry import find
from duonas.data.splits import load_splits
from duonas.pipeline import stages
from duonas.pipeline.contexts import context_of
from duonas.pipeline.spaces import pairs_of
from duonas.pipeline.timing import Timing
from duonas.rundir.folder import RunFolder

QUICK = [
    "data.test=0.6", "train.batch_size=64", "train.accelerator=cpu", "train.checkpoint_seconds=0.000001",
    "space.axes={depth = [1], kernel = [3], expansion = [1, 2]}", "search.evaluations=12", "search.population=3",
    "search.recalibration_images=64", "finetune.mode=joint", "baselines.plain=true", "budget.minutes=8",
    "measure.latency_images=2", "measure.throughput_batches=1",
]  # fmt: skip


class Ticking:
    """A clock that goes on by some seconds whenever somebody looks at it."""

    def __init__(self, seconds):
        self.seconds, self.now = seconds, 0.0

    def __call__(self):
        self.now += self.seconds
        return self.now


class Told(Silent):
    """Remembers notes, and interrupts a stage at its second report."""

    def __init__(self, interrupted=""):
        self.notes, self.interrupted = [], interrupted

    def note(self, text):
        self.notes.append(text)

    def stage(self, name):
        return _Interrupt() if name == self.interrupted else super().stage(name)


class _Interrupt:
    reports = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def __call__(self, done, total, **figures):
        self.reports += 1
        if self.reports == 3:
            raise KeyboardInterrupt


def run(folder, *, clock=None, overrides=(), **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "context_of", partial(context_of, clock=clock or Ticking(1.0)))
        recipe = duonas.load_recipe("digits", [*QUICK, *overrides])
        return Path(stages.run(recipe, folder, **options))


class Photographed(Told):
    """Copies the folder of the run at the second report of each stage: what a kill -9 leaves at that moment."""

    def __init__(self, folder, copies):
        super().__init__()
        self.folder, self.copies = folder, copies

    def stage(self, name):
        return _Photograph(self.folder, self.copies / name)


class _Photograph(_Interrupt):
    def __init__(self, folder, copy):
        self.folder, self.copy = folder, copy

    def __call__(self, done, total, **figures):
        self.reports += 1
        if self.reports == 2 and self.folder.exists():
            shutil.copytree(self.folder, self.copy, ignore=shutil.ignore_patterns(".lock"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of the copies."""
    return tmp_path_factory.mktemp("killed")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, killed):
    folder = tmp_path_factory.mktemp("budget") / "run"
    told = Photographed(folder, killed)
    return run(folder, progress=told), told


def steps(folder, stage):
    return RunFolder(folder).read_log(stage)[-1]["step"]


def test_every_part_does_what_is_planned(whole):
    folder, told = whole
    plan = Plan.load(folder / "plan.json")
    assert steps(folder, "train") == plan.parts["supernet"].count
    assert pq.read_table(folder / "trials.parquet").num_rows == plan.parts["search"].count >= 10
    assert steps(folder, "finetune") == plan.parts["pair"].count
    assert steps(folder, "plain") == plan.parts["plain"].count
    assert all(part.begun and part.used > 0 for part in plan.parts.values())
    others = sum(part.used for name, part in plan.parts.items() if name != "plain")
    assert 0 < plan.parts["plain"].seconds <= others
    assert any(note.startswith("plan of 8 minutes: ") for note in told.notes)
    assert [note.partition(":")[0] for note in told.notes if " for " in note][-2:] == ["pair", "plain"]


def test_the_plain_network_stands_in_the_verdict_and_the_report(whole):
    folder, _ = whole
    measured, facts = read_json(folder / "measure.json"), read_json(folder / "plain" / "network.json")
    assert measured["plain"]["alone"] == facts["alone"]
    assert facts["alone"]["steps"] == steps(folder, "plain")
    assert facts["alone"]["minutes"] == Plan.load(folder / "plan.json").parts["plain"].used / 60
    assert (folder / "export" / "single.onnx").exists()
    assert "trained alone for" in measured["verdict"]["reason"]
    page = (folder / "report.html").read_text()
    assert "Plan of 8 minutes" in page and "trained alone for" in page


def test_explain_shows_the_plan_and_what_training_the_pair_changed(whole):
    folder, _ = whole
    said = duonas.Run(folder).explain()
    assert "plan of 8 minutes" in said and "took" in said
    found = read_json(folder / "finetuned.json")
    assert f"routed {found['search']['routed']:.1%} and {found['now']['routed']:.1%}" in " ".join(said.split())


def test_timing_and_planning_leave_no_trace_in_the_training(whole, tmp_path):
    folder, _ = whole
    steps = Plan.load(folder / "plan.json").parts["supernet"].count
    recipe = duonas.load_recipe("digits", [*QUICK, "budget.minutes=", f"train.steps={steps}"])
    duonas.run(recipe, tmp_path / "run", until="train")
    assert (tmp_path / "run" / "supernet.safetensors").read_bytes() == (folder / "supernet.safetensors").read_bytes()
    assert not (tmp_path / "run" / "plan.json").exists()


def test_another_threshold_keeps_the_plain_network(whole, tmp_path):
    folder = Path(shutil.copytree(whole[0], tmp_path / "run"))
    duonas.rechoose(folder, share=0.5)
    assert RunFolder(folder).is_done("plain") and not RunFolder(folder).is_done("measure")


WRITTEN = {
    "train": ("supernet", ["supernet.safetensors"]),
    "search": ("search", ["trials.parquet", "archs.parquet", "front.json"]),
    "finetune": ("pair", ["pair/little.safetensors", "pair/big.safetensors"]),
    "plain": ("plain", ["plain/network.safetensors"]),
}


@pytest.mark.parametrize(
    "stage", ["train", "plain", *(pytest.param(each, marks=pytest.mark.slow) for each in ("search", "finetune"))]
)
def test_a_killed_run_keeps_the_plan_of_what_has_begun(whole, killed, stage):
    """Whatever the clock says later: the steps of what has begun stay, so the bits do, and no time is lost."""
    (folder, _), copy = whole, killed / stage
    part, written = WRITTEN[stage]
    before, clock = Plan.load(copy / "plan.json"), Ticking(30.0)
    assert before.parts[part].begun and not RunFolder(copy).is_done(stage)
    run(copy, clock=clock, until=stage)
    after, never = Plan.load(copy / "plan.json"), Plan.load(folder / "plan.json")
    assert after.parts[part].count == before.parts[part].count == never.parts[part].count
    assert before.parts[part].used < after.parts[part].used <= before.parts[part].used + clock.now
    for name in before.parts:
        assert name == part or after.parts[name] == before.parts[name]
    for name in written:
        assert (copy / name).read_bytes() == (folder / name).read_bytes()


def test_an_interrupted_run_notes_what_it_took(whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", progress=Told("train"))
    plan = Plan.load(tmp_path / "run" / "plan.json")
    assert plan.parts["supernet"].begun and plan.parts["supernet"].used > 0


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "part"), [("train", "supernet"), ("search", "search")])
def test_what_a_part_took_is_noted_while_it_goes_on(tmp_path, stage, part):
    """A power cut leaves no time to do so, and the parts that follow are planned by it."""
    folder, found = tmp_path / "run", []

    class Watching(Silent):
        def stage(self, name):
            return Reading() if name == stage else super().stage(name)

    class Reading(_Interrupt):
        def __call__(self, done, total, **figures):
            found.append(Plan.load(folder / "plan.json").parts[part].used)

    run(folder, clock=Ticking(10.0), overrides=["budget.minutes=90"], progress=Watching(), until=stage)
    assert found[-1] > 0 and found == sorted(found)
    assert found[-1] < Plan.load(folder / "plan.json").parts[part].used


def test_a_supernet_of_another_run_leaves_its_time_to_the_pair(whole, tmp_path):
    folder, _ = whole
    other = run(tmp_path / "other", supernet=folder, until="pair")
    plan, first = (Plan.load(each / "plan.json") for each in (other, folder))
    assert "supernet" not in plan.parts
    assert plan.parts["pair"].seconds > first.parts["pair"].seconds


def test_too_short_a_time_is_refused_by_profile_and_run_before_any_training(tmp_path):
    with pytest.raises(DuonasError, match=r"minutes = 0.1 is too short .* Give \S+ minutes or more") as refused:
        run(tmp_path / "run", overrides=["budget.minutes=0.1"])
    assert not (tmp_path / "run").exists()
    recipe = duonas.load_recipe("digits", [*QUICK, "budget.minutes=0.1"])
    assert duonas.profile(recipe, clock=Ticking(1.0)).refusal.startswith(str(refused.value)[:60])


@pytest.mark.slow
def test_the_minutes_that_are_said_to_be_enough_are_enough():
    """Also where a run of as many minutes trains a plain network, and one of those that were given does not."""
    overrides = [*QUICK, "baselines.plain=", "budget.minutes=0.1"]
    for seconds in (1.0, 12.0):
        recipe = duonas.load_recipe("digits", overrides)
        refusal = duonas.profile(recipe, clock=Ticking(seconds)).refusal
        enough = re.search(r"Give (\S+) minutes", refusal)[1]
        recipe = duonas.load_recipe("digits", [*overrides, f"budget.minutes={enough}"])
        assert duonas.profile(recipe, clock=Ticking(seconds)).plan is not None


def test_profile_has_the_plan():
    plan = duonas.profile(duonas.load_recipe("digits", QUICK), clock=Ticking(1.0)).plan
    assert list(plan.parts) == ["supernet", "search", "pair", "plain"] and plan.parts["supernet"].epochs > 1


def test_without_minutes_profile_says_what_a_run_with_a_plain_network_takes():
    """Which is trained for as many steps as supernet and pair, so the epochs of [train] alone do not tell."""
    overrides = [*QUICK, "budget.minutes=", "train.epochs=4"]
    found = duonas.profile(duonas.load_recipe("digits", overrides), clock=Ticking(1.0)).plan
    counts = {name: part.count for name, part in found.parts.items()}
    epoch = found.parts["supernet"].unit.epoch
    assert counts == {"supernet": 4 * epoch, "search": 12, "pair": 2 * epoch, "plain": 6 * epoch}
    whole = found.before + found.after + sum(part.seconds for part in found.parts.values())
    assert found.minutes == round(whole / 60, 1)
    assert duonas.profile(duonas.load_recipe("digits", [*overrides, "baselines.plain=false"])).plan is None


def test_several_processes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(DuonasError, match="plans a run of one process, and torchrun started 2"):
        run(tmp_path / "run")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("budget.minutes=0", "[budget] minutes must be above 0, got 0"),
        ("budget.minutes=1e308", "[budget] minutes must be at most 525600, got 1e+308"),
        ("budget.pair=0.5", "supernet = 0.35, search = 0.1, pair = 0.5 sum to 0.95"),
        ("budget.minute=3", "[budget] has no key 'minute': did you mean 'minutes'?"),
    ],
)
def test_bad_input_is_one_sentence(override, message):
    with pytest.raises(DuonasError) as caught:
        duonas.load_recipe("digits", [override])
    assert message in str(caught.value)


def test_the_baselines_are_timed_with_those_on_the_pair_and_both_networks_of_an_ofa_pair():
    def seconds(*overrides):
        recipe = duonas.load_recipe("digits", [*QUICK, "budget.minutes=", "baselines.steps=7", *overrides])
        splits, family = load_splits(recipe.data, recipe.seed), find("space", recipe.space.name)
        pairs = pairs_of(recipe, family, splits)
        return Timing(recipe, family, pairs, splits, torch.device("cpu"), Ticking(1.0)).baselines()

    step = seconds("baselines.networks=['branchynet-big-exits2']") / 7
    assert step > 0 and seconds("baselines.networks=['branchynet-little-exits2']") == 7 * step
    assert seconds("baselines.ofa_pair=true", "finetune.steps=5") == 2 * 5 * step
    assert seconds("baselines.ofa_pair=true", "finetune.mode='none'") == 0.0
