"""A whole run in int8: every stage after the training is of the quantised pair."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

import duonas
from duonas.core.files import checksum, read_json, write_json
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.pair import Pair
from duonas.pair.plain import PlainNetwork
from duonas.pipeline import spaces
from duonas.recipe.schema import parse
from duonas.routing.policy import Policy
from duonas.rundir.folder import RunFolder
from duonas.runtime import Bundle

QUICK = ["train.epochs=3", "train.batch_size=32", "search.evaluations=4", "search.population=2",
         "search.recalibration_images=64", "measure.latency_images=5", "measure.throughput_batches=2",
         "space.axes={depth = [1], kernel = [3], expansion = [1, 2]}", "baselines.plain=true", "route.share=0.5",
         "export.precision=int8", "export.calibration_images=64", "export.layer_images=32",
         "export.most_points_lost=1.0"]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("int8") / "run"
    duonas.run(duonas.load_recipe("digits", QUICK), path)
    return path


@pytest.mark.slow
def test_what_follows_is_of_the_quantised_pair(folder):
    run = duonas.Run(folder)
    assert isinstance(run.deployed.little, OnnxNetwork) and not isinstance(run.pair.little, OnnxNetwork)
    measured, found = read_json(folder / "measure.json"), read_json(folder / "quantized.json")
    assert measured["onnx"]["differing_decisions"] == 0 and measured["onnx"]["max_logit_difference"] < 1e-3
    assert measured["precision"]["networks"].keys() == {"little", "big", "plain"} == found["networks"].keys()
    for role, each in measured["precision"]["networks"].items():
        assert each["accuracy"] == measured[role]["accuracy"]
        assert role != "big" or each["bytes"] < each["fp32_bytes"]  # networks of 2,000 weights grow
        assert each["fp32_times_ms"]["1"]["mean"] > 0
    assert measured["precision"]["sentence"] in measured["verdict"]["reason"]
    for each in found["networks"].values():
        assert each["accuracy"] >= each["fp32_accuracy"] - 0.01 - 1e-9
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'id="precision"' in page and "What each layer loses" in page
    assert all(row["layer"] in page for row in found["layers"])
    assert "The networks are in int8" in run.explain()
    assert found["networks"]["plain"]["accuracy"] == PlainNetwork.load(folder / "quantized" / "plain").accuracy


@pytest.mark.slow
def test_another_threshold_and_a_killed_stage_keep_the_pair(folder, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    before = {path.name: checksum(path) for path in (copy / "quantized").glob("*.onnx")}
    duonas.rechoose(copy, share=1.0)
    bundle, pixels = Bundle.load(copy / "export"), torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8)
    little = Pair.load(copy / "quantized")(pixels.float() / 255).little.numpy()
    found = bundle.predict(pixels.numpy())
    assert found.is_little.mean() > 0.5
    assert np.abs(found.logits - little)[found.is_little].max() < 1e-4
    (copy / "quantized" / "big.onnx").unlink()
    with RunFolder.open(copy, RunFolder(copy).recipe) as run:
        assert not run.is_done("quantize")
    duonas.run(RunFolder(copy).recipe, copy, until="route")
    assert {path.name: checksum(path) for path in (copy / "quantized").glob("*.onnx")} == before
    assert Policy.load(copy / "pair" / "policy.json").choice == {"share": 1.0}
    write_json(copy / "quantized" / "pair.json", {"version": 1})
    with pytest.raises(duonas.DuonasError, match=r"pair.json is not what stage 'quantize' wrote"):
        duonas.run(RunFolder(copy).recipe, copy, until="route")


def test_blocks_without_integers_are_told_of_before_the_run():
    class Space:
        def __init__(self, *blocks):
            self.largest, self.blocks = (lambda: None), lambda arch: blocks

    class Layer:
        activation = "hswish"

    class Block(dict):
        layers, activation = (Layer(),), "none"

    class Plain(Block):
        layers = ()

    class Pairs:
        spaces = {"little": Space(Plain()), "big": Space(Block(squeeze=1))}  # noqa: RUF012

    recipe = parse({"export": {"precision": "int8"}})
    said = spaces.advice_on_precision(recipe, Pairs())
    assert "big's space has h-swish and squeeze-and-excite, around" in said and "little's" not in said
    assert spaces.advice_on_precision(parse({}), Pairs()) == ""
    Pairs.spaces = {"little": Space(Plain()), "big": Space(Plain())}
    assert spaces.advice_on_precision(recipe, Pairs()) == ""
