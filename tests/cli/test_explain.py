"""``duonas explain`` and ``duonas route``: what they say and how they end."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import duonas
import duonas.pipeline
from duonas.cli import explain as explaining
from duonas.cli.app import app
from duonas.cli.explain import decision
from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.recipe.read import load
from duonas.recipe.schema import options_for, rechosen
from duonas.routing.constraints import Constraint
from duonas.routing.policy import Policy
from duonas.routing.route import CalibrationSet, Timed, decide
from duonas.routing.routers.confidence import Confidence
from duonas.routing.threshold import sweep
from duonas.rundir.folder import RunFolder
from duonas.runtime.prepare import Preparation

TIMES = PairCost(stem=0, router=0, little=0.5, big=2.0)
UNDECIDED = Policy(
    Confidence("margin", 1.2), float("inf"), {}, (), PairCost(stem=50_000, router=0, little=100_000, big=1_000_000),
    num_classes=10, preparation=Preparation(8), images=2000,
)  # fmt: skip


def judged(limit=1.0):
    """Scores that know a good deal of where little is right, of a pair that was searched with a limit in ms."""
    rng = stream(0, "explain")
    score = rng.random(2000).astype(np.float32)
    curve = sweep(rng.random(2000), rng.random(2000) < 0.8, rng.random(2000) < 0.9)
    ladder = curve.tau[curve.thinned()].astype(np.float32)
    little, big = rng.random(2000) < 0.6 + 0.4 * score, rng.random(2000) < 0.95
    latency = Constraint("expected_latency_ms", limit, "min", np.linspace(0.3, 0.1, 2001))
    return CalibrationSet(ladder, score, little, big, np.arange(2000) % 10, 10, (latency,))


def explain(folder):
    """What is printed on a wide terminal, as text."""
    console = Console(width=2000)
    with console.capture() as printed:
        console.print(*explaining.explain(folder), sep="\n\n", markup=False, highlight=False)
    return printed.get()


def decided(limit=1.0, **target):
    watts = target.get("watts")
    timed = Timed(TIMES, TIMES.scaled(watts or 2.0), watts) if "latency" in target or "energy" in target else None
    return decide(UNDECIDED, judged(limit), options_for("route", **target), timed)


def write(folder, limit=1.0, **target):
    """A run that has come as far as its export."""
    with RunFolder.open(folder, rechosen(load("digits"), **target) if target else load("digits")) as run:
        run.finish("route", [decided(limit, **target).save(run.pair / "policy.json")])
    return folder


def test_it_says_what_tau_does_and_what_is_promised(tmp_path):
    said = explain(write(tmp_path / "run", floor=0.9))
    policy = decided(floor=0.9)
    row = next(row for row in policy.table if row.tau == policy.tau)
    kept = round(100 * row.little_share)
    for expected in (
        "The router is confidence, by margin: the highest probability minus the second highest. It reads",
        f"An image stays little when its score is at least tau = {row.tau:.4g}.",
        f"Of 100 images about {kept} stay little and {100 - kept} go to big.",
        "An image that stays little costs 150k MACs and one that goes to big 1.15M; on average",
        f"Its accuracy is {row.accuracy:.1%} on the 2,000 calib images that tau was chosen on (90% interval",
        "more of 100 images to big", "more of 100 images to little",
        "Tau is the cheapest threshold that guarantees an accuracy of 90%. The guarantee has 95% confidence",
        "duonas report", f"duonas route {tmp_path / 'run'} --share {row.little_share:.0%}",
    ):  # fmt: skip
        assert expected in said
    (marked,) = [line for line in said.splitlines() if line.startswith("->")]
    assert f"{row.tau:.4g}" in marked and f"{row.holds:.1%}" in marked
    (alone,) = [line.split() for line in said.splitlines() if line.strip().startswith("big alone")]
    assert alone[3] == f"{policy.table[0].accuracy:.1%}" and alone[-1] == "1.05M"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"budget": 6e5}, "costs at most 600,000 MACs per image on average. That holds on calib and is not"),
        ({"share": 0.7}, "little share is nearest to 70%."),
        ({"latency": 1.5}, "takes at most 1.5 ms per image on average"),
        ({"energy": 3.0, "watts": 2.0}, "at most 3 mJ per image on average, as measured latency times 2 W"),
        ({"energy": 3.0}, "at most 3 mJ per image on average, as was measured by the energy meter of the machine"),
        ({}, "as accurate as big, to within 0.5%"),
    ],
)
def test_it_says_how_tau_was_chosen(tmp_path, target, expected):
    said = explain(write(tmp_path / "run", **target))
    assert expected in said
    assert ("0.5 ms if it stays little, 2.5 ms if it goes to big, and" in said) is (
        "latency" in target or "energy" in target
    )


def test_it_ends_with_the_verdict(tmp_path):
    folder = write(tmp_path / "run", share=0.6)
    alone = {"accuracy": 0.9, "macs": 100}
    measured = {
        "routed": {"accuracy": 0.89, "expected_macs": 110, "little_share": 0.6}, "big": alone,
        "little": {"accuracy": 0.8, "macs": 30},
    }  # fmt: skip
    with RunFolder.open(folder, RunFolder(folder).recipe) as run:
        run.measure.write_text(json.dumps(measured))
        run.finish("measure", [run.measure])
    assert " ".join(explain(folder).split()).endswith(
        "On the test split the accuracy is 89.0% for 110 MACs per image, and 60% of the images stay little. Use big "
        "alone (big.onnx): the routed pair needs 110 MACs against 100 and is 1.0 points less accurate. Little and the "
        "router together need more MACs than they save. Let the search find a little further from big (a limit on "
        "little_latency_ms or little_macs in [search.constraints]), or take a larger big."
    )
    run.measure.write_text(json.dumps(measured | {"unlike_calib": "test is unlike calib."}))
    assert "stay little. Warning: test is unlike calib. Use big alone" in " ".join(explain(folder).split())
    run.measure.write_text(json.dumps(measured | {"verdict": {"sentence": "Use big alone."}}))
    with pytest.raises(DuonasError, match=r"measure\.json is damaged or of another version"):
        explain(folder)


@pytest.mark.parametrize(
    ("limit", "target", "expected"),
    [
        (0.25, {"share": 0.6}, "search kept expected_latency_ms to at most 0.25 ms, and the deployed pair has 0.18 ms"),
        (0.15, {"share": 0.6}, "at most 0.15 ms, but the deployed pair has 0.18 ms on calib, 20.0% above it."),
        (0.15, {}, "Tau is the most accurate threshold that keeps the constraints of the search; none that keeps them"),
    ],
)  # fmt: skip
def test_it_says_what_became_of_the_constraints_of_the_search(tmp_path, limit, target, expected):
    assert expected in explain(write(tmp_path / "run", limit, **target))


@pytest.mark.parametrize(
    ("floor_on", "expected"),
    [
        ("balanced", "guarantees a balanced accuracy, the mean of the classes', of 80%. The guarantee has 95%"),
        ("worst_class", "guarantees an accuracy of 80% in every class. The guarantee has 95%"),
    ],
)
def test_it_says_what_a_floor_is_on(tmp_path, floor_on, expected):
    assert expected in explain(write(tmp_path / "run", floor=0.8, floor_on=floor_on))


def test_the_ends_are_said_as_what_they_are(tmp_path):
    assert "Tau is infinite: every image goes to big." in decision(write(tmp_path / "big", share=0.0))
    said = explain(write(tmp_path / "little", share=1.0))
    assert "every image stays little." in said and "Lowering" not in said and "nan" not in said


def test_the_commands_that_it_shows_can_be_met(tmp_path):
    """They are read by the command line, and their values by the policy."""
    said = explain(write(tmp_path / "run", share=0.6))
    lines = [line.split("#")[0].split() for line in said.splitlines() if line.startswith("  duonas route")]
    assert len(lines) == 5
    for words in lines[:3]:
        decided(**{words[3].removeprefix("--"): words[4]})


def test_every_position_and_an_unknown_router_are_explained(tmp_path):
    folder = write(tmp_path / "run", share=0.6)
    path = folder / "pair" / "policy.json"
    value = json.loads(path.read_text())
    for position in ("input", "stem"):
        router = {"kind": "mine", "position": position, "weights": [1.0]}
        path.write_text(json.dumps(value | {"router": router, "costs": asdict(UNDECIDED.costs) | {"before": True}}))
        said = explain(folder)
        assert "The router is mine. It reads" in said and "goes to big 1.05M" in said


def test_a_run_without_a_threshold_has_nothing_to_explain(tmp_path):
    RunFolder.open(tmp_path / "run", load("digits")).close()
    with pytest.raises(DuonasError, match="has no threshold yet"):
        explain(tmp_path / "run")
    folder = write(tmp_path / "other")
    (folder / "pair" / "policy.json").write_text('{"tau": 1, "table": [{"tau": 3}]}')
    with pytest.raises(DuonasError, match=r"policy\.json is damaged or of another version"):
        explain(folder)


class Pipeline(ModuleType):
    """Stands in for ``duonas.pipeline.rechoose``; remembers how it was called."""

    def __init__(self):
        super().__init__("duonas.pipeline.rechoose")
        self.calls = []

    def rechoose(self, folder, *, progress, **target):
        self.calls.append((folder, target))


@pytest.fixture
def pipeline(monkeypatch):
    stand_in = Pipeline()
    monkeypatch.setitem(sys.modules, "duonas.pipeline.rechoose", stand_in)
    monkeypatch.setattr(duonas.pipeline, "rechoose", stand_in, raising=False)
    return stand_in


def call(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args], env={"COLUMNS": "80"})


@pytest.mark.parametrize(
    ("args", "target"),
    [
        (["--floor", "0.9", "--confidence", "0.8"], {"floor": 0.9, "confidence": 0.8}),
        (["--floor", "90%", "--confidence", "80 %"], {"floor": 0.9, "confidence": 0.8}),
        (["--budget", "5M"], {"budget": 5e6}),
        (["--budget", "5e6"], {"budget": 5e6}),
        (["--budget", "200us"], {"budget": "0.2ms"}),
        (["--share", "1"], {"share": 1.0}),
        (["--latency", "0.5ms"], {"latency": 0.5}),
        (["--energy", "3", "--watts", "5"], {"energy": 3.0, "watts": 5.0}),
        (["--energy", "3mJ"], {"energy": 3.0}),
    ],
)
def test_route_takes_one_target(pipeline, tmp_path, args, target):
    folder = write(tmp_path / "run", share=0.5)
    result = call("route", folder, *args)
    assert result.exit_code == 0, result.output
    assert pipeline.calls == [(folder, target)]
    assert "stay little" in result.stdout and f"duonas report {folder}" in result.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "no target for the threshold was given: choose one of floor, budget, share, latency, energy."),
        (["--watts", "5"], "no target"),
        (["--floor", "0.9", "--share", "0.5"], "got floor and share."),
        (["--floor", "1.5"], "[route] floor must be at most 1, got 1.5."),
        (["--budget", "0"], "--budget must be above 0, got '0'."),
        (["--budget", "nan"], "--budget must be a number of MACs such as 5e6 or 5M"),
        (["--latency", "0"], "[route] latency must be above 0, got 0.0."),
        (["--latency", "2m"], "--latency must be a time such as 2ms (units: h, min, s, ms, us, ns; a number"),
        (["--floor", "90"], "[route] floor must be at most 1, got 90.0 (for 90 percent, write 0.9 or '90%')."),
    ],
)
def test_a_wrong_target_is_one_line_and_changes_nothing(pipeline, tmp_path, args, message):
    folder = write(tmp_path / "run", share=0.5)
    result = call("route", folder, *args)
    assert result.exit_code == 2 and pipeline.calls == []
    assert message in result.stderr and result.stderr.count("\n") == 1


def test_what_is_no_run_is_one_line(pipeline, tmp_path):
    for command in (["route", tmp_path, "--floor", "0.5"], ["explain", tmp_path], ["explain", tmp_path / "none"]):
        result = call(*command)
        assert result.exit_code == 2 and "is not a run: it holds no recipe.toml." in " ".join(result.stderr.split())


def test_explain_prints_what_it_says(tmp_path):
    folder = write(tmp_path / "run", floor=0.85)
    result = call("explain", folder)
    assert result.exit_code == 0 and result.stdout.split() == explain(folder).split()
    assert all(line in result.stdout.splitlines() for line in explain(folder).splitlines() if line.startswith("->"))


def test_early_exits_are_compared_unless_the_comparison_is_outdated(tmp_path):
    path = tmp_path / "baselines.json"
    path.write_text(json.dumps({"networks": [], "exits": [{"against_pair": {"sentence": "Better."}}, {"name": "x"}]}))
    said = {
        name: list(explaining._early_exits(SimpleNamespace(baselines=path, stages=stages)))
        for name, stages in {"none": {}, "stale": {"baselines": {"stale": True}}, "done": {"baselines": {}}}.items()
    }
    assert said == {"none": [], "stale": [], "done": ["Better."]}
