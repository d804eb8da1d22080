"""This machine is measured by the program of a kit; here another program stands in for it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import pytest

from duonas.core.errors import DuonasError
from duonas.core.progress import Silent
from duonas.costs.device_table import read_device_table
from duonas.costs.distinct import distinct_blocks
from duonas.pipeline import device
from duonas.pipeline.device import Bench, measure_here, settings_of
from duonas.recipe.schema import parse
from duonas.runtime.device_kit import Settings

MEASURES = """
import sys
from pathlib import Path
from duonas.runtime.device_kit import Manifest, NetworkTime, RawTable, Row
kit, raw = map(Path, sys.argv[1:3])
manifest = Manifest.load(kit)
print("done 1 2 1.4 blocks", flush=True)
print("measure.pyz: the machine was busy.", file=sys.stderr)
rows = {each.block: Row(1.0 + number) for number, each in enumerate(manifest.blocks)}
networks = [
    NetworkTime(each.blocks, each.use, 2 * sum(1.0 + place for place in each.blocks)) for each in manifest.networks
]
RawTable(rows, {"device": "made up"}, tuple(networks)).save(raw)
"""
FAILS = "import sys; print('measure.pyz: no block could be measured: why.', file=sys.stderr); sys.exit(2)"
CRASHES = "import sys; print('Traceback ...', file=sys.stderr); sys.exit(-11)"
SLEEPS = "import time; print('done 0 9 60 blocks', flush=True); time.sleep(60)"


@pytest.fixture
def instead(kit, monkeypatch):
    """Lets another program stand in for that of the kit, which is not written anew."""
    monkeypatch.setattr(device, "write_kit", lambda source, settings, folder, progress: shutil.copytree(kit, folder))

    def stand_in(code):
        monkeypatch.setattr(
            device, "_command", lambda kit, bench, raw: [sys.executable, "-c", code, str(kit), str(raw)]
        )

    return stand_in


class Watching(Silent):
    """Keeps what is reported."""

    def __init__(self):
        self.seconds, self.warnings = [], []

    def stage(self, name):
        return super().stage(name) if name != "device" else self

    def __enter__(self):
        return lambda done, total, **_: self.seconds.append((done, total))

    def __exit__(self, *_):
        pass

    def warn(self, sentence):
        self.warnings.append(sentence)


def test_a_table_of_this_machine_is_complete_and_calibrated(kit_source, tmp_path, instead):
    instead(MEASURES)
    watch, out = Watching(), tmp_path / "here.parquet"
    table = measure_here(kit_source, Bench(Settings(minutes=0.05)), out, watch)
    blocks = {block.key for block in distinct_blocks(kit_source.pairs)}
    assert set(table.blocks) == blocks and table.measured.all()
    assert table.about["calibration"]["factor"] == pytest.approx(2, rel=1e-3)
    read = read_device_table(out, {"latency_ms": "latency_ms"})
    assert read.blocks == table.blocks and read.about["device"] == "made up"
    assert watch.seconds == [(0, 3), (2, 3), (3, 3)] and watch.warnings == ["the machine was busy."]
    assert [each.name for each in tmp_path.iterdir()] == ["here.parquet"]


ONLY = 'rows = {each: row for each, row in rows.items() if json.loads(each)["kind"] != "input"}\nRawTable('


def test_too_short_a_time_is_said_with_what_would_do_and_no_temporary_file(kit_source, tmp_path, instead):
    instead("import json" + MEASURES.replace("RawTable(", ONLY).replace(", tuple(networks)", ""))
    with pytest.raises(DuonasError) as refused:
        measure_here(kit_source, Bench(Settings(minutes=0.3)), tmp_path / "here.parquet")
    assert str(refused.value) == (
        "0.3 minutes were too short to measure this machine: no block of the kind 'input' was measured, of which this "
        "space has 1; give it more time, as by --set search.device.minutes=2."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (FAILS, "this machine cannot be measured: no block could be measured: why."),
        (CRASHES, "this machine cannot be measured: its program ended with exit code"),
    ],
)
def test_a_program_that_fails_is_one_sentence(kit_source, tmp_path, instead, code, sentence):
    instead(code)
    with pytest.raises(DuonasError, match=sentence):
        measure_here(kit_source, Bench(Settings(minutes=0.05)), tmp_path / "here.csv")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_the_program(monkeypatch):
    processes, start = [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: processes.append(start(*a, **k)) or processes[-1])

    def interrupted(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        device._run([sys.executable, "-c", SLEEPS], 120, interrupted)
    assert processes[0].returncode == -signal.SIGTERM


def test_the_recipe_says_how_a_device_is_measured():
    recipe = parse({"search": {"device": {"minutes": 2, "threads": 3, "precision": "fp16"}}})
    expected = Settings(minutes=2, threads=3, spinning=True, precision="fp16")
    assert settings_of(recipe, spinning=True) == expected


def test_watts_are_given_to_the_program(tmp_path):
    command = device._command(tmp_path, Bench(Settings(), watts=5.0), tmp_path / "raw.csv")
    assert command[-2:] == ["--watts", "5.0"]
