"""The command line: what it calls, what it says, and how it ends."""

from __future__ import annotations

import errno
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

import duonas
import duonas.pipeline
from duonas.cli.app import app
from duonas.core.errors import DuonasError
from duonas.core.plugin import load_plugin
from duonas.core.progress import Silent
from duonas.core.registry import KINDS, names, summary
from duonas.data.listing import Problem
from duonas.data.report import report_data
from duonas.pipeline.profile import Feasibility, Profile, Spread
from duonas.recipe.read import load, shipped
from duonas.rundir.folder import RunFolder
from duonas.search.metric import metrics
from support import listings

BY_CLASS = {"balanced_accuracy": 0.765, "worst_class": {"class": "rare", "images": 4, "accuracy": 0.25}}
MEASURED = {
    "little": {"accuracy": 0.8, "macs": 400_000, "latency_ms": {"p50": 0.1234}} | BY_CLASS,
    "big": {"accuracy": 0.95, "macs": 3_000_000, "latency_ms": {"p50": 0.5}} | BY_CLASS,
    "routed": {
        "accuracy": 0.94,
        "expected_macs": 1_300_000,
        "latency_ms": {"p50": 0.2},
        "little_share": 0.7,
        **BY_CLASS,
    },
    "majority": {
        "class": "[common]",
        "accuracy": 0.61,
        "balanced_accuracy": 0.5,
        "p_value": 0.001,
        "better": True,
        "images": 2000,
        "imbalance": 2.5,
    },
    "random": {"accuracy": 0.85, "expected_macs": 1_300_000},
    "oracle": {"accuracy": 0.97, "expected_macs": 1_234_567},
}


class Pipeline(ModuleType):
    """Stands in for ``duonas.pipeline.stages``; remembers how it was called."""

    def __init__(self):
        super().__init__("duonas.pipeline.stages")
        self.calls = []
        self.fails = self.refusal = None

    def run(self, recipe, folder, *, until="report", supernet=None, progress=None):
        self.calls.append({"recipe": recipe, "folder": folder, "until": until, "supernet": supernet})
        if self.fails:
            raise self.fails
        with RunFolder.open(folder, recipe) as run:
            progress.warn("little is known.")
            progress.skip("train", "done before")
            with progress.stage("search") as report:
                report(1, 1, accuracy=0.5)
            run.measure.write_text(json.dumps(MEASURED))
        return folder

    def profile(self, recipe, progress):
        self.calls.append({"recipe": recipe})
        if self.fails:
            raise self.fails
        figures = {"macs": Spread(1e5, 1.5e6, 3e6), "peak_memory_bytes": Spread(1024, 2048, 4096)}
        limits = (
            Feasibility("expected_macs", 2e6, True, "the smallest pair needs 400,000"),
            Feasibility("peak_memory_bytes", 512, False, "the smallest pair needs 1,024"),
        )
        couplings = {"nested": 2**70, "sibling": 3**50, "partial": 5**30}
        archs, advice = 12_345_678_901_234_567_890, "" if self.refusal else "the preset is for others."
        return Profile(archs, couplings, "partial", (1, 3), figures, limits, refusal=self.refusal, advice=advice)


@pytest.fixture
def pipeline(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    stand_in = Pipeline()
    monkeypatch.setitem(sys.modules, "duonas.pipeline.stages", stand_in)
    monkeypatch.setattr(duonas.pipeline, "stages", stand_in, raising=False)
    monkeypatch.setattr("duonas.pipeline.profile.profile", stand_in.profile)
    return stand_in


def call(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_run_goes_to_runs_by_name_and_ends_with_the_summary(pipeline):
    result = call("run", "digits")
    assert result.exit_code == 0, result.output
    assert pipeline.calls == [
        {"recipe": load("digits"), "folder": Path("runs/digits"), "until": "report", "supernet": None}
    ]
    assert result.stderr == "duonas: little is known.\n"
    assert "train: done before" in result.stdout and "search: done in" in result.stdout
    for expected in (
        "80.00%",
        "95.00%",
        "94.00%",
        "1.3M",
        "400k",
        "0.123 ms",
        "70.0%",
        "97.00%",
        "1.235M",
        "76.50%",
        "25.00%",
    ):
        assert expected in result.stdout
    assert "always [common]" in result.stdout and "guessing" not in result.stdout
    assert result.stdout.rstrip().endswith("report: runs/digits/report.html")


def test_a_pair_that_is_no_better_than_guessing_is_called_that(pipeline, monkeypatch):
    monkeypatch.setitem(MEASURED, "majority", MEASURED["majority"] | {"accuracy": 0.95, "better": False})
    said = " ".join(call("run", "digits").stdout.split())
    assert "no better than guessing: always answering '[common]' is right on 95.0%" in said
    said_of = " ".join(call("run", "digits", "--set", "train.sampling=balanced", "-o", "other").stdout.split())
    assert "no better than guessing" in said_of and "class_weights" not in said_of
    assert "of the images of 'rare' it gets 25.0% right" in said and "class_weights = 'balanced'" in said


def test_what_a_network_alone_does_better_is_said(pipeline, monkeypatch):
    monkeypatch.setitem(MEASURED, "routed", MEASURED["routed"] | {"expected_macs": 3_100_000})
    said = " ".join(call("run", "digits").stdout.split())
    assert (
        "Use big alone (big.onnx): the routed pair needs 3.1M MACs against 3M and is 1.0 points less accurate."
    ) in said
    assert said.index("does it pay") < said.index("Use big alone")


def test_a_measurement_of_another_version_is_told_in_one_sentence(pipeline, monkeypatch):
    monkeypatch.delitem(MEASURED, "majority")
    result = call("run", "digits")
    assert result.exit_code == 2 and "measure.json lacks 'majority'" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("command", "until", "summary"),
    [
        ("run", "report", True),
        ("train", "train", False),
        ("search", "pair", False),
        ("export", "export", False),
        ("measure", "measure", True),
        ("report", "report", True),
    ],
)
def test_each_verb_goes_as_far_as_its_name_says(pipeline, command, until, summary):
    result = call(command, "digits", "--out", "here", "--set", "train.epochs=2", "-s", "seed=1")
    assert result.exit_code == 0, result.output
    (seen,) = pipeline.calls
    assert (seen["until"], seen["folder"]) == (until, Path("here"))
    assert seen["recipe"] == load("digits", ["train.epochs=2", "seed=1"])
    assert ("94.00%" in result.stdout) is summary


def test_a_report_takes_what_devices_found_out(pipeline, monkeypatch):
    noted = []
    monkeypatch.setattr(
        "duonas.pipeline.benches.add_benches", lambda *given: noted.append((*given, len(pipeline.calls)))
    )
    assert call("report", "digits", "--out", "here", "--device", "a.json", "--device", "b.json").exit_code == 0
    assert noted == [(Path("here"), [Path("a.json"), Path("b.json")], 0)] and len(pipeline.calls) == 1


def test_what_no_device_wrote_is_one_line_before_any_stage(pipeline):
    result = call("report", "digits", "--device", "a.json")
    assert result.exit_code == 2 and pipeline.calls == []
    assert "runs/digits is not a run" in " ".join(result.stderr.split())


def test_a_trained_supernet_can_be_taken_from_another_run(pipeline):
    assert call("search", "digits", "--supernet", "runs/other").exit_code == 0
    assert pipeline.calls[0]["supernet"] == Path("runs/other")


def test_a_runs_folder_goes_on_in_itself(pipeline, tmp_path):
    RunFolder.open(tmp_path / "deep" / "mine", load("digits", ["seed=9"])).close()
    assert call("run", "deep/mine").exit_code == 0
    assert pipeline.calls[0]["folder"] == Path("deep/mine") and pipeline.calls[0]["recipe"].seed == 9


def test_a_changed_recipe_does_not_go_into_its_folder(pipeline):
    assert call("run", "digits").exit_code == 0
    result = call("run", "runs/digits", "--set", "train.epochs=1")
    assert result.exit_code == 2
    assert "train.epochs" in result.stderr and "give another folder with --out" in result.stderr


def test_profile_prints_exact_counts_spreads_and_constraints(pipeline):
    result = call("profile", "digits", "--set", "seed=4")
    assert result.exit_code == 0, result.output
    assert pipeline.calls[0]["recipe"].seed == 4
    sizes = ("12,345,678,901,234,567,890", f"{2**70:,}", f"{3**50:,}", f"{5**30:,}")
    for expected in (*sizes, "1.5M", "2.0 KB", "yes", "no", "needs 1,024"):
        assert expected in result.stdout
    assert "partial pairs, the recipe's" in result.stdout and "after stage 1 or 3" in result.stdout
    assert "[green]" not in result.output and "[/" not in result.output
    assert "duonas: the preset is for others." in result.stderr


def test_profile_ends_as_a_run_would_where_constraints_cannot_be_met(pipeline):
    pipeline.refusal = "[search] no pair meets all constraints together."
    result = call("profile", "digits")
    assert result.exit_code == 2 and result.stderr == f"duonas: {pipeline.refusal}\n"
    assert "needs 1,024" in result.stdout  # the tables say by how much, all the same


@pytest.fixture
def inspected(monkeypatch, tmp_path):
    """Stands in for the inspection of images; the report that it gives can be changed."""
    given = {"report": report_data(listings.inspected(listings.listed({"cat": 400, "dog": 400})))}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("duonas.pipeline.inspect.inspect", lambda recipe, progress: given["report"])
    return given


def test_data_prints_the_report_and_writes_all_of_it(inspected):
    result = call("data", "digits", "--json", "data.json")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{inspected['report']}\n"
    assert json.loads(Path("data.json").read_text()) == inspected["report"].to_json()


def test_data_ends_as_a_run_would_where_there_are_errors(inspected):
    names = tuple(f"cat/[b]{number}.png (truncated)" for number in range(12))
    lost = Problem("broken", "12 images cannot be read", names, error=True)
    inspected["report"] = replace(inspected["report"], problems=(lost,))
    result = call("data", "digits")
    assert result.exit_code == 2
    assert result.stderr == "duonas: a run would stop: the data has 1 error. This must be put right first.\n"
    inspected["report"] = replace(inspected["report"], can_skip=True)
    assert "leave the files out with --set data.on_error=skip" in call("data", "digits").stderr
    assert "error: 12 images cannot be read: cat/[b]0.png (truncated)" in result.stdout
    assert "and 2 more." in result.stdout and "cat/[b]11.png" not in result.stdout
    assert "cat/[b]11.png" in call("data", "digits", "--names", "100").stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run", "runs/none"], "duonas: there is no run in runs/none: the folder does not exist."),
        (["run", "quikstart"], "duonas: there is no recipe 'quikstart': did you mean 'quickstart'?"),
        (["run", "digits", "--set", "train.epoch=3"], "[train] has no key 'epoch': did you mean 'epochs'?"),
        (["profile", "digits", "--set", "train.epochs=x"], "[train] epochs must be a whole number, got 'x'"),
        (["train", "no.toml"], "duonas: there is no recipe file no.toml."),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(pipeline, args, message):
    result = call(*args)
    assert result.exit_code == 2
    assert message in result.stderr and result.stderr.count("\n") == 1
    assert "Traceback" not in result.output and pipeline.calls == []
    assert list(Path().iterdir()) == []


def test_a_mistake_found_at_work_is_one_line_too(pipeline):
    pipeline.fails = DuonasError("the image [bold]a.png cannot be read:\n  truncated.")
    result = call("run", "digits")
    assert result.exit_code == 2
    assert result.stderr == "duonas: the image [bold]a.png cannot be read: truncated.\n"


def test_a_list_of_mistakes_has_a_line_for_each(pipeline):
    pipeline.fails = DuonasError(
        "the data cannot be used as they are:\n- class 'a' is\n  empty\n- [b].png cannot be read\n\nFix\nthem."
    )
    result = call("run", "digits")
    assert result.exit_code == 2
    lines = ["the data cannot be used as they are:", "- class 'a' is empty", "- [b].png cannot be read", "Fix them."]
    assert result.stderr == "duonas: " + "\n".join(lines) + "\n"


def test_a_bundle_that_does_not_fit_is_one_line_too(pipeline):
    from duonas.runtime import BundleError

    pipeline.fails = BundleError("policy.json does not belong to dynamic.onnx.")
    result = call("run", "digits")
    assert result.exit_code == 2
    assert result.stderr == "duonas: policy.json does not belong to dynamic.onnx.\n"


def test_a_full_disk_is_one_line_too(pipeline):
    pipeline.fails = OSError(errno.ENOSPC, "No space left on device", "trials.parquet")
    result = call("run", "digits")
    assert result.exit_code == 2
    assert "the disk is full" in result.stderr and "trials.parquet" in result.stderr


def test_ctrl_c_says_how_to_go_on(pipeline):
    pipeline.fails = KeyboardInterrupt()
    result = call("run", "digits")
    assert result.exit_code == 130
    assert result.stderr == "duonas: stopped; repeat the command to resume\n"
    assert call("profile", "digits").exit_code == 130


def test_a_bug_is_not_hidden(pipeline):
    pipeline.fails = ZeroDivisionError("a bug")
    assert isinstance(call("run", "digits").exception, ZeroDivisionError)


@pytest.mark.parametrize("ends", ["raise ValueError('no\\n such thing.')", "sys.exit(0)", "1 / 0", "open('nowhere')"])
def test_a_fault_of_the_users_own_part_is_one_line_that_says_where(pipeline, monkeypatch, ends):
    Path("own.py").write_text(f"import sys\n\n\ndef read(*_, **__):\n    {ends}\n")
    monkeypatch.setattr(pipeline, "run", load_plugin("own.py:read", "[data] name"))
    result = call("run", "digits")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1 and "Traceback" not in result.output
    assert result.stderr.startswith("duonas: own.py, line 5: ")


def test_only_the_first_of_several_processes_speaks(pipeline, monkeypatch):
    seen = []
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(pipeline, "run", lambda *_, progress, **__: seen.append(progress))
    result = call("run", "digits")
    assert result.exit_code == 0 and result.output == ""
    assert isinstance(seen[0], Silent)


@pytest.mark.parametrize("command", ["run", "train", "measure", "report", "profile"])
def test_images_and_minutes_are_given_to_any_recipe(pipeline, make_folder, command):
    folder = make_folder({"a": 4, "b": 4}, size=(50, 60))
    result = call(command, "own-images", "--images", folder, "--minutes", "30")
    assert result.exit_code == 0, result.output
    recipe = pipeline.calls[0]["recipe"]
    assert (recipe.data.path, recipe.data.image_size, recipe.budget.minutes) == (str(folder), 64, 30)
    said = "recipe own-images-64: the short sides of the images have a median of 50 pixels."
    assert result.stdout.splitlines()[0] == said
    if command == "run":
        assert pipeline.calls[0]["folder"] == Path("runs/own-images")
    assert call(command, "digits", "--images", folder, "--minutes", "30").exit_code == 0


def test_the_data_of_ones_own_images_are_shown(tmp_path, make_folder):
    folder = make_folder({"a": 4, "b": 4}, size=(50, 60))
    result = call("data", "own-images", "--images", folder, "--set", f"data.cache={tmp_path / 'cache'}")
    assert result.exit_code == 0 and "the networks see: 64 x 64 RGB" in result.stdout


def test_own_images_without_images_is_one_sentence():
    result = call("run", "own-images")
    assert result.exit_code == 2 and "recipe own-images needs your images: --images FOLDER" in result.stderr
    assert "Traceback" not in result.output


def listed(*arguments):
    return CliRunner().invoke(app, ["list", *arguments], env={"COLUMNS": "200"})


def test_list_names_all_there_is():
    result = listed()
    assert result.exit_code == 0
    parts = (part for kind in KINDS for part in (metrics() if kind == "metric" else names(kind)))
    for name in (*shipped(), *filter(names, KINDS), *parts):
        assert name in result.stdout
    assert all(summary(kind, name) for kind in KINDS for name in names(kind))


def test_one_kind_is_listed_alone_and_one_part_with_its_keys():
    assert "cotrain" in listed("rule").stdout and "nsga2" not in listed("rule").stdout
    one = listed("rule", "focus-fair").stdout
    assert "focus_temperature" in one and "1.5" in one and "softmax over beta" in one and "epochs" not in one
    assert "loss.alpha" in listed("rule", "cotrain").stdout
    assert "has no keys" in listed("score", "margin").stdout


def test_metrics_are_listed_by_the_names_that_a_recipe_takes():
    text = listed("metric").stdout
    assert all(re.search(rf"\b{name}\b", text) for name in metrics())
    assert not re.search(r"^metric +(expected|peak|member|stored)\b(?!_)", text, re.MULTILINE)
    one = listed("metric", "peak_latency_ms").stdout
    assert "most expensive image" in one and "Names: peak_macs, peak_latency_ms, peak_energy_mj." in one


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_can_be_shown(kind):
    for name in metrics() if kind == "metric" else names(kind):
        result = listed(kind, name)
        assert result.exit_code == 0 and result.stdout.strip(), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ruel"], "no kind of part 'ruel': did you mean 'rule'?"),
        (["rule", "cotrian"], "[train] rule has no choice 'cotrian': did you mean 'cotrain'?"),
        (["recipe", "digits"], "duonas profile digits"),
        (["metric", "peak_mac"], "there is no metric 'peak_mac': did you mean 'peak_macs'"),
        (["rule", "nowhere.py:Mine"], "there is no file nowhere.py"),
    ],
)
def test_what_is_not_there_to_list_is_said(arguments, message):
    result = listed(*arguments)
    assert result.exit_code == 2 and message in result.output.replace("\n", " ")


def test_help_gives_examples():
    for command in ("run", "profile", "train", "search", "export", "measure", "report", "rank"):
        result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
        assert result.exit_code == 0 and f"duonas {command} " in result.stdout
    assert "quickstart" in call("--help").stdout


def test_version():
    assert call("--version").stdout == f"duonas {duonas.__version__}\n"


def test_an_unknown_command_is_exit_code_2():
    assert call("trian").exit_code == 2


def test_a_path_that_the_system_refuses_is_one_line(pipeline):
    for arguments, message in (
        (["run", "x" * 5000], "there is no recipe 'xxx"),
        (["run", "digits", "--out", "y" * 300], "File name too long"),
        (["run", "digits", "--out", "~nouser/x"], "--out = '~nouser/x': the user 'nouser' does not exist"),
        (["run", "digits", "--set", f"train.epochs={'z' * 5000}"], "must be a whole number"),
    ):
        result = call(*arguments)
        assert result.exit_code == 2 and message in result.stderr and result.stderr.count("\n") == 1
        assert len(result.stderr) < 700


def test_an_empty_folder_name_is_refused(pipeline):
    for command in (["run", "digits"], ["compare", "study.toml"]):
        result = call(*command, "--out", "")
        assert result.exit_code == 2 and "must be the name of a folder" in result.stderr
    assert pipeline.calls == [] and list(Path().iterdir()) == []
