"""The whole way from data to report, on the bundled digits: it ends, resumes, and never looks at test early."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import duonas
from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.files import checksum, read_json, write_json
from duonas.core.progress import Silent
from duonas.core.protocols import silent
from duonas.core.units import parse
from duonas.data.batches import outputs
from duonas.pair.pair import Pair
from duonas.pair.plain import PlainNetwork
from duonas.pipeline import context, route, stages
from duonas.routing.policy import Policy
from duonas.rundir.folder import RunFolder
from duonas.runtime import Bundle
from duonas.runtime.units import SHARE
from duonas.search.front import Front

QUICK = ["train.epochs=2", "train.batch_size=64", "train.checkpoint_seconds=0.000001", "search.evaluations=6",
         "search.population=3", "search.recalibration_images=64", "measure.latency_images=5",
         "measure.throughput_batches=2", "space.axes={depth = [1, 2], kernel = [3], expansion = [1, 2]}"]  # fmt: skip
# What a kill may change: when things happened, not what came out.
NOT_COMPARED = {"stages.json", "log.jsonl", "measure.json", "report.html", "environment.json", ".lock"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    duonas.run(duonas.load_recipe("digits", QUICK), folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(Path(folder).rglob("*")) if path.is_file() and "tensorboard" not in path.parts)
    return {str(p.relative_to(Path(folder))): p.read_bytes() for p in files if p.name not in NOT_COMPARED}


def test_a_run_leaves_what_the_design_says(whole):
    written = """recipe.toml environment.json stages.json log.jsonl supernet.safetensors trials.parquet archs.parquet
        front.json pair/pair.json pair/little.safetensors pair/big.safetensors pair/policy.json export/dynamic.onnx
        export/little.onnx export/big.onnx export/policy.json measure.json report.html"""
    for name in written.split():
        assert (whole / name).stat().st_size > 0, name


def test_measured_figures_hang_together(whole):
    figures = read_json(whole / "measure.json")
    little, big, routed = (figures[role] for role in ("little", "big", "routed"))
    cost = read_json(whole / "pair" / "pair.json")["costs"]["macs"]
    share = routed["little_share"]
    assert routed["expected_macs"] == pytest.approx(
        cost["stem"] + cost["router"] + cost["little"] + (1 - share) * cost["big"], abs=1
    )
    assert routed["peak_macs"] == sum(cost.values()) and routed["expected_macs"] <= routed["peak_macs"]
    assert little["macs"] == cost["stem"] + cost["little"] and big["macs"] == cost["stem"] + cost["big"]
    assert figures["oracle"]["accuracy"] >= max(little["accuracy"], big["accuracy"], routed["accuracy"])
    chord = share * little["accuracy"] + (1 - share) * big["accuracy"]
    assert figures["random"]["accuracy"] == pytest.approx(chord)
    assert figures["test_images"] == 359


def test_onnx_decides_as_pytorch_did(whole):
    onnx = read_json(whole / "measure.json")["onnx"]
    assert onnx["differing_decisions"] == 0 and onnx["max_logit_difference"] < 1e-3


def test_a_plain_network_goes_from_the_search_to_the_measurement(whole, tmp_path, monkeypatch):
    """As the search evaluated it: the same answers on the val split."""
    folder = shutil.copytree(whole, tmp_path / "run")
    front = Front.load(folder / "front.json")
    with RunFolder.open(folder, RunFolder(folder).recipe) as run:
        made = context.Context(run.recipe, run)
        own = made.pairs.subnets(front.best.pair)
        other = next(each for each in front.single if each.subnet not in own)
        own_big = replace(other, subnet=own[1])
        for plain, kept in ((own_big, False), (other, True)):  # a network of the pair is compared anyway
            monkeypatch.setattr(stages.Front, "load", lambda _, plain=plain: replace(front, plain=plain))
            paths = stages.pair(made, silent)
            assert run.plain.exists() == kept and len(paths) == (5 if kept else 3)
        network = PlainNetwork.load(run.plain)
        images = made.splits.val
        right = outputs(network.network, images.pixels).argmax(1) == images.labels
        assert (
            float(right.float().mean()) == pytest.approx(other.accuracy) and network.cost.macs == other.figures["macs"]
        )
        given = {}

        def measured(*_, plain, **__):
            given.update(measure=plain)
            return {"unlike_calib": ""}

        monkeypatch.setattr(stages, "export_bundle", lambda *each: given.update(export=each[-1]))
        monkeypatch.setattr(stages, "measure_bundle", measured)
        stages.export(made, silent)
        stages.measure(made, silent)
        state = network.network.state_dict()
        for found in (given["export"], given["measure"].network):
            assert all(torch.equal(value, state[name]) for name, value in found.state_dict().items())


def test_the_recipes_threads_are_those_of_all_torch_work_and_of_that_alone(tmp_path, monkeypatch):
    before, seen = torch.get_num_threads(), []
    for stage in ("train", "search"):
        monkeypatch.setitem(stages._WORK, stage, lambda job, progress: seen.append(torch.get_num_threads()) or [])
    for name, threads in (("own", before + 1), ("torchs", None)):
        override = [] if threads is None else [f"threads={threads}"]
        duonas.run(duonas.load_recipe("digits", override), tmp_path / name, until="search")
    assert seen == [before + 1] * 2 + [before] * 2 and torch.get_num_threads() == before


@pytest.mark.parametrize(("calib", "warned"), [(0.02, True), (0.15, False)])
def test_a_tiny_calib_split_is_warned_of_before_any_training(tmp_path, monkeypatch, calib, warned):
    told = []

    class Told(Silent):
        def warn(self, sentence):
            told.append(sentence)

    monkeypatch.setitem(stages._WORK, "train", lambda job, progress: told.append("train") or [])
    recipe = duonas.load_recipe("digits", [f"data.calib={calib}"])
    duonas.run(recipe, tmp_path / "run", until="train", progress=Told())
    assert told[-1] == "train" and len(told) == 1 + warned
    if warned:
        assert "half of the calib split, only 15 images:" in told[0] and "up to 13 points" in told[0]


def test_a_second_run_does_nothing_again(whole):
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file() and path.name != ".lock"}
    said = []

    class Said(Silent):
        def skip(self, name, why):
            said.append(name)

    duonas.run(duonas.load_recipe("digits", QUICK), whole, progress=Said())
    assert said == list(stages.STAGES)
    assert before == {p: p.stat().st_mtime_ns for p in whole.rglob("*") if p.is_file() and p.name != ".lock"}


def test_killed_in_every_stage_and_run_again_is_never_killed(whole, tmp_path):
    """Law 8: Ctrl-C in the middle of each stage in turn; the files are then bit for bit those of an undisturbed run."""
    recipe, folder = duonas.load_recipe("digits", QUICK), tmp_path / "run"
    for stage in ("train", "search", "pair", "route", "export", "measure", "report"):
        with pytest.raises(KeyboardInterrupt):
            duonas.run(recipe, folder, progress=Killed(stage))
        assert stage not in read_json(folder / "stages.json")["stages"]
    duonas.run(recipe, folder)
    assert contents(folder) == contents(whole)


@pytest.mark.slow
def test_a_killed_process_and_another_one_after_it_leave_the_same_files(whole, tmp_path):
    """Law 8 with SIGKILL, and law 9 from process to process."""
    folder = tmp_path / "run"
    code = f"import duonas; duonas.run(duonas.load_recipe('digits', {QUICK!r}), {str(folder)!r})"
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": "7"})
    while not (folder / "checkpoint" / "state.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    (folder / "checkpoint" / ".state.safetensors.abc.part").write_bytes(b"half of it")
    duonas.run(duonas.load_recipe("digits", QUICK), folder)
    assert contents(folder) == contents(whole)


class Killed(Silent):
    """Interrupts one stage."""

    def __init__(self, stage):
        self.interrupted = stage

    def stage(self, name):
        return _Interrupt() if name == self.interrupted else super().stage(name)


class _Interrupt:
    """A progress that is interrupted at its second report, or at its first where there is but one."""

    def __init__(self):
        self.told = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def __call__(self, done, total, **figures):
        self.told += done > 0
        if self.told == 2 or total == 1:
            raise KeyboardInterrupt


def test_poisoned_test_labels_change_no_file_before_measure(whole, tmp_path, monkeypatch):
    """Law 9: with every test label wrong, all that is written before ``measure`` is the same."""
    load = context.load_splits

    def poisoned(*args):
        splits = load(*args)
        return replace(splits, test=replace(splits.test, labels=(splits.test.labels + 1) % splits.num_classes))

    monkeypatch.setattr(context, "load_splits", poisoned)
    folder = tmp_path / "run"
    duonas.run(duonas.load_recipe("digits", QUICK), folder)
    after_measure = {"test_outputs.safetensors", "examples.json"}
    clean, dirty = contents(whole), contents(folder)
    assert {n: b for n, b in clean.items() if n not in after_measure} == {
        n: b for n, b in dirty.items() if n not in after_measure
    }
    assert read_json(folder / "measure.json")["big"]["accuracy"] < read_json(whole / "measure.json")["big"]["accuracy"]


def test_the_runtime_follows_its_budget(whole):
    bundle = Bundle.load(whole / "export")
    images = np.random.default_rng(0).random((50, 3, 8, 8), dtype=np.float32)
    bundle.tau = float("-inf")
    assert bundle.predict(images).is_little.all()
    bundle.tau = float("inf")
    assert not bundle.predict(images).is_little.any()


def test_another_run_can_use_the_same_supernet(whole, tmp_path):
    recipe = duonas.load_recipe("digits", [*QUICK, "search.constraints.expected_macs=400000", "route.budget=400000"])
    folder = duonas.run(recipe, tmp_path / "budget", until="measure", supernet=whole)
    assert (folder / "supernet.safetensors").read_bytes() == (whole / "supernet.safetensors").read_bytes()
    assert read_json(folder / "measure.json")["routed"]["expected_macs"] <= 1.2 * 400_000
    with pytest.raises(DuonasError, match=r"another \[train\]"):
        duonas.run(duonas.load_recipe("digits", [*QUICK, "train.lr=0.9"]), tmp_path / "other", supernet=whole)


def test_a_refused_supernet_leaves_no_run_behind(whole, tmp_path):
    recipe = duonas.load_recipe("digits", [*QUICK, "train.lr=0.9"])
    with pytest.raises(DuonasError, match=r"another \[train\]"):
        duonas.run(recipe, tmp_path / "other", supernet=whole)
    assert not (tmp_path / "other").exists()
    (tmp_path / "mine").mkdir()  # a folder that was there stays
    with pytest.raises(DuonasError, match=r"another \[train\]"):
        duonas.run(recipe, tmp_path / "mine", supernet=whole)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [".lock"]


def test_a_run_that_has_not_begun_to_train_has_no_supernet_to_take(tmp_path):
    recipe = duonas.load_recipe("digits", QUICK)
    RunFolder.open(tmp_path / "begun", recipe).close()
    with pytest.raises(DuonasError, match="has no trained supernet yet: finish `duonas train"):
        duonas.run(recipe, tmp_path / "other", supernet=tmp_path / "begun")


def test_a_run_does_not_go_on_with_other_images(tmp_path):
    """Else what was trained on could be tested on."""
    rng = np.random.default_rng(0)

    def add(*names):
        for label in ("a", "b"):
            (tmp_path / "images" / label).mkdir(parents=True, exist_ok=True)
            for name in names:
                Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(
                    tmp_path / "images" / label / f"{name}.png"
                )

    add(*range(40))
    recipe = duonas.load_recipe("digits", [*QUICK, "data.name=folder", f"data.path={tmp_path / 'images'}",
                                               "data.image_size=8", "train.epochs=1"])  # fmt: skip
    duonas.run(recipe, tmp_path / "run", until="train")
    add("later")
    with pytest.raises(DuonasError, match=r"the data changed since .* began"):
        duonas.run(recipe, tmp_path / "run")
    with pytest.raises(DuonasError, match=r"was trained on other images"):
        duonas.run(recipe, tmp_path / "next", supernet=tmp_path / "run")
    for label in ("a", "b"):
        (tmp_path / "images" / label / "later.png").unlink()
    changed = tmp_path / "images" / "a" / "0.png"
    pixels = np.asarray(Image.open(changed)).copy()
    pixels[0, 0, 0] ^= 1
    (tmp_path / "images").rename(tmp_path / "moved")
    with pytest.raises(DuonasError, match=r"are not in .*images any more: .* --set data\.path=FOLDER"):
        duonas.run(recipe, tmp_path / "run", until="search")
    duonas.run(recipe, tmp_path / "run", until="train")  # which needs no images any more
    moved = duonas.load_recipe(tmp_path / "run", [f"data.path={tmp_path / 'moved'}"])
    trained = read_json(tmp_path / "run" / "stages.json")["stages"]["train"]
    duonas.run(moved, tmp_path / "run", until="train")
    assert duonas.load_recipe(tmp_path / "run") == moved
    assert read_json(tmp_path / "run" / "stages.json")["stages"]["train"] == trained
    Image.fromarray(pixels).save(tmp_path / "moved" / "a" / "0.png")
    with pytest.raises(DuonasError, match=r"the data changed since .* \(its (train|val|calib|test) split is another"):
        duonas.run(moved, tmp_path / "run")


def test_a_run_of_images_on_disk_is_the_run_of_images_in_memory(tmp_path):
    """Weights, answers, pair and policy have the same bits, so either may take the other's supernet."""
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(60):
            pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / label / f"{number}.png")
    folder = ["data.name=folder", f"data.path={tmp_path / 'images'}", "data.image_size=8", "data.flip=true",
              "data.crop_padding=1", "data.mixup=0.2", "finetune.mode=joint", "finetune.epochs=1"]  # fmt: skip
    disk = ["data.store=disk", f"data.cache={tmp_path / 'cache'}"]
    recipes = [duonas.load_recipe("digits", [*QUICK, *folder, *more]) for more in ([], disk)]
    runs = [duonas.run(recipe, tmp_path / str(n), until="route") for n, recipe in enumerate(recipes)]
    memory, stored = ({name: data for name, data in contents(run).items() if name != "recipe.toml"} for run in runs)
    assert memory == stored
    adopted = duonas.run(recipes[1], tmp_path / "adopted", until="train", supernet=runs[0])
    assert (adopted / "supernet.safetensors").read_bytes() == memory["supernet.safetensors"]


def test_a_tighter_budget_than_the_recipes_own_constraint_is_searched_for():
    recipe = duonas.load_recipe("digits", ["search.constraints.expected_macs=400000", "route.budget=200000"])
    assert context.searched(recipe).constraints["expected_macs"] == 200_000


def test_a_device_that_is_not_there_is_refused_before_any_work(tmp_path):
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(DuonasError, match=rf"accelerator = '{missing}': this machine has no such device; choose from"):
        duonas.run(duonas.load_recipe("digits", [f"train.accelerator={missing}"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_damaged_export_is_noticed(whole, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "copy")
    path = copy / "export" / "dynamic.onnx"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(Exception, match=r"dynamic\.onnx"):
        Bundle.load(copy / "export")


def test_the_hypervolume_is_logged_as_the_search_goes_on(whole):
    steps = [row for row in RunFolder(whole).read_log("search") if "hypervolume_of_trials" in row]
    reached = Front.load(whole / "front.json").reached
    assert [(row["step"], row["hypervolume_of_trials"]) for row in steps] == [*reached] and len(reached) == 2


def test_log_lines_are_json(whole):
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert {"stage", "step", "loss", "lr"} <= lines[0].keys()


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of the whole run, to be changed."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def routed_files(folder):
    """All that choosing tau may change, but what is measured afterwards."""
    return {name: data for name, data in contents(folder).items() if name.startswith(("recipe", "pair/", "export/"))}


def test_tau_chosen_again_is_the_tau_of_a_new_run_and_needs_no_network(whole, copy, tmp_path, monkeypatch):
    """The recipe goes on saying how the run is made: a run of it from the beginning has the same files."""
    with monkeypatch.context() as patch:
        for name in ("load_splits", "load_tensors"):
            patch.delattr(context, name)
        patch.delattr(stages, "export_bundle")
        for name in ("observe", "export_bundle"):
            patch.delattr(route, name)
        patch.delattr(Pair, "load")
        duonas.rechoose(copy, share=0.3)
        duonas.rechoose(copy, budget=200_000)
    done = read_json(copy / "stages.json")["stages"]
    assert "export" in done and not {"measure", "report"} & done.keys()
    assert read_json(copy / "pair" / "policy.json")["choice"] == {"budget": 200_000}
    assert Bundle.load(copy / "export").tau == pytest.approx(float(read_json(copy / "export" / "policy.json")["tau"]))
    new = duonas.run(duonas.load_recipe(copy), tmp_path / "new", until="export", supernet=whole)
    assert routed_files(new) == routed_files(copy)


@pytest.mark.slow
def test_killed_while_tau_is_chosen_again_the_same_call_mends_it(copy, tmp_path, monkeypatch):
    other = Path(shutil.copytree(copy, tmp_path / "other"))
    duonas.rechoose(other, share=0.4)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(import_module("duonas.pipeline.rechoose"), "save_policy", killed)
        duonas.rechoose(copy, share=0.4)
    assert not {"route", "export"} <= {name for name, each in read_json(copy / "stages.json")["stages"].items()
                                       if not each.get("stale")}  # fmt: skip
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(import_module("duonas.pipeline.rechoose"), "set_threshold", killed)
        patch.setattr(stages, "export", killed)
        duonas.rechoose(copy, share=0.4)
    duonas.rechoose(copy, share=0.4)
    assert routed_files(copy) == routed_files(other)


def test_a_disk_that_is_full_at_any_moment_leaves_the_run_as_it_was(copy, monkeypatch):
    """Every write of the call fails in turn, until there is none left to fail."""

    def all_files():
        files = (path for path in copy.rglob("*") if path.is_file() and path.name != ".lock")
        return {str(path.relative_to(copy)): path.read_bytes() for path in files}

    before, sync, failing = all_files(), os.fsync, 0
    while True:
        writes = 0

        def full(handle, last=failing):
            nonlocal writes
            writes += 1
            if writes > last:
                raise OSError(errno.ENOSPC, "No space left on device")
            sync(handle)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            try:
                duonas.rechoose(copy, share=0.4)
                break
            except DuonasError as error:
                assert "No space left on device; nothing was changed" in str(error)
        assert all_files() == before, f"after {failing} writes"
        failing += 1
    assert failing > 8 and read_json(copy / "export" / "policy.json")["choice"] == {"share": 0.4}
    assert not list(copy.rglob("*.part"))


def test_a_latency_is_chosen_by_the_time_of_the_exported_files(copy):
    duonas.rechoose(copy, latency=1000.0)
    policy = read_json(copy / "pair" / "policy.json")
    assert policy["choice"] == {"latency": 1000.0} and policy["times_ms"]["little"] > 0
    assert all(0 < row["expected_ms"] < 1000 for row in policy["table"])
    bundle = Bundle.load(copy / "export")
    row = bundle.set_latency(1000.0)
    assert row.accuracy == max(row.accuracy for row in bundle.table)
    least = policy["times_ms"]["little"]
    with pytest.raises(DuonasError, match=r"a latency of 1e-06 ms cannot be met: the smallest possible is .* ms"):
        duonas.rechoose(copy, latency=1e-6)
    assert read_json(copy / "pair" / "policy.json")["times_ms"]["little"] == least


def test_a_recipe_that_asks_for_a_latency_times_files_for_the_occasion(whole, tmp_path):
    recipe = duonas.load_recipe("digits", [*QUICK, "route.energy=5000", "route.watts=2.5"])
    folder = duonas.run(recipe, tmp_path / "run", until="route", supernet=whole).folder
    policy = read_json(folder / "pair" / "policy.json")
    assert policy["choice"] == {"energy": 5000.0, "watts": 2.5} and policy["times_ms"]["little"] > 0
    assert not (folder / "export").exists() and not list(folder.glob(".*.part"))


def test_a_target_that_cannot_be_met_changes_nothing(copy):
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and path.name != ".lock"}
    again = rf" Choose another threshold, such as `duonas route {copy} --"
    for target, message in (
        ({"floor": 0.9999}, "the highest possible.*%."),
        ({"budget": 10}, r"the smallest possible is \d+ MACs an image, where all images stay little\."),
    ):
        with pytest.raises(DuonasError, match=f"{message}{again}{next(iter(target))} [0-9.]+%?`"):
            duonas.rechoose(copy, **target)
    assert before == {path: path.read_bytes() for path in before}


class Warned(Silent):
    """Remembers warnings."""

    def __init__(self):
        self.said = []

    def warn(self, sentence):
        self.said.append(sentence)


def test_a_floor_that_the_pair_does_not_reach_names_the_commands_that_go_on(whole, tmp_path):
    """The highest floor that right answers to all images would hold: known before training, missed after it."""
    highest = duonas.profile(duonas.load_recipe("digits", QUICK)).promise.floor
    recipe = duonas.load_recipe("digits", QUICK)
    recipe = replace(recipe, route=replace(recipe.route, share=None, floor=highest - 1e-6))
    folder = tmp_path / "run"
    with pytest.raises(DuonasError, match=r"The pair is trained and kept: choose another threshold") as refused:
        duonas.run(recipe, folder, supernet=whole)
    named = re.search(
        rf"`duonas route {folder} --floor ([\d.]+%)`, then go on with `duonas run {folder}`", str(refused.value)
    )
    duonas.rechoose(folder, floor=named[1])
    assert read_json(folder / "pair" / "policy.json")["choice"] == {"floor": parse(named[1], SHARE, "floor")}
    duonas.run(duonas.load_recipe(folder), folder, until="export")


OWN_METRIC = """
from duonas.search.metric import PairMetric

class Load(PairMetric):
    varies = True

    def value(self, pair, little_share=1.0):
        return pair.parts["macs"].expected(little_share) ** 0.5
"""


DEAR = """
from duonas.search.metric import ArchMetric

class Dear(ArchMetric):
    dear = True

    def value(self, arch):
        return float(len(arch.labels))
"""


def test_a_search_that_finds_nothing_says_how_to_search_the_same_supernet_again(whole, tmp_path):
    own = tmp_path / "mine.py"
    own.write_text(DEAR)
    recipe = duonas.load_recipe("digits", [*QUICK, "search.evaluations=2"])
    recipe = replace(recipe, search=replace(recipe.search, constraints={f"{own}:Dear": 1.0}))
    folder = tmp_path / "run"
    with pytest.raises(
        DuonasError, match=r"none of the .* evaluated pairs? meets all constraints .*:Dear at most 1 is missed by"
    ) as refused:
        duonas.run(recipe, folder, supernet=whole)
    assert f"`duonas run {folder / 'recipe.toml'} --set search.KEY=VALUE --supernet {folder} --out" in str(
        refused.value
    )


def test_a_threshold_keeps_what_the_search_was_constrained_by_or_the_run_says_that_it_does_not(whole, tmp_path):
    own = tmp_path / "mine.py"
    own.write_text(OWN_METRIC)
    cost = PairCost(**read_json(whole / "pair" / "policy.json")["costs"])
    limit = float(cost.expected(0.8))
    recipe = duonas.load_recipe("digits", QUICK)
    constraints = {"expected_macs": limit, f"{own}:Load": limit**0.5, "peak_macs": 1e9}
    recipe = replace(
        recipe, route=replace(recipe.route, share=None), search=replace(recipe.search, constraints=constraints)
    )
    folder, watch = tmp_path / "run", Warned()
    duonas.run(recipe, folder, until="export", supernet=whole, progress=watch)
    policy = Policy.load(folder / "pair" / "policy.json")
    assert {each.name for each in policy.constraints} == constraints.keys() and all(
        each.kept for each in policy.constraints
    )
    row = next(row for row in policy.table if row.tau == policy.tau)
    figures = {each.name: each.figure for each in policy.constraints}
    assert figures["expected_macs"] == row.expected_macs <= limit
    assert figures[f"{own}:Load"] == pytest.approx(row.expected_macs**0.5)
    assert not any("the search kept" in said for said in watch.said)
    duonas.rechoose(folder, share=0.0, progress=watch)
    (said,) = [said for said in watch.said if "the search kept" in said]
    assert "expected_macs to at most" in said and "mine.py:Load" in said and "% above it" in said and "peak" not in said
    assert [each.kept for each in Policy.load(folder / "pair" / "policy.json").constraints] == [False, False, True]


def test_a_file_that_the_run_does_not_know_is_not_run_when_tau_is_chosen_again(copy, tmp_path):
    """As in a run that somebody shared, whose policy and checksums were edited."""
    strange, path, ran = tmp_path / "strange.py", copy / "pair" / "policy.json", tmp_path / "ran"
    strange.write_text(f"open({str(ran)!r}, 'w').close()\n")
    policy, stages_file = read_json(path), copy / "stages.json"
    policy["router"]["kind"] = f"{strange}:Strange"
    records = stages_file.read_text().replace(checksum(path), checksum(write_json(path, policy)))
    stages_file.write_text(records)
    with pytest.raises(DuonasError, match=r"strange\.py"):
        duonas.rechoose(copy, share=0.3)
    assert not ran.exists()


def test_a_run_without_a_pair_has_no_tau_to_choose(tmp_path):
    stages.RunFolder.open(tmp_path / "run", duonas.load_recipe("digits")).close()
    with pytest.raises(DuonasError, match="has no finished pair yet: resume it first with `duonas run"):
        duonas.rechoose(tmp_path / "run", floor=0.5)
    with pytest.raises(DuonasError, match="is not a run"):
        duonas.rechoose(tmp_path, floor=0.5)


@pytest.mark.parametrize("verb", [duonas.profile, lambda name: duonas.run(name, "run")], ids=["profile", "run"])
def test_a_name_in_place_of_a_recipe_is_told_how_to_load_it(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DuonasError, match=r"expected a recipe, got 'digits': load one with duonas.load_recipe"):
        verb("digits")
    assert not list(tmp_path.iterdir())
