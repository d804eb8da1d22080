"""The size of the weights in an ONNX file."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from duonas.measure.size import weight_bytes


def test_weights_of_branches_count_too(tmp_path):
    inner = numpy_helper.from_array(np.zeros((2, 3), np.float32), "inner")
    value = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [2, 3])
    branch = helper.make_graph([], "branch", [], [value], [inner])
    ask = helper.make_node("If", ["ask"], ["out"], then_branch=branch, else_branch=branch)
    outer = numpy_helper.from_array(np.zeros(4, np.int8), "outer")
    graph = helper.make_graph([ask], "graph", [helper.make_tensor_value_info("ask", TensorProto.BOOL, [])],
                              [helper.make_tensor_value_info("out", TensorProto.FLOAT, [2, 3])], [outer])  # fmt: skip
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    assert weight_bytes(tmp_path / "model.onnx") == 4 + 2 * 24
