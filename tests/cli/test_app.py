"""The command line: what it calls, what it says, and how it ends."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

import duonas
from duonas.cli.app import app
from duonas.cli.catalogue import PRESETS, SPACES, catalogue
from duonas.core.errors import DuonasError
from duonas.core.progress import Silent
from duonas.pipeline.profile import Feasibility, Profile, Spread
from duonas.recipe.schema import load, shipped
from duonas.rundir.run import Run

MEASURED = {
    "little": {"accuracy": 0.8, "macs": 400_000, "latency_ms": {"p50": 0.1234}},
    "big": {"accuracy": 0.95, "macs": 3_000_000, "latency_ms": {"p50": 0.5}},
    "routed": {"accuracy": 0.94, "expected_macs": 1_300_000, "latency_ms": {"p50": 0.2}, "little_share": 0.7},
    "random": {"accuracy": 0.85},
    "oracle": {"accuracy": 0.97},
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
        with Run.open(folder, recipe) as run:
            progress.warn("little is known.")
            progress.skip("train", "done before")
            with progress.stage("search") as report:
                report(1, 1, accuracy=0.5)
            run.measure.write_text(json.dumps(MEASURED))
        return folder

    def profile(self, recipe):
        self.calls.append({"recipe": recipe})
        if self.fails:
            raise self.fails
        figures = {"macs": Spread(1e5, 1.5e6, 3e6), "peak_memory_bytes": Spread(1024, 2048, 4096)}
        limits = (
            Feasibility("expected_macs", 2e6, True, "the smallest pair needs 400,000"),
            Feasibility("peak_memory_bytes", 512, False, "the smallest pair needs 1,024"),
        )
        couplings = {"nested": 2**70, "sibling": 3**50, "partial": 5**30}
        return Profile(12_345_678_901_234_567_890, couplings, "partial", (1, 3), figures, limits, None, self.refusal)


@pytest.fixture
def pipeline(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    stand_in = Pipeline()
    monkeypatch.setitem(sys.modules, "duonas.pipeline.stages", stand_in)
    monkeypatch.setattr(duonas, "pipeline", stand_in, raising=False)
    return stand_in


def call(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_run_goes_to_runs_by_name_and_ends_with_the_summary(pipeline):
    result = call("run", "quickstart")
    assert result.exit_code == 0, result.output
    assert pipeline.calls == [
        {"recipe": load("quickstart"), "folder": Path("runs/quickstart"), "until": "report", "supernet": None}
    ]
    assert result.stderr == "duonas: little is known.\n"
    assert "train: done before" in result.stdout and "search: done in" in result.stdout
    for expected in ("80.00%", "95.00%", "94.00%", "1.3M", "400k", "0.123 ms", "70.0%", "97.00%"):
        assert expected in result.stdout
    assert result.stdout.rstrip().endswith("report: runs/quickstart/report.html")


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
    result = call(command, "quickstart", "--out", "here", "--set", "train.epochs=2", "-s", "seed=1")
    assert result.exit_code == 0, result.output
    (seen,) = pipeline.calls
    assert (seen["until"], seen["folder"]) == (until, Path("here"))
    assert seen["recipe"] == load("quickstart", ["train.epochs=2", "seed=1"])
    assert ("94.00%" in result.stdout) is summary


def test_a_trained_supernet_can_be_taken_from_another_run(pipeline):
    assert call("search", "quickstart", "--supernet", "runs/other").exit_code == 0
    assert pipeline.calls[0]["supernet"] == Path("runs/other")


def test_a_runs_folder_goes_on_in_itself(pipeline, tmp_path):
    Run.open(tmp_path / "deep" / "mine", load("quickstart", ["seed=9"])).close()
    assert call("run", "deep/mine").exit_code == 0
    assert pipeline.calls[0]["folder"] == Path("deep/mine") and pipeline.calls[0]["recipe"].seed == 9


def test_a_changed_recipe_does_not_go_into_its_folder(pipeline):
    assert call("run", "quickstart").exit_code == 0
    result = call("run", "runs/quickstart", "--set", "train.epochs=1")
    assert result.exit_code == 2
    assert "train.epochs" in result.stderr and "give another folder with --out" in result.stderr


def test_profile_prints_exact_counts_spreads_and_constraints(pipeline):
    result = call("profile", "quickstart", "--set", "seed=4")
    assert result.exit_code == 0, result.output
    assert pipeline.calls[0]["recipe"].seed == 4
    sizes = ("12,345,678,901,234,567,890", f"{2**70:,}", f"{3**50:,}", f"{5**30:,}")
    for expected in (*sizes, "1.5M", "2.0 KiB", "yes", "no", "needs 1,024"):
        assert expected in result.stdout
    assert "partial pairs, the recipe's" in result.stdout and "after stage 1 or 3" in result.stdout


def test_profile_ends_as_a_run_would_where_constraints_cannot_be_met(pipeline):
    pipeline.refusal = "[search] no pair meets all constraints together."
    result = call("profile", "quickstart")
    assert result.exit_code == 2 and result.stderr == f"duonas: {pipeline.refusal}\n"
    assert "needs 1,024" in result.stdout  # the tables say by how much, all the same


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run", "runs/none"], "duonas: there is no run in runs/none: no such folder here."),
        (["run", "quikstart"], "duonas: there is no recipe 'quikstart': did you mean 'quickstart'?"),
        (["run", "quickstart", "--set", "train.epoch=3"], "[train] has no key 'epoch': did you mean 'epochs'?"),
        (["profile", "quickstart", "--set", "train.epochs=x"], "[train] epochs must be a whole number, got 'x'"),
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
    result = call("run", "quickstart")
    assert result.exit_code == 2
    assert result.stderr == "duonas: the image [bold]a.png cannot be read: truncated.\n"


def test_a_bundle_that_does_not_fit_is_one_line_too(pipeline):
    from duonas.runtime import BundleError

    pipeline.fails = BundleError("policy.json does not belong to dynamic.onnx.")
    result = call("run", "quickstart")
    assert result.exit_code == 2
    assert result.stderr == "duonas: policy.json does not belong to dynamic.onnx.\n"


def test_a_full_disk_is_one_line_too(pipeline):
    pipeline.fails = OSError(errno.ENOSPC, "No space left on device", "trials.parquet")
    result = call("run", "quickstart")
    assert result.exit_code == 2
    assert "the disk is full" in result.stderr and "trials.parquet" in result.stderr


def test_ctrl_c_says_how_to_go_on(pipeline):
    pipeline.fails = KeyboardInterrupt()
    result = call("run", "quickstart")
    assert result.exit_code == 130
    assert result.stderr == "duonas: stopped; the same command goes on from here\n"
    assert call("profile", "quickstart").exit_code == 130


def test_a_bug_is_not_hidden(pipeline):
    pipeline.fails = ZeroDivisionError("a bug")
    assert isinstance(call("run", "quickstart").exception, ZeroDivisionError)


def test_only_the_first_of_several_processes_speaks(pipeline, monkeypatch):
    seen = []
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(pipeline, "run", lambda *_, progress, **__: seen.append(progress))
    result = call("run", "quickstart")
    assert result.exit_code == 0 and result.output == ""
    assert isinstance(seen[0], Silent)


def test_list_names_all_there_is():
    result = CliRunner().invoke(app, ["list"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for name in (*shipped(), "mobilenet", "cifar-small", "sandwich", "nsga2", "random", "confidence", "entropy"):
        assert name in result.stdout


def test_the_catalogue_is_what_is_there():
    from duonas.spaces.families import SHIPPED
    from duonas.spaces.mobilenet import PRESETS as SIZES
    from duonas.spaces.nasbench201 import PRESETS as CELLS
    from duonas.spaces.uib import PRESETS as BOTTLENECKS

    assert SPACES.keys() == SHIPPED.keys()
    assert PRESETS.keys() == SIZES.keys() | CELLS.keys() | BOTTLENECKS.keys()
    rows = catalogue()
    assert len({row[:2] for row in rows}) == len(rows) and all(line for _, _, line in rows)


def test_help_gives_examples():
    for command in ("run", "profile", "train", "search", "export", "measure", "report", "rank"):
        result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
        assert result.exit_code == 0 and f"duonas {command} " in result.stdout
    assert "quickstart" in call("--help").stdout


def test_version():
    assert call("--version").stdout == f"duonas {duonas.__version__}\n"


def test_an_unknown_command_is_exit_code_2():
    assert call("trian").exit_code == 2
