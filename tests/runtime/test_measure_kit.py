"""The program of a device kit, run as a device runs it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from duonas.costs.table import about, read_figures
from duonas.runtime.device_kit import Manifest, NetworkTime, RawTable, Reference, RouterTime, Row
from duonas.runtime.measure_kit import TextReport, doubts, summary

TABLE = RawTable(
    rows={"a": Row(1.0)},
    about={},
    networks=(NetworkTime((0,), "fit", 1.0),),
    routers={"margin@after_little": RouterTime(0.012, 0.0305)},
    reference=Reference(1.0, 1.0, 0.05),
)


def run(kit, *options):
    command = [sys.executable, str(kit / "measure.pyz"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def test_the_program_writes_a_table(kit, tmp_path):
    out = tmp_path / "table.csv"
    done = run(kit, "--minutes", "0.05", "--progress", "lines", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert all(line.startswith("done ") for line in done.stdout.splitlines())
    texts, _ = read_figures(out, "table", ("table", "block"), {"latency": "latency_ms"}, "block")
    assert set(texts) <= {each.block for each in Manifest.load(kit).blocks}
    assert about(out)["threads"] == "1" and about(out)["clock"] in ("processor", "wall")
    assert [each.name for each in tmp_path.iterdir()] == ["table.csv"]


def test_the_memory_of_a_network_is_told(kit):
    found = run(kit, "--memory-of", str(kit / Manifest.load(kit).networks[-1].file))
    assert 10_000 < int(found.stdout) < 100_000_000


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--minutes", "0"], "--minutes must be a finite number above 0, got 0."),
        (["--provider", "abacus"], "has no execution provider 'abacus' here: expected one of "),
        (["--out", "no/such/table.csv"], "--out no/such/table.csv: expected a file in a folder that exists."),
        (["--out", "/dev/full.csv/x.csv"], "expected a file in a folder that exists."),
        (["--out", "table.parquet"], "--out table.parquet: expected the name of a file that ends in .csv."),
        (["--threads", "-1"], "threads must be a whole number of at least 0"),
        (["--threads", "1000000"], f"--threads must be at most {os.cpu_count()}, the cores of this machine, got 1,000"),
        (["--threads", "many"], "argument --threads: invalid int value: 'many': see `measure.pyz --help`."),
        (["--watts", "5V"], "--watts must be a power such as 5W"),
        (["--watts", "0W"], "watts must be above 0"),
    ],
)
def test_a_wrong_option_is_one_sentence(kit, options, sentence):
    told = run(kit, *options)
    assert told.returncode == 2 and told.stderr.startswith("measure.pyz: ") and sentence in told.stderr
    assert len(told.stderr.splitlines()) == 1 and told.stdout == ""


def test_a_table_is_summed_up_in_a_sentence():
    assert summary(TABLE, 9) == (
        "1 of 9 blocks, 1 network, margin@after_little adds 12 us to every image and 30 us to one that goes to big."
    )


def test_what_makes_a_table_worth_less_is_said():
    assert doubts(TABLE, {}) == []
    busy = RawTable(TABLE.rows, {}, reference=Reference(1.0, 2.0, 0.5))
    said = doubts(busy, {"x.onnx": "ONNX Runtime cannot open x.onnx"})
    assert doubts(busy, {}, "It was too short.")[0] == "It was too short." and len(doubts(busy, {}, "It was.")) == 2
    assert [line.partition(" ")[0] for line in said] == ["the", "1", "no"] and "50%" in said[0]


def test_a_person_is_told_every_few_seconds(capsys):
    clock = iter([0.0, 0.0, 3.0, 6.0, 6.0])
    report = TextReport(lambda: next(clock))
    for done in (1, 2, 3):
        report("blocks", done, 9, 60.0)
    assert capsys.readouterr().err.splitlines() == [
        "blocks: 1 of 9; 60 s left at most",
        "blocks: 3 of 9; 60 s left at most",
    ]
