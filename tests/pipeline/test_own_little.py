"""Little with a search space of its own, from the recipe to the ONNX file, and what is refused about it."""

from __future__ import annotations

import onnx
import pytest
import torch
from typer.testing import CliRunner

import duonas
from duonas.cli.app import app
from duonas.core.files import read_json
from duonas.costs.analytic import analytic
from duonas.costs.count import count_macs
from duonas.pair.pair import Pair
from duonas.recipe.read import dumps
from duonas.rundir.folder import RunFolder
from duonas.search.front import Front
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.uib import UIB

AXES = "space.axes={depth = [1, 2], kernel = [3], expansion = [1, 2]}"
LITTLE = ["pair.coupling=", "pair.little.name=uib", "pair.little.axes={width = [12, 24], depth = [1]}"]
TINY = ["train.epochs=2", "train.batch_size=128", "search.evaluations=6", "search.population=3", AXES, *LITTLE,
        "search.recalibration_images=64", "measure.latency_images=3", "measure.throughput_batches=1"]  # fmt: skip


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two families of networks from data to report, its pair trained on together."""
    recipe = duonas.load_recipe("digits", [*TINY, "finetune.mode=joint", "finetune.epochs=1"])
    assert recipe.pair.coupling == "independent"
    return duonas.run(recipe, tmp_path_factory.mktemp("own") / "run")


def test_each_network_is_of_its_own_space(whole):
    facts = read_json(whole / "pair" / "pair.json")
    assert {role: facts["pair"][role]["space"] for role in ("little", "big")} == {"little": "uib", "big": "mobilenet"}
    assert (facts["coupling"], facts["shared"], facts["costs"]["macs"]["stem"]) == ("independent", 0, 0)
    best, front = Front.load(whole / "front.json").best, duonas.Run(whole).front
    assert set(best.values["little"]) == {name for name, _ in best.pair.little.choices}
    assert "little.stage1.block0.first" in front.columns and "big.stage1.block0.kernel" in front.columns
    assert {"little", "big"} == set(duonas.Run(whole).archs["role"])
    assert "Each network has blocks and weights of its own" in (whole / "report.html").read_text()


def test_the_file_resizes_and_normalises_twice_and_decides_as_the_pair_does(whole):
    measured = read_json(whole / "measure.json")
    assert measured["onnx"]["differing_decisions"] == 0 and measured["onnx"]["max_logit_difference"] < 1e-3
    pair, image = Pair.load(whole / "pair"), torch.rand(1, 3, 8, 8)
    assert pair.stem is None and count_macs(pair, image) == pair.facts.cost.peak == measured["routed"]["peak_macs"]
    macs = {role: count_macs(network, image) for role, network in pair.towers().items()}
    assert macs == {role: measured[role]["macs"] for role in ("little", "big")}
    names = [node.name for node in onnx.load(whole / "export" / "dynamic.onnx").graph.node]
    assert any(name.startswith("little/") for name in names) and not any(name.startswith("stem/") for name in names)


def test_the_supernet_of_another_run_is_taken_and_its_recipe_reads_back(whole, tmp_path):
    run = RunFolder(whole)
    assert duonas.load_recipe(str(whole)) == run.recipe
    assert '[pair.little]\nname = "uib"' in dumps(run.recipe)
    again = duonas.run(run.recipe, tmp_path / "again", until="pair", supernet=whole)
    assert (again / "front.json").read_bytes() == (whole / "front.json").read_bytes()
    other = duonas.load_recipe(str(whole), ["pair.little.axes={width = [12, 48], depth = [1]}"])
    with pytest.raises(duonas.DuonasError, match=r"trained with another \[pair\]"):
        duonas.run(other, tmp_path / "other", until="pair", supernet=whole)


def test_profile_counts_both_spaces():
    found = duonas.profile(duonas.load_recipe("digits", TINY))
    big = MobileNet.space(found_options("space"), 8, 10)
    little = UIB.space(found_options("little"), 8, 10)
    assert (found.archs, found.little_archs) == (big.size(), little.size())
    assert found.couplings == {"independent": big.size() * little.size()} and found.pairs == little.size() * big.size()
    assert found.figures["macs"].least == analytic(big.blocks(big.smallest())).macs
    assert found.little_figures["macs"].most == analytic(little.blocks(little.largest())).macs
    assert found.possible["expected_macs"] == found.little_figures["macs"].least
    result = call("profile", "digits", *(f"--set={each}" for each in TINY))
    assert result.exit_code == 0 and "little's archs" in result.stdout and "big's archs" in result.stdout


def found_options(which):
    recipe = duonas.load_recipe("digits", TINY)
    return recipe.space if which == "space" else recipe.pair.little


def test_one_space_for_both_may_be_independent():
    """Its two networks share nothing, so the stem is paid for twice."""
    profile, siblings = (
        duonas.profile(duonas.load_recipe("digits", [AXES, f"pair.coupling={coupling}"]))
        for coupling in ("independent", "sibling")
    )
    assert profile.pairs == siblings.pairs
    assert profile.possible["peak_macs"] > siblings.possible["peak_macs"]
    assert profile.possible["expected_macs"] == siblings.possible["expected_macs"]


def test_a_router_before_little_may_need_a_larger_big():
    """The smallest little costs more than the smallest big, and less than most."""
    before = ["route.router=learned", "route.position=input"]
    settings = [each for each in TINY if each != AXES]
    assert duonas.profile(duonas.load_recipe("digits", [*settings, *before])).refusal is None
    small = "space.axes={depth = [1], kernel = [3], expansion = [1], width = [0.25]}"
    refused = duonas.profile(duonas.load_recipe("digits", [*settings, *before, small])).refusal
    assert refused and "a little that costs no more than big; make little's space smaller" in refused


@pytest.mark.parametrize("command", ["run", pytest.param("profile", marks=pytest.mark.slow)])  # see test_profile
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["pair.little.name=uib"],
            "with which coupling must be 'independent', got 'nested': leave out coupling, or [pair.little]",
        ),
        ([*LITTLE, "pair.little_blocks=simple"], "for little, which has a space of its own in [pair.little]"),
        ([*LITTLE, "pair.splits=[1]"], "[pair] splits is for coupling = 'partial': 'independent' pairs have no split"),
        ([*LITTLE, "pair.little.name=uiv"], "[pair.little] name"),
        (["pair.coupling=", "pair.little.preset=digit"], "has no preset 'digit': did you mean 'digits'?"),
        (["pair.coupling=", "pair.little.axes.kernel=[9]"], "[pair.little.axes] kernel"),
        (
            ["pair.coupling=", "pair.little.preset=efficientnet-lite0", "pair.little.pretrained=no.pth"],
            "[pair.little] pretrained = 'no.pth': there is no such file",
        ),
        (["pair.coupling=", "pair.little.kernals=1"], "[pair.little] has no key 'kernals'"),
        (["pair.coupling=", "pair.little=3"], "[pair] little must be a table, got 3"),
        ([*LITTLE, "route.router=learned", "route.position=stem"], "its networks share no blocks"),
        ([*LITTLE, "pair.little.axes.width=[12]", "pair.little.norm=shared"], "[pair] little.norm has no choice"),
    ],
)
def test_what_cannot_be_is_one_sentence(command, settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(command, "digits", *(f"--set={setting}" for setting in settings))
    assert result.exit_code == 2, result.output
    assert message in result.stderr and result.stderr.count("\n") == 1, result.stderr
    assert not (tmp_path / "runs" / "digits").exists()
