"""Whatever ends a network, its logits stay float32 in int8, so that scores do not come in steps."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from duonas.core.rng import stream
from duonas.deploy.quantize import in_int8, prepared, ranges_of
from duonas.pair.onnx_network import OnnxNetwork
from support.graphs import classifier


def images(count=64):
    return stream(0, "logits").random((count, 3, 16, 16), dtype=np.float32)


def product_and_sum(model):
    """As Keras writes a linear layer."""
    model.graph.node.pop()
    matrix = next(each for each in model.graph.initializer if each.name == "matrix")
    matrix.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(numpy_helper.to_array(matrix).T), "matrix"))
    model.graph.node.append(helper.make_node("MatMul", ["flat", "matrix"], ["product"]))
    model.graph.node.append(helper.make_node("Add", ["product", "offset"], ["scores"]))


def convolution(model):
    """A classifier by a convolution of one pixel."""
    del model.graph.node[-2:]
    matrix = next(each for each in model.graph.initializer if each.name == "matrix")
    matrix.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(matrix)[..., None, None], "matrix"))
    model.graph.node.append(helper.make_node("Conv", ["pooled", "matrix", "offset"], ["column"]))
    model.graph.node.append(helper.make_node("Flatten", ["column"], ["scores"]))


def pooled_map(model):
    """A pool after the last convolution, as in SqueezeNet."""
    convolution(model)
    del model.graph.node[2:]
    model.graph.node.append(helper.make_node("Conv", ["positive", "matrix", "offset"], ["classes"]))
    model.graph.node.append(helper.make_node("GlobalAveragePool", ["classes"], ["column"]))
    model.graph.node.append(helper.make_node("Flatten", ["column"], ["scores"]))


def linear(model):
    pass


@pytest.mark.parametrize("end", [linear, product_and_sum, convolution, pooled_map])
def test_logits_have_as_many_values_as_before(end):
    model = classifier(side=16)
    end(model)
    model = prepared(model)
    found = in_int8(model, ranges_of(model, [images()], "it"))
    onnx.checker.check_model(found)
    assert [each.name for each in found.graph.output] == ["scores"]
    batch = torch.from_numpy(images())
    before, after = OnnxNetwork(model)(batch).numpy(), OnnxNetwork(found)(batch).numpy()
    np.testing.assert_allclose(after, before, atol=0.05 * np.ptp(before))
    assert len(np.unique(after)) > 256 and found.graph.node[-1].op_type not in ("QuantizeLinear", "DequantizeLinear")
    made = {name for node in found.graph.node for name in node.output}
    read = {name for node in found.graph.node for name in node.input}
    assert made - read == {"scores"}


def test_features_stay_in_integers():
    """What a stem gives is read by towers that begin with integers."""
    model = classifier(side=16)
    del model.graph.node[2:], model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("positive", 1, ["N", 8, 8, 8]))
    model = prepared(model)
    found = in_int8(model, ranges_of(model, [images()], "it"))
    assert found.graph.node[-1].op_type == "DequantizeLinear"
