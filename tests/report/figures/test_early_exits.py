"""The figure of early exits: the pair, the networks of several exits and networks alone, against MACs and time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from duonas.report import tables
from duonas.report.figures.early_exits import PAIR, early_exits
from duonas.report.files import read_run

from ..fabricate import fabricate

TIMES = {"stays_little": 1.0, "asks_big": 5.0, "little": 0.9, "big": 4.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with a network of two exits, one of whose points is far beyond the pair."""
    run = read_run(fabricate(tmp_path_factory.mktemp("runs") / "run", images=300))
    peak = run.cost.peak
    points = [{"accuracy": 0.5 + 0.1 * n, "macs": peak * macs, "ms": ms} for n, (macs, ms) in
              enumerate([(0.2, 1.0), (0.9, 4.0), (50.0, 60.0)])]  # fmt: skip
    time = {"times_ms": {"1": {"mean": 2.0, "lower": 2.0, "upper": 2.0}}}
    network = {
        "name": "net", "params": 1000, "epochs": 3, "budgeted": points, "against_pair": {"sentence": "Better."},
        "against_pair_in_time": {"sentence": "Faster."},
        "anytime": [{"exit": n, "macs": 10 * n, "accuracy": 0.5} | time for n in (1, 2)],
    }  # fmt: skip
    known = run["baselines.json"]
    static = [row | time for row in known["networks"]]
    beside = {"times_ms": {name: {"mean": mean} for name, mean in TIMES.items()}}
    found = known | {"networks": static, "exits": [network], "beside": beside}
    return replace(run, contents={**run.contents, "baselines.json": found})


def changed(run, **changes):
    return replace(run, contents={**run.contents, "baselines.json": run["baselines.json"] | changes})


def test_a_chart_against_macs_and_one_against_time(run):
    figure = early_exits(run)
    by_macs, by_time = figure.charts
    titles = [chart["layer"][0]["encoding"]["x"]["title"] for chart in figure.charts]
    assert titles == ["Mean MACs of an image", "Mean time of an image (ms)"]
    pair = [row for row in by_time["datasets"]["lines"] if row["series"] == PAIR]
    assert min(row["ms"] for row in pair) == 1.0 and max(row["ms"] for row in pair) == 5.0
    net = [row["ms"] for row in by_time["datasets"]["lines"] if row["series"] == "net"]
    assert net == [1.0, 4.0, 60.0]
    assert by_time["layer"][0]["encoding"]["x"]["scale"]["domain"][1] < 60.0  # it would squash the curves
    assert {row["series"] for row in by_macs["datasets"]["dots"]} == {"little alone", "big alone", "static baselines"}
    assert figure.caption.endswith("Better. Faster.")
    assert any("net" in row for row in figure.table.rows)


def test_without_times_there_is_one_chart_and_without_such_networks_none(run):
    assert len(early_exits(changed(run, beside=None)).charts) == 1
    assert early_exits(changed(run, exits=[])) is None
    assert early_exits(changed(run, **{"exits": ()})) is None


def test_the_table_has_the_times_where_they_are_known(run):
    found = tables.baselines(run["baselines.json"])
    assert found.head[3] == "Mean time" and found.rows[-1][0] == "net, exit 2"
    known = {row[3] for row in found.rows}
    assert len(known) == 1 and "2.00" in known.pop()
