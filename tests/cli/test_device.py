"""``duonas device``: what it writes, what it says, and what it refuses before any work."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from duonas.cli.app import app
from duonas.pipeline import device
from duonas.runtime.device_kit import Manifest

SMALL = {"width": "[0.5]", "depth": "[1]", "kernel": "[3]", "expansion": "[1, 2]"}
SETS = [part for name, values in SMALL.items() for part in ("--set", f"space.axes.{name}={values}")]
MEASURES = """
import sys
from pathlib import Path
from duonas.runtime.device_kit import RawTable, Manifest, RouterTime, Row
kit, raw = map(Path, sys.argv[1:3])
rows = {each.block: Row(1.0) for each in Manifest.load(kit).blocks}
RawTable(rows, {"device": "made up"}, routers={"margin@after_little": RouterTime(0.012, 0.025)}).save(raw)
"""


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch):
    monkeypatch.setattr(device.kit_source, "__defaults__", (None,))


@pytest.fixture
def run():
    return lambda *command: CliRunner().invoke(app, ["device", *map(str, command)])


def test_a_provider_that_no_device_has_is_no_kit(run, tmp_path):
    told = run("kit", "digits", "--out", tmp_path / "kit", "--provider", "CUDAA", *SETS)
    assert told.exit_code == 2 and "no execution provider 'CUDAA': did you mean CUDA?" in " ".join(told.stderr.split())
    assert not list(tmp_path.iterdir())


def test_a_kit_has_the_settings_of_the_command_line(run, tmp_path):
    done = run("kit", "digits", "--out", tmp_path / "kit", "--threads", 2, "--minutes", 0.5, "--spinning", *SETS)
    assert done.exit_code == 0, done.output
    manifest = Manifest.load(tmp_path / "kit")
    assert (manifest.settings.threads, manifest.settings.minutes, manifest.settings.spinning) == (2, 0.5, True)
    said = " ".join(done.stdout.split())
    assert f"{len(manifest.blocks)} blocks, 4 networks, 2 routed pairs. Copy the folder" in said


def test_a_bench_writes_a_table_and_says_how_far_it_is_off(run, tmp_path, monkeypatch):
    command = [sys.executable, "-c", MEASURES]
    monkeypatch.setattr(device, "_command", lambda kit, bench, raw: [*command, str(kit), str(raw)])
    done = run("bench", "digits", "--out", tmp_path / "here.csv", *SETS)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "here.csv").read_text().startswith("# device = made up")
    said = " ".join(done.stdout.split())
    assert " blocks measured. No whole network was measured beside the blocks" in said
    assert "Routing by margin@after_little adds 12 us to every image, and 25 us to one that goes to big." in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--minutes", "0"], "device.minutes"),
        (["--precision", "fp8"], "did you mean 'fp32'?"),
        (["--watts", "-5W"], "--watts must be above 0"),
        (["--watts", "5mJ"], "--watts must be a power"),
        (["--provider", "abacus"], "no execution provider 'abacus' here"),
        (["--out", "no/such/table.csv"], "expected a file in a folder that exists"),
    ],
)
def test_a_wrong_option_is_refused_before_any_work(run, monkeypatch, options, sentence):
    monkeypatch.setattr(device, "write_kit", lambda *_: pytest.fail("work began"))
    told = run("bench", "digits", *options)
    assert told.exit_code == 2 and sentence in " ".join(told.stderr.split())


def test_a_folder_that_is_there_is_not_overwritten(run, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    told = run("kit", "digits", "--out", tmp_path, *SETS)
    assert told.exit_code == 2 and "exists already: give another folder for the kit" in " ".join(told.stderr.split())
