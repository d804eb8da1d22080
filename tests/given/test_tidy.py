"""Graphs in every order and form that others write are read alike, and batch norms become a part of convolutions."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.given.clean import cleaned
from duonas.given.fold import fold_batch_norms
from duonas.given.precision import check_precision
from duonas.given.tidy import tidy
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.options import NetworkOptions
from support.graphs import classifier

OPTIONS = NetworkOptions(file="net.onnx")


def answers(model):
    images = torch.from_numpy(stream(0, "tidy").random((3, 3, 16, 16), dtype=np.float32))
    return OnnxNetwork(model)(images).numpy()


def constants(model):
    nodes = [helper.make_node("Constant", [], [each.name], value=each) for each in model.graph.initializer]
    every = [*nodes, *model.graph.node]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(every)


def backwards(model):
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def old_format(model):
    stored = model.graph.initializer
    model.graph.input.extend(helper.make_tensor_value_info(each.name, each.data_type, each.dims) for each in stored)
    model.ir_version = 3


@pytest.mark.parametrize("write", [constants, backwards, old_format])
def test_how_a_graph_is_written_changes_nothing(write):
    usual = cleaned(classifier(side=16), OPTIONS, (3, 16, 16), 18)
    model = classifier(side=16)
    write(model)
    found = cleaned(model, OPTIONS, (3, 16, 16), 18)
    assert [node.op_type for node in found.graph.node] == [node.op_type for node in usual.graph.node]
    assert {each.name for each in found.graph.initializer} == {each.name for each in usual.graph.initializer}
    assert [each.name for each in found.graph.input] == ["pixels"] and found.ir_version >= 8
    np.testing.assert_array_equal(answers(found), answers(usual))


def test_constants_of_every_kind_are_stored():
    nodes = [
        helper.make_node("Constant", [], ["a"], value_ints=[1, 2]),
        helper.make_node("Constant", [], ["b"], value_float=0.5),
        helper.make_node("Constant", [], ["c"], value_string="text"),
    ]
    graph = helper.make_graph(nodes, "constants", [], [helper.make_tensor_value_info("a", TensorProto.INT64, [2])])
    model = tidy(helper.make_model(graph), "net")
    stored = {each.name: numpy_helper.to_array(each).tolist() for each in model.graph.initializer}
    assert stored == {"a": [1, 2], "b": 0.5} and [node.output[0] for node in model.graph.node] == ["c"]


def test_a_circle_is_refused():
    model = classifier(side=16)
    model.graph.node[0].input[0] = "gemm_again"
    model.graph.node.append(helper.make_node("Identity", ["scores"], ["gemm_again"]))
    with pytest.raises(DuonasError, match=r"net is damaged: an operation in it needs its own result\."):
        tidy(model, "net")


def normed(**attributes):
    """A classifier whose convolution has a batch norm after it, and no bias."""
    model, rng = classifier(side=16), stream(1, "norm")
    conv = model.graph.node[0]
    conv.input[:], conv.output[0] = conv.input[:2], "raw"
    arrays = {"scale": rng.normal(size=8), "shift": rng.normal(size=8), "mean": rng.normal(size=8),
              "variance": rng.random(8) + 0.1}  # fmt: skip
    model.graph.initializer.extend(numpy_helper.from_array(each.astype("f4"), name) for name, each in arrays.items())
    model.graph.node.insert(1, helper.make_node("BatchNormalization", ["raw", *arrays], ["map"], **attributes))
    return model


@pytest.mark.parametrize("attributes", [{}, {"epsilon": 0.1}], ids=str)
def test_a_batch_norm_is_folded(attributes):
    model = normed(**attributes)
    found = fold_batch_norms(onnx.load_model_from_string(model.SerializeToString()))
    assert "BatchNormalization" not in [node.op_type for node in found.graph.node]
    assert {each.name for each in found.graph.initializer} == {"map_kernel", "map_bias", "matrix", "offset"}
    np.testing.assert_allclose(answers(found), answers(model), atol=1e-4)


def test_a_batch_norm_of_what_is_read_elsewhere_stays():
    model = normed()
    model.graph.node.insert(2, helper.make_node("Add", ["raw", "map"], ["sum"]))
    model.graph.node[3].input[0] = "sum"
    before = model.SerializeToString()
    assert fold_batch_norms(model).SerializeToString() == before


def test_networks_that_are_not_in_float_cannot_be_converted_again():
    check_precision(classifier(), "int8", "net")
    halved = classifier()
    kernel = halved.graph.initializer[0]
    kernel.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(kernel).astype(np.float16), kernel.name))
    check_precision(halved, "fp32", "net")
    with pytest.raises(DuonasError, match="net computes in 16 bits already, so it cannot be made int8"):
        check_precision(halved, "int8", "net")
    bare = classifier()
    for node in bare.graph.node:
        node.op_type = {"Conv": "Selu", "Gemm": "Selu"}.get(node.op_type, node.op_type)
    with pytest.raises(DuonasError, match="net cannot be quantised: it has no Conv, Gemm, MatMul with stored weights"):
        check_precision(bare, "int8", "net")
