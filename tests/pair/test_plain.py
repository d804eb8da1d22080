"""A plain network on disk."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import load_file, save_file

from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_json
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.layers.init import initialise
from duonas.pair.build import build
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.plain import PlainNetwork
from duonas.spaces.mobilenet import MobileNet


@pytest.fixture
def plain():
    space = MobileNet.space(MobileNet.Options(preset="digits"), 8, 10)
    arch = space.smallest()
    blocks = space.blocks(arch)
    network = build(blocks)
    initialise(network, stream(0, "plain"))
    return PlainNetwork(network.eval(), blocks, analytic(blocks), space.values(arch), 0.75)


def test_what_is_saved_answers_the_same(plain, tmp_path):
    assert sorted(path.name for path in plain.save(tmp_path)) == ["network.json", "network.safetensors"]
    found = PlainNetwork.load(tmp_path)
    images = torch.rand(4, 3, 8, 8)
    with torch.inference_mode():
        assert torch.equal(found.network(images), plain.network(images))
    assert (found.blocks, found.cost, found.values, found.accuracy) == (
        plain.blocks, plain.cost, plain.values, plain.accuracy
    )  # fmt: skip


def test_a_graph_is_saved_as_a_graph(plain, tmp_path):
    double = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])], "double",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
    )  # fmt: skip
    model = helper.make_model(double, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    paths = replace(plain, network=OnnxNetwork(model), accuracy=0.5).save(tmp_path)
    assert sorted(path.name for path in paths) == ["network.json", "network.onnx"]
    found = PlainNetwork.load(tmp_path)
    assert found.accuracy == 0.5 and found.cost == plain.cost
    assert torch.equal(found.network(torch.ones(2, 3)), torch.full((2, 3), 2.0))


def test_damage_is_told_in_one_sentence(plain, tmp_path):
    plain.save(tmp_path)
    facts = read_json(tmp_path / "network.json")
    for change, told in (({"version": 2}, "another version"), ({"blocks": [{}]}, "damaged"), ({"cost": 1}, "damaged")):
        write_json(tmp_path / "network.json", facts | change)
        with pytest.raises(DuonasError, match=f"network.json is .*{told}"):
            PlainNetwork.load(tmp_path)
    write_json(tmp_path / "network.json", facts)
    weights = load_file(tmp_path / "network.safetensors")
    save_file(
        {name: value for name, value in weights.items() if name != "stem.0.weight"}, tmp_path / "network.safetensors"
    )
    with pytest.raises(DuonasError, match=r"does not have the weights that network\.json describes"):
        PlainNetwork.load(tmp_path)
