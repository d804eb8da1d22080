"""What is counted of a graph is what is counted of the blocks that it was exported from, to the last one."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, shape_inference

from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.deploy.export import export_network
from duonas.given.count import count
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201
from duonas.spaces.uib import UIB
from duonas.supernet.family import build_space, build_supernet
from support.graphs import classifier

SLOW = (UIB.Options(preset="uib-digits"), NasBench201.Options(preset="nasbench201-small"))


@pytest.mark.parametrize("options", [
    MobileNet.Options(preset="digits", squeeze_excite="on"),
    *(pytest.param(each, marks=pytest.mark.slow) for each in SLOW),
], ids=lambda each: each.name)  # fmt: skip
def test_macs_equal_those_of_the_blocks(options):
    kind = find("space", options.name)
    space = build_space(kind, options, 8, 5)
    arch = space.sample(stream(3, options.name))
    network = build_supernet(kind, space, (0.4,) * 3, (0.2,) * 3, stream(0), options).eval().extract(arch)
    model = shape_inference.infer_shapes(export_network(network, 8, 18), data_prop=True)
    assert count(model).macs == analytic(space.blocks(arch)).macs


def test_a_small_graph_is_counted_by_hand():
    model = shape_inference.infer_shapes(classifier(classes=5, width=8, side=16))
    found = count(model)
    convolved = 8 * 8 * 8 * 27
    assert found.macs == convolved + 5 * 8
    assert found.params == 8 * 27 + 8 + 5 * 8 + 5 and found.weight_bytes == 4 * found.params
    assert found.peak_memory_bytes == 4 * max(3 * 16 * 16 + 8 * 8 * 8, 2 * 8 * 8 * 8)


def test_rows_that_an_image_is_split_into_all_count():
    """As the windows of a Swin transformer, whose number is open where the number of images is."""
    names = {"kernel": (8, 3, 4, 4), "mixing": (8, 8), "last": (8, 3)}
    stored = [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in names.items()]
    sizes = {"windows": [-1, 4, 8], "whole": [-1, 16, 8], "axis": [1]}
    stored += [numpy_helper.from_array(np.array(sides, np.int64), name) for name, sides in sizes.items()]
    nodes = [
        helper.make_node("Conv", ["pixels", "kernel"], ["a"], strides=[4, 4]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["b", "windows"], ["c"]),
        helper.make_node("MatMul", ["c", "mixing"], ["d"]),
        helper.make_node("Reshape", ["d", "whole"], ["e"]),
        helper.make_node("ReduceMean", ["e", "axis"], ["f"], keepdims=0),
        helper.make_node("MatMul", ["f", "last"], ["scores"]),
    ]
    values = (("pixels", ["N", 3, 16, 16]), ("scores", ["N", 3]))
    entering, leaving = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in values)
    graph = helper.make_graph(nodes, "windows", [entering], [leaving], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    assert count(shape_inference.infer_shapes(model, data_prop=True)).macs == 16 * 8 * 48 + 16 * 8 * 8 + 8 * 3
