"""The run directory: made, gone on with, refused, and never half-written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_json
from duonas.core.plugin import load_plugin
from duonas.core.processes import is_main_process
from duonas.core.registry import find
from duonas.recipe.read import dumps, load
from duonas.recipe.schema import Recipe, options_for
from duonas.rundir.environment import describe_environment
from duonas.rundir.folder import RunFolder, sources_of
from duonas.rundir.stages import STAGES

RECIPE = Recipe(seed=3)


@pytest.fixture
def run(tmp_path):
    with RunFolder.open(tmp_path / "run", RECIPE) as opened:
        yield opened


def write(run, name, content="content"):
    path = run.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def do(run, stage, name, content="content"):
    run.start(stage)
    run.finish(stage, [write(run, name, content)])


def test_a_new_run_holds_recipe_and_environment(run):
    assert run.recipe == RECIPE
    assert RunFolder(run.folder).recipe == RECIPE
    assert {
        "python",
        "torch",
        "onnxruntime",
        "cpu",
        "cores",
        "duonas",
        "platform",
        "revision",
    } <= run.environment.keys()
    assert run.stages == {} and run.read_log() == []
    assert not any(run.is_done(stage) for stage in STAGES)


def test_a_finished_stage_is_done_with_checksums_time_and_figures(run):
    run.start("train")
    run.finish("train", [write(run, "supernet.safetensors")], figures={"loss": 0.5})
    record = run.stages["train"]
    assert run.is_done("train")
    assert record["figures"] == {"loss": 0.5} and record["seconds"] >= 0
    assert record["files"]["supernet.safetensors"].startswith("ed7002b439e9ac84")  # SHA-256 of "content"


def test_seconds_can_be_given(run):
    write(run, "supernet.safetensors")
    run.finish("train", ["supernet.safetensors"], seconds=12.3456)
    assert run.stages["train"]["seconds"] == 12.346 and run.is_done("train")


def test_it_is_gone_on_with(run):
    do(run, "train", "supernet.safetensors")
    run.close()
    with RunFolder.open(run.folder, RECIPE) as again:
        assert again.is_done("train") and not again.is_done("search")


def test_a_missing_file_has_its_stage_done_again(run):
    do(run, "pair", "pair/pair.json")
    (run.pair / "pair.json").unlink()
    assert not run.is_done("pair")


def test_a_changed_file_is_refused(run):
    do(run, "train", "supernet.safetensors")
    write(run, "supernet.safetensors", "other")
    with pytest.raises(DuonasError, match=r"supernet\.safetensors is not what stage 'train' wrote"):
        run.is_done("train")


def test_a_stage_that_was_begun_anew_and_killed_is_not_done(run):
    do(run, "train", "supernet.safetensors")
    run.start("train")
    write(run, "supernet.safetensors", "half of the second attempt")
    assert not run.is_done("train")


def test_later_stages_are_forgotten_when_an_earlier_one_wrote_other_bytes(run):
    do(run, "train", "supernet.safetensors")
    do(run, "search", "front.json")
    do(run, "train", "supernet.safetensors", "other weights")
    assert run.is_done("train") and not run.is_done("search")


def test_later_stages_stay_when_an_earlier_one_wrote_the_same_bytes(run):
    do(run, "train", "supernet.safetensors")
    do(run, "search", "front.json")
    do(run, "train", "supernet.safetensors")
    assert run.is_done("train") and run.is_done("search")


def test_stages_are_listed_in_their_order(run):
    for stage in ("train", "search"):
        do(run, stage, f"{stage}.json")
    do(run, "train", "train.json")
    assert list(run.stages) == ["train", "search"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Recipe(seed=4), "was made by another recipe: seed is 3 there and 4 here"),
        (
            Recipe(seed=3, train=options_for("train", epochs=2)),
            "train.epochs is 30 there and 2 here; give another folder",
        ),
    ],
)
def test_another_recipes_folder_is_refused(run, other, message):
    run.close()
    before = sorted(path.name for path in run.folder.iterdir())
    with pytest.raises(DuonasError, match=message):
        RunFolder.open(run.folder, other)
    assert sorted(path.name for path in run.folder.iterdir()) == before
    RunFolder.open(run.folder, RECIPE).close()  # the lock was let go of


def test_an_edited_recipe_is_refused(run):
    run.close()
    path = run.folder / "recipe.toml"
    path.write_text(path.read_text().replace("epochs = 30", "epochs = 31"))
    with pytest.raises(DuonasError, match=r"recipe\.toml was edited after its run began"):
        RunFolder.open(run.folder, RunFolder(run.folder).recipe)


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(DuonasError, match=r"is not empty and not a run \(it holds thesis\.txt\)"):
        RunFolder.open(tmp_path, RECIPE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(DuonasError, match="is a file"):
        RunFolder.open(tmp_path / "run", RECIPE)


def test_what_a_killed_start_leaves_is_no_obstacle(tmp_path):
    (tmp_path / ".lock").write_text("1")
    (tmp_path / ".recipe.toml.abc.part").write_text("seed =")
    with RunFolder.open(tmp_path, RECIPE) as run:
        assert run.recipe == RECIPE


def test_a_folder_that_is_no_run_cannot_be_read(tmp_path):
    with pytest.raises(DuonasError, match=r"is not a run: it holds no recipe\.toml"):
        RunFolder(tmp_path)


def test_a_recipe_made_in_python_is_checked_before_anything_is_written(tmp_path):
    with pytest.raises(DuonasError, match=r"\[train\] epochs must be at least 0, got -1"):
        RunFolder.open(tmp_path / "run", Recipe(train=options_for("train", epochs=-1)))
    assert not (tmp_path / "run").exists()


def test_two_processes_cannot_write_to_one_run(run):
    opens = "RunFolder.open(sys.argv[1], RunFolder(sys.argv[1]).recipe)"
    script = f"import sys; from duonas.rundir.folder import RunFolder; {opens}"
    found = subprocess.run(
        [sys.executable, "-c", script, run.folder], capture_output=True, text=True, check=False, timeout=600
    )
    assert f"another process (number {os.getpid()}) is writing to" in found.stderr
    assert run.recipe == RECIPE


def test_the_log_is_added_to_and_cut_where_a_run_resumes(run):
    for step in (10, 20, 30):
        run.log("train", step=step, loss=1 / step)
    run.log("search", evaluations=4)
    run.truncate_log(20)
    assert [entry.get("step") for entry in run.read_log()] == [10, 20, None]
    assert run.read_log("search") == [{"stage": "search", "evaluations": 4}]


def test_a_resumed_stage_drops_what_the_killed_one_had_logged_past_it(run):
    for step in (10, 20, 30):
        run.log("train", step=step)
    run.close()
    with RunFolder.open(run.folder, RECIPE) as again:
        again.log("train", step=20)
        again.log("train", step=25)
        assert [entry["step"] for entry in again.read_log()] == [10, 20, 25]


def test_a_broken_last_line_is_ignored_and_cut_off(run):
    run.log("train", step=1)
    run.close()
    with run.log_file.open("a") as file:
        file.write('{"stage": "train", "st')
    assert [entry["step"] for entry in run.read_log()] == [1]
    with RunFolder.open(run.folder, RECIPE) as again:
        again.log("train", step=2)
        assert [entry["step"] for entry in again.read_log()] == [1, 2]


def test_a_broken_line_in_the_middle_is_damage(run):
    run.log_file.write_text('{"stage": "train"}\n{"st\n{"stage": "train"}\n')
    with pytest.raises(DuonasError, match=r"log\.jsonl is damaged: line 2"):
        run.read_log()


def test_scalars_with_a_step_go_to_tensorboard(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run.log("train", step=5, loss=0.25, name="not a number")
    run.log("search", evaluations=3)
    run.close()
    events = EventAccumulator(str(run.tensorboard))
    events.Reload()
    assert events.Tags()["scalars"] == ["train/loss"]
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(5, 0.25)]


def test_a_full_disk_is_one_sentence(run, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DuonasError, match=r"cannot write .*log\.jsonl: No space left on device"):
        run.log("train", loss=1.0)
    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DuonasError, match=r"cannot write .*stages\.json: No space left on device"):
        do(run, "train", "supernet.safetensors")
    monkeypatch.undo()
    assert run.stages == {}


def test_another_environment_is_noted_on_resume(run, monkeypatch):
    run.close()
    first = run.environment
    monkeypatch.setattr("duonas.rundir.folder.describe_environment", lambda: describe_environment() | {"torch": "9.9"})
    for _ in range(2):
        RunFolder.open(run.folder, RECIPE).close()
    now = read_json(run.folder / "environment.json")
    assert [entry["torch"] for entry in now.pop("resumed_with")] == ["9.9"]
    assert now == first


@pytest.mark.parametrize(
    ("variables", "main"),
    [({}, True), ({"RANK": "0"}, True), ({"RANK": "1", "LOCAL_RANK": "0"}, False), ({"LOCAL_RANK": "1"}, False)],
)
def test_only_the_first_process_writes(tmp_path, monkeypatch, variables, main):
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_main_process() is main
    with RunFolder.open(tmp_path / "run", RECIPE) as run:
        assert run.writes is main and run.recipe == RECIPE
        run.start("train")
        run.log("train", loss=1.0)
        run.finish("train", [])
        assert (run.folder / "stages.json").exists() is main


def test_paths_are_those_of_the_design(run):
    names = {path.relative_to(run.folder).as_posix() for path in (run.supernet, run.front, run.export, run.report)}
    assert names == {"supernet.safetensors", "front.json", "export", "report.html"}


def test_stages_json_says_what_it_is(run):
    do(run, "train", "supernet.safetensors")
    value = json.loads((run.folder / "stages.json").read_text())
    assert value["version"] == 1 and list(value["stages"]) == ["train"]


OTHER = Recipe(seed=3, route=options_for("route", share=0.25))


def test_a_changed_recipe_leaves_what_comes_before_it_done(run):
    do(run, "pair", "pair/pair.json")
    do(run, "route", "pair/policy.json")
    do(run, "export", "export/policy.json")
    run.change(OTHER, "route")
    assert run.recipe == OTHER and run.is_done("pair") and not run.is_done("route")
    do(run, "route", "pair/policy.json", "another tau")
    assert not run.is_done("export")
    run.close()
    with RunFolder.open(run.folder, OTHER) as again:
        assert again.is_done("route")


@pytest.mark.parametrize("at", [1, 2, 3])
def test_killed_while_the_recipe_changes_the_run_goes_on_with_the_one_that_it_has(run, monkeypatch, at):
    do(run, "pair", "pair/pair.json")
    do(run, "route", "pair/policy.json")
    replace, count = Path.replace, []

    def killed(self, target):
        count.append(target)
        if len(count) == at:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        run.change(OTHER, "route")
    run.close()
    now = RunFolder(run.folder).recipe
    assert now == (OTHER if at == 3 else RECIPE)
    with RunFolder.open(run.folder, now) as again:
        assert again.is_done("pair") and again.is_done("route") is (at == 1)
        again.change(OTHER, "route")
        assert again.recipe == OTHER
    with RunFolder.open(run.folder, OTHER):
        pass
    run.folder.joinpath("recipe.toml").write_text(dumps(Recipe(seed=4)))
    with pytest.raises(DuonasError, match="was edited"):
        RunFolder.open(run.folder, Recipe(seed=4))


@pytest.mark.parametrize("name", ["x" * 300, "x" * 5000])
def test_a_name_that_is_too_long_for_a_folder_is_one_sentence(tmp_path, name):
    with pytest.raises(DuonasError, match="File name too long"):
        RunFolder.open(tmp_path / name, RECIPE)


def test_a_folder_that_is_removed_while_its_run_goes_on_is_one_sentence(run):
    run.log("train", loss=1.0)
    shutil.rmtree(run.folder)
    for act in (lambda: run.log("train", loss=0.5), lambda: run.start("search"), lambda: run.finish("train")):
        with pytest.raises(DuonasError, match=r"cannot write|was removed or emptied"):
            act()
    run.close()
    assert not run.folder.exists()


OWN = """
from duonas.routing.router import Router

class Mine(Router):
    positions = ("after_little",)

    def judge(self, described):
        return described[:, 0]
"""


def test_an_own_part_that_was_edited_is_refused(run, tmp_path):
    run.close()
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    recipe = Recipe(seed=3, route={"router": f"{file}:Mine"})
    with RunFolder.open(tmp_path / "own", recipe) as own:
        do(own, "train", "supernet.safetensors")
    stored = read_json(own.stages_file)
    assert list(stored["sources"]) == [f"{file}:Mine"]
    RunFolder.open(own.folder, recipe).close()
    own.stages_file.write_text(json.dumps(stored | {"sources": {}}))
    with pytest.raises(DuonasError, match=r"mine\.py:Mine is not loaded, since .* did not begin with it"):
        RunFolder.open(own.folder, recipe)
    own.stages_file.write_text(json.dumps(stored))
    file.write_text(OWN + "# edited")
    with pytest.raises(DuonasError, match=r"mine\.py:Mine was edited after .* began"):
        RunFolder.open(own.folder, recipe)
    with pytest.raises(DuonasError, match="was edited"):
        RunFolder(own.folder).check_sources(sources_of(recipe))
    with pytest.raises(DuonasError, match=r"^\S*mine\.py:Mine was edited"):
        load(own.folder)
    assert load(own.folder, new=True) == recipe  # a new run may take the edited file
    file.unlink()
    with pytest.raises(DuonasError, match=r"there is no file .*mine\.py, which .* began with in"):
        load(own.folder)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A run of a relative folder of images and an own part, left by its working directory."""
    home = tmp_path / "home"
    (home / "photos").mkdir(parents=True)
    (home / "mine.py").write_text(OWN)
    monkeypatch.chdir(home)
    recipe = Recipe(data={"name": "folder", "path": "photos"}, route={"router": "mine.py:Mine"})
    with RunFolder.open("runs/one", recipe) as run:
        run.hold_splits({"train": "1"})
        do(run, "train", "supernet.safetensors")
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    return home / "runs" / "one"


def gone_on_with(folder, path):
    recipe = load(folder)
    assert recipe.data.path == str(path)
    with RunFolder.open(folder, recipe) as run:
        assert run.is_done("train") and find("router", "mine.py:Mine").name == "mine.py:Mine"
        run.check_images(recipe)
    assert read_json(folder / "stages.json")["began_in"]["from_run"] == "../.."


def test_a_run_goes_on_from_another_working_directory(elsewhere):
    before = (elsewhere / "recipe.toml").read_bytes()
    gone_on_with(elsewhere, elsewhere.parents[1] / "photos")
    assert (elsewhere / "recipe.toml").read_bytes() == before


def test_a_run_goes_on_under_another_name(elsewhere):
    gone_on_with(elsewhere.rename(elsewhere.with_name("two")), elsewhere.parents[1] / "photos")


def test_a_run_goes_on_where_it_was_moved_with_its_images(elsewhere, tmp_path):
    shutil.move(elsewhere.parents[1], tmp_path / "moved")
    gone_on_with(tmp_path / "moved" / "runs" / "one", tmp_path / "moved" / "photos")


def test_images_that_were_moved_are_noted_where_they_are(elsewhere, monkeypatch):
    home, moved = elsewhere.parents[1], Path("pictures")
    shutil.move(home / "photos", moved)
    with (
        pytest.raises(DuonasError, match=r"are not in photos any more: .* duonas run \S*one --set data\.path=FOLDER"),
        RunFolder.open(elsewhere, load(elsewhere)) as run,
    ):
        run.check_images(run.recipe)
    recipe = load(elsewhere, ["data.path=pictures"])
    with RunFolder.open(elsewhere, recipe) as run:
        with pytest.raises(DuonasError, match=r"its train split is another one"):
            run.hold_splits({"train": "2"})
        run.hold_splits({"train": "1"})
        run.relocate(recipe)
        assert run.is_done("train")
    monkeypatch.chdir(home)  # it is noted for any working directory
    assert load(elsewhere).data.path == str(home.parent / "away" / "pictures")
    RunFolder.open(elsewhere, load(elsewhere)).close()


def test_a_run_goes_on_with_other_threads_which_are_noted(tmp_path):
    with RunFolder.open(tmp_path / "run", Recipe(seed=3)) as run:
        run.finish("train", [])
    with RunFolder.open(tmp_path / "run", Recipe(seed=3, threads=1)) as run:
        run.relocate(Recipe(seed=3, threads=1))
        assert run.is_done("train")
    assert load(tmp_path / "run").threads == 1


def test_a_device_table_that_was_edited_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("block,latency_ms\n")
    RunFolder.open("run", Recipe(search={"device": {"table": "a.csv"}})).close()
    Path("a.csv").rename("b.csv")
    moved = Recipe(search={"device": {"table": "b.csv"}})
    RunFolder.open("run", moved).close()
    Path("b.csv").write_text("block,energy_mj\n")
    with pytest.raises(DuonasError, match=r"the file of search\.device\.table is not that with which run began"):
        RunFolder.open("run", moved)


def test_an_own_part_cannot_end_the_program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("ends.py").write_text("import sys\n\n\ndef end():\n    sys.exit(0)\n")
    end = load_plugin("ends.py:end", "[data] name")
    with (
        pytest.raises(DuonasError, match=r"^ends\.py, line 5: SystemExit: 0; a part must not end the program"),
        RunFolder.open("run", RECIPE),
    ):
        end()
    with pytest.raises(SystemExit), RunFolder.open("run", RECIPE):
        sys.exit(3)  # the program's own


def test_a_class_with_another_name_is_refused(tmp_path):
    hashes = {"train": "1", "test": "2"}
    with RunFolder.open(tmp_path / "run", Recipe()) as run:
        run.hold_splits(hashes, ["a", "b"])
        run.hold_splits(hashes, ["a", "b"])
        assert run.split_hashes() == hashes
        with pytest.raises(DuonasError, match=r"names of the classes changed since .* \('a' is gone and 'aa' is new\)"):
            run.hold_splits(hashes, ["aa", "b"])
        with pytest.raises(DuonasError, match=r"another order"):
            run.hold_splits(hashes, ["b", "a"])
        write_json(run.splits, hashes)  # of an earlier version
        run.hold_splits(hashes, ["aa", "b"])


class Offline:
    name = "offline"

    def __init__(self):
        self.calls = 0

    def add(self, stage, step, figures):
        self.calls += 1
        raise ConnectionError("no route to host.\nwhat the package prints")

    def close(self):
        raise AssertionError("it was left out")


def test_a_tracker_that_fails_is_left_out(run):
    tracker = Offline()
    run._log.track([tracker])
    with pytest.warns(UserWarning, match=r"tracker offline is left out from here on \(no route to host\)"):
        run.log("train", step=1, loss=1.0)
    run.log("train", step=2, loss=0.5)
    run.close()
    assert tracker.calls == 1 and [entry["step"] for entry in run.read_log()] == [1, 2]
