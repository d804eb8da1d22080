"""Small classifiers as ONNX graphs, made by hand: PyTorch's exporter takes a second for each."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from duonas.core.rng import stream


def classifier(
    seed=0, *, classes=5, channels=3, width=8, batch="N", side=None, opset=18, softmax=False, nhwc=False, scale=4.0,
    names=("pixels", "scores"),
):  # fmt: skip
    """A convolution, a pool and a linear layer: (N, 3, side, side) to (N, classes), of random weights."""
    rng = stream(seed, "classifier")
    arrays = {
        "kernel": rng.normal(size=(width, channels, 3, 3)) / 3,
        "bias": rng.normal(size=width) / 3,
        "matrix": scale * rng.normal(size=(classes, width)),
        "offset": rng.normal(size=classes) / 3,
    }
    entry, leaving = names
    nodes = [helper.make_node("Transpose", [entry], ["moved"], perm=[0, 3, 1, 2])] if nhwc else []
    nodes += [
        helper.make_node("Conv", ["moved" if nhwc else entry, "kernel", "bias"], ["map"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["map"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix", "offset"], ["gemm" if softmax else leaving], transB=1),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["gemm"], [leaving], axis=1))
    rows, cols = (side, side) if side else ("H", "W")
    shape = [batch, rows, cols, channels] if nhwc else [batch, channels, rows, cols]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info(entry, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(leaving, TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in arrays.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="a test")
    onnx.checker.check_model(model, full_check=True)
    return model


COLOURS = ("blue", "green", "red")  # the classes of ``colour_classifier`` and of ``colour_images``, in their order


def colour_classifier(
    every=1, *, hidden=8, side=16, batch="N", softmax=False, nhwc=False, scale=40.0, order=COLOURS, opset=18,
):  # fmt: skip
    """Tells the largest of three colours by every so manyth pixel: the more pixels, the surer."""
    kernel = np.zeros((hidden, 3, 3, 3))
    kernel[:3, :, 1, 1] = np.eye(3)
    matrix = np.zeros((3, hidden))
    for place, name in enumerate(order):
        matrix[place, ("red", "green", "blue").index(name)] = scale
    arrays = {"kernel": kernel, "bias": np.full(hidden, 1.0), "matrix": matrix, "offset": np.zeros(3)}
    shape = [batch, side, side, 3] if nhwc else [batch, 3, side, side]
    nodes = [helper.make_node("Transpose", ["pixels"], ["moved"], perm=[0, 3, 1, 2])] if nhwc else []
    entry = "moved" if nhwc else "pixels"
    flat = [helper.make_node("Flatten", ["pooled"], ["flat"])]
    if batch == 1:
        arrays["shape"] = np.array([1, -1])
        flat = [helper.make_node("Reshape", ["pooled", "shape"], ["flat"])]
    nodes += [
        helper.make_node("Conv", [entry, "kernel", "bias"], ["map"], pads=[1] * 4, strides=[every] * 2),
        helper.make_node("Relu", ["map"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
        *flat,
        helper.make_node("Gemm", ["flat", "matrix", "offset"], ["gemm" if softmax else "scores"], transB=1),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["gemm"], ["scores"], axis=1))
    kinds = {name: np.int64 if name == "shape" else np.float32 for name in arrays}
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, 3])],
        [numpy_helper.from_array(value.astype(kinds[name]), name) for name, value in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def colour_images(folder, each=60, side=16, seed=0):
    """A folder of noisy images of each colour, as duonas reads it."""
    rng = stream(seed, "colours")
    for name in COLOURS:
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = 0.3 + 0.25 * rng.standard_normal((side, side, 3))
            pixels[..., ("red", "green", "blue").index(name)] += rng.uniform(0.0, 0.12)
            Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder
