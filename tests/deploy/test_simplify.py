"""What is rewritten answers the same; what is not of the form is left as it is."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from duonas.deploy.simplify import simplify

SHAPE = ("N", 3, 6, 5)


def graph_of(nodes, leaving, **weights):
    """A model of images (N, 3, 6, 5) whose last node gives values of the shape ``leaving``."""
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)
    graph = helper.make_graph(nodes, "g", [entry], [helper.make_tensor_value_info("y", 1, leaving)], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def kinds(model):
    return [node.op_type for node in model.graph.node]


def run(model, rows):
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": rows})[0]


def agree(before, after):
    rng = np.random.default_rng(1)
    for count in (1, 4, 0):
        images = rng.normal(size=(count, *SHAPE[1:])).astype(np.float32)
        np.testing.assert_allclose(run(after, images), run(before, images), rtol=1e-4, atol=1e-5)


def normalised(divisor, group=1, kernel=(4, 3, 3, 3)):
    weight = np.random.default_rng(0).normal(size=kernel).astype(np.float32)
    nodes = [
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "w"], ["y"], pads=[1, 1, 1, 1], group=group),
    ]
    mean = np.full((1, 3, 1, 1), 0.4, np.float32)
    return graph_of(nodes, ("N", kernel[0], 6, 5), mean=mean, std=np.asarray(divisor, np.float32), w=weight)


def copied(model):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


@given(st.lists(st.floats(0.0625, 16, width=32), min_size=3, max_size=3), st.sampled_from([(1, 3, 1, 1), (3, 1, 1)]))
def test_the_scale_of_images_goes_into_the_convolution(divisor, shape):
    before = normalised(np.reshape(divisor, shape))
    after = simplify(copied(before))
    assert kinds(after) == ["Sub", "Conv"] and [each.name for each in after.graph.initializer] == ["mean", "w"]
    agree(before, after)


def test_one_divisor_for_all_channels_goes_there_too():
    before = normalised(0.25)
    after = simplify(copied(before))
    assert kinds(after) == ["Sub", "Conv"]
    agree(before, after)


@pytest.mark.parametrize(
    "model",
    [
        normalised(np.full((1, 3, 1, 1), 0.25), group=3, kernel=(6, 1, 3, 3)),
        normalised(np.full((1, 3, 6, 5), 0.25)),  # not the same for every pixel
        normalised(np.full((1, 1, 1, 5), 0.25)),
        normalised(np.zeros((1, 3, 1, 1))),
    ],
)
def test_other_divisions_stay(model):
    before = copied(model).SerializeToString()
    assert simplify(model).SerializeToString() == before


def test_a_division_that_is_also_used_elsewhere_stays():
    model = normalised(np.full((1, 3, 1, 1), 0.25))
    model.graph.output.append(helper.make_tensor_value_info("scaled", TensorProto.FLOAT, SHAPE))
    assert kinds(simplify(model)) == ["Sub", "Div", "Conv"]


@pytest.mark.parametrize("axes", [[2, 3], [-1, -2]])
@pytest.mark.parametrize("keep", [0, 1])
def test_a_mean_over_all_pixels_is_a_pooling(axes, keep):
    nodes = [helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=keep)]
    before = graph_of(nodes, ("N", 3, 1, 1) if keep else ("N", 3), axes=np.array(axes, np.int64))
    after = simplify(copied(before))
    assert kinds(after) == ["GlobalAveragePool", *([] if keep else ["Flatten"])] and not after.graph.initializer
    agree(before, after)


@pytest.mark.parametrize("axes", [[1, 2], [2], [0, 2, 3]])
def test_other_means_stay(axes):
    nodes = [helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=1)]
    shape = [1 if axis in axes else side for axis, side in enumerate(SHAPE)]
    model = graph_of(nodes, shape, axes=np.array(axes, np.int64))
    assert kinds(simplify(model)) == ["ReduceMean"]


def test_an_exported_network_answers_as_it_did(exported):
    """What is exported has gone through it: neither pass over the images nor mean is left."""
    pair, _, folder = exported
    model = onnx.load(folder / "big.onnx")
    assert not {"Div", "ReduceMean"} & set(kinds(model))
    images = torch.rand(5, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = pair(images).big.numpy()
    np.testing.assert_allclose(session.run(None, {"images": images.numpy()})[0], expected, atol=1e-4)


def padded(around=(0, 0, 0, 1, 0, 0, 1, 2), mode="constant", value=0.0, **convolution):
    """Values around images, then a convolution of stride 2."""
    weight = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Pad", ["x", "pads", "value"], ["around"], mode=mode),
        helper.make_node("Conv", ["around", "w"], ["y"], strides=[2, 2], **convolution),
    ]
    weights = {"pads": np.asarray(around, np.int64), "value": np.float32(value), "w": weight}
    return graph_of(nodes, ("N", 4, "H", "W"), **weights)


@pytest.mark.parametrize("pads", [(0, 0, 0, 1, 0, 0, 1, 2), (0, 0, 0, 0, 0, 0, 1, 1), (0, 0, 2, 2, 0, 0, 0, 0)])
@pytest.mark.parametrize("own", [{}, {"pads": [1, 0, 0, 1]}, {"auto_pad": "VALID"}])
def test_zeros_around_images_become_padding(pads, own):
    before = padded(pads, **own)
    after = simplify(copied(before))
    assert kinds(after) == ["Conv"] and [each.name for each in after.graph.initializer] == ["w"]
    agree(before, after)


def test_padding_that_nodes_compute_of_constants_is_known():
    before = padded()
    names = ("first", "second")
    before.graph.node.insert(0, helper.make_node("Concat", [*names], ["pads"], axis=0))
    before.graph.initializer.extend(
        numpy_helper.from_array(np.array(half, np.int64), name)
        for half, name in zip(((0, 0, 0, 1), (0, 0, 1, 2)), names, strict=True)
    )
    before.graph.initializer.remove(next(each for each in before.graph.initializer if each.name == "pads"))
    after = simplify(copied(before))
    assert kinds(after) == ["Conv"]
    agree(before, after)


@pytest.mark.parametrize(
    "made",
    [
        lambda: padded(mode="reflect"),
        lambda: padded(value=1.0),
        lambda: padded(around=(0, 0, 0, -1, 0, 0, 1, 2)),
        lambda: padded(around=(1, 0, 0, 1, 0, 0, 1, 2)),
        lambda: padded(auto_pad="SAME_UPPER"),
    ],
)
def test_other_padding_is_left_as_it_is(made):
    assert kinds(simplify(made())) == ["Pad", "Conv"]


def test_padding_that_another_node_reads_is_left_as_it_is():
    before = padded()
    before.graph.node.append(helper.make_node("ReduceSum", ["around"], ["sum"], keepdims=0))
    before.graph.output.append(helper.make_tensor_value_info("sum", TensorProto.FLOAT, []))
    assert "Pad" in kinds(simplify(before))


def test_what_only_a_branch_reads_is_kept():
    branch = helper.make_graph(
        [helper.make_node("Identity", ["half"], ["out"])], "branch", [], [helper.make_empty_tensor_value_info("out")]
    )
    nodes = [
        helper.make_node("Mul", ["x", "by"], ["half"]),
        helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch),
    ]
    before = graph_of(nodes, SHAPE, by=np.float32(0.5), yes=np.array(True))
    assert kinds(simplify(before)) == ["Mul", "If"]
