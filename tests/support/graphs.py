"""Small classifiers as ONNX graphs, made by hand: PyTorch's exporter takes a second for each."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

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
