"""Blocks as ONNX graphs: what they compute, what they consist of, and that they are not exported twice."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from duonas.core.block import BlockSpec, LayerSpec
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.deploy import blocks
from duonas.deploy.blocks import BlockExporter, chain, export_block, network
from duonas.deploy.export import export_module
from duonas.pair.build import BLOCKS
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201
from duonas.spaces.uib import UIB

SPACES = (
    MobileNet.space(MobileNet.Options(preset="cifar"), 32, 5),
    UIB.space(UIB.Options(preset="uib-digits"), 8, 5),
    NasBench201.space(NasBench201.Options(preset="nasbench201-small"), 32, 5),
)


def run(model, images):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})[0]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_a_chain_of_blocks_computes_what_the_network_does(space):
    arch = space.sample(stream(0, "chain"))
    specs = space.blocks(arch)
    whole = nn.Sequential(*map(network, specs))
    images = np.random.default_rng(0).random((3, 3, space.image_size, space.image_size), dtype=np.float32)
    model = chain([export_block(spec, 18) for spec in specs], "images", "logits")
    onnx.checker.check_model(model, full_check=True)
    with torch.no_grad():
        np.testing.assert_allclose(run(model, images), whole(torch.from_numpy(images)).numpy(), rtol=1e-3, atol=1e-4)


def test_a_block_has_the_nodes_of_an_exported_pair():
    """What is timed alone is what is deployed: batch norms folded, the same operations."""
    space = SPACES[0]
    spec = next(each for each in reversed(space.blocks(space.largest())) if each.squeeze_excite)
    images = torch.rand(2, spec.in_channels, spec.resolution, spec.resolution)
    other = export_module(network(spec), images, "x", "y", 18)
    ours = [node.op_type for node in export_block(spec, 18).graph.node if node.op_type != "Constant"]
    assert sorted(ours) == sorted(node.op_type for node in other.graph.node) and "HardSigmoid" in ours


def test_weights_of_equal_values_are_not_copied_at_every_call():
    cell = SPACES[2].blocks(SPACES[2].largest())[2]
    operations = [node.op_type for node in export_block(cell, 18).graph.node]
    assert sorted(operations) == ["Add"] * 3 + ["Conv"] * 6 + ["Relu"] * 3


def test_what_was_exported_before_is_read_and_what_is_damaged_is_exported_again(tmp_path, monkeypatch):
    spec = SPACES[0].blocks(SPACES[0].smallest())[1]
    first = BlockExporter(tmp_path, 18)(spec)
    (file,) = tmp_path.iterdir()
    with monkeypatch.context() as patched:
        patched.setattr(blocks, "export_block", lambda *_: pytest.fail("it is exported twice"))
        assert BlockExporter(tmp_path, 18)(spec) == first
    file.write_bytes(b"\xff\xff")
    assert BlockExporter(tmp_path, 18)(spec) == first
    BlockExporter(tmp_path, 19)(spec)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture
def own_kind(monkeypatch):
    """Registers a kind of block for the test."""

    def register(module):
        monkeypatch.setitem(BLOCKS, "own", lambda spec: module)
        conv = LayerSpec("conv", "conv", 3, 3, in_resolution=6)
        return BlockSpec("own", 1, "own", 3, 3, 6, 6, layers=(conv,))

    return register


def test_an_operation_that_only_the_other_exporter_knows(own_kind, monkeypatch):
    monkeypatch.setattr(blocks, "_by_script", lambda *_: (_ for _ in ()).throw(ValueError("unknown")))
    model = export_block(own_kind(nn.Conv2d(3, 3, 1)), 18)
    assert run(model, np.zeros((4, 3, 6, 6), np.float32)).shape == (4, 3, 6, 6)


def test_a_block_that_cannot_be_exported_is_named(own_kind):
    with pytest.raises(DuonasError, match=r"block own 3 to 3 channels at 6 px cannot be exported to ONNX: Runtime"):
        export_block(own_kind(nn.Conv2d(7, 3, 1)), 18)
