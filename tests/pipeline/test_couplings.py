"""Siblings and partial pairs all the way, and what is refused about couplings before any work."""

from __future__ import annotations

import re
from itertools import chain

import onnx
import pytest
from typer.testing import CliRunner

import duonas
from duonas.cli.app import app
from duonas.core.files import read_json

AXES = "space.axes={depth = [1, 2], kernel = [3], expansion = [1, 2]}"
TINY = ["train.epochs=1", "train.batch_size=128", "search.evaluations=6", AXES,
        "search.recalibration_images=64", "measure.latency_images=3", "measure.throughput_batches=1"]  # fmt: skip


@pytest.fixture(scope="module", params=[pytest.param("sibling", marks=pytest.mark.slow), "partial"])
def whole(request, tmp_path_factory):
    """A run from data to report, its pair found in sequence."""
    recipe = duonas.load_recipe("digits", [*TINY, f"pair.coupling={request.param}", "search.strategy=sequential"])
    return duonas.run(recipe, tmp_path_factory.mktemp(request.param) / "run")


def test_a_pair_is_found_measured_and_reported(whole):
    pair, measured = read_json(whole / "pair" / "pair.json"), read_json(whole / "measure.json")
    assert (pair["pair"]["split"] == 1) is (pair["coupling"] == "partial")
    assert measured["onnx"]["differing_decisions"] == 0 and measured["onnx"]["max_logit_difference"] < 1e-3
    cost, routed = pair["costs"]["macs"], measured["routed"]
    assert routed["peak_macs"] == sum(cost.values()) >= routed["expected_macs"]
    said = {
        "sibling": "After the stem, each network has separate blocks",
        "partial": "Little branches off after stage 1",
    }
    assert said[pair["coupling"]] in (whole / "report.html").read_text()


def test_what_is_shared_stands_in_the_onnx_file_once(whole):
    """Every convolution before the split once, of what follows little's and big's, and no others."""
    pair = read_json(whole / "pair" / "pair.json")
    shared, blocks = pair["shared"], pair["blocks"]
    before = [block for block in blocks["big"] if block["stage"] <= pair["pair"]["split"]]
    assert shared == len(before) >= (3 if pair["coupling"] == "partial" else 2)
    expected = {
        "stem": convolutions(before),
        "little": convolutions(blocks["little"][shared:]),
        "big": convolutions(blocks["big"][shared:]),
    }
    graph = onnx.load(whole / "export" / "dynamic.onnx").graph
    branches = [attribute.g for node in graph.node if node.op_type == "If" for attribute in node.attribute]
    nodes = chain(graph.node, *(branch.node for branch in branches))
    parts = [node.name.partition("/")[0] for node in nodes if node.op_type == "Conv"]
    assert {part: parts.count(part) for part in expected} == expected and len(parts) == sum(expected.values())


def convolutions(blocks):
    """How many layers are not the classifier."""
    return sum(layer["name"] != "classify" for block in blocks for layer in block["layers"])


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", ["run", pytest.param("profile", marks=pytest.mark.slow)])  # see test_profile
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["pair.coupling=partial", "pair.splits=[2]"],
            "[pair] splits has 2: little can branch off after stage 1 of this search space.",
        ),
        (["pair.splits=[1]"], "[pair] splits is for coupling = 'partial': 'nested' pairs have no split point."),
        (["pair.coupling=sibling", "pair.splits=[1]"], "'sibling' pairs have no split point."),
        (["pair.coupling=neste"], "[pair] coupling has no choice 'neste': did you mean 'nested'?"),
        (["search.strategy=sequentail"], "[search] strategy has no choice 'sequentail': did you mean 'sequential'?"),
    ],
)
def test_a_coupling_that_cannot_be_is_one_sentence(command, settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(command, "digits", *(f"--set={setting}" for setting in settings))
    assert result.exit_code == 2, result.output
    assert message in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
@pytest.mark.parametrize("budget", ["route.budget=1000", "search.constraints.expected_macs=1000"])
def test_a_budget_below_the_smallest_pair_says_what_is_possible(coupling, budget, tmp_path):
    settings = [f"--set=pair.coupling={coupling}", f"--set={AXES}"]
    result = call("run", "digits", "--out", tmp_path / "run", f"--set={budget}", *settings)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    needed = "constraint (or [route] budget) expected_macs = 1000 cannot be met: the smallest pair of the space needs "
    assert not (tmp_path / "run" / "checkpoint").exists()
    least = int(re.search(re.escape(needed) + r"([\d,]*\d)", result.stderr)[1].replace(",", ""))
    found = duonas.profile(duonas.load_recipe("digits", [AXES, f"pair.coupling={coupling}", f"route.budget={least}"]))
    assert [limit.met for limit in found.constraints] == [True]
