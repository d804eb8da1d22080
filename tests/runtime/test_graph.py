"""A graph that is not one of a routed pair is refused before any image."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from duonas.runtime import BundleError
from duonas.runtime.graph import check_graph

KINDS = {
    "images": (TensorProto.FLOAT, ["N", 3, 4, 4]), "tau": (TensorProto.FLOAT, []),
    "logits": (TensorProto.FLOAT, ["N", 5]), "score": (TensorProto.FLOAT, ["N"]),
    "is_little": (TensorProto.BOOL, ["N"]),
}  # fmt: skip
VALUES = {TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64, TensorProto.BOOL: np.bool_}


def session(changes=None, default=False):
    """A graph of constants with the inputs and outputs of a routed pair.

    Args:
        changes: another type and shape by name; ``None`` leaves an input or output out.
        default: whether tau has a default value, as in files of other tools.
    """
    kinds = {name: kind for name, kind in (KINDS | (changes or {})).items() if kind is not None}
    described = {name: helper.make_tensor_value_info(name, *kind) for name, kind in kinds.items()}
    leaving = [name for name in kinds if name in ("logits", "score", "is_little")]
    nodes = []
    for name in leaving:
        kind, shape = kinds[name]
        value = numpy_helper.from_array(np.zeros([2 if side == "N" else side for side in shape], VALUES[kind]))
        nodes.append(helper.make_node("Constant", [], [name], value=value))
    tau = [numpy_helper.from_array(np.array(0.5, np.float32), "tau")] if default else []
    inputs = [described[name] for name in kinds if name not in leaving]
    graph = helper.make_graph(nodes, "pair", inputs, [described[name] for name in leaving], tau)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def test_a_routed_pair_is_known_by_its_inputs_and_outputs():
    assert check_graph(session(), 5) == (3, 4, 4)
    assert check_graph(session(default=True), 5) == (3, 4, 4)
    assert check_graph(session({"images": (TensorProto.FLOAT, [1, 3, 4, 6])}), 5) == (3, 4, 6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tau": None}, "no input 'tau'"),
        ({"images": None}, "no input 'images'"),
        ({"is_little": None}, "no output 'is_little'"),
        ({"score": None}, "no output 'score'"),
        ({"mask": (TensorProto.FLOAT, [])}, "needs an input 'mask', but a routed pair has only images and tau"),
        (
            {"images": (TensorProto.DOUBLE, ["N", 3, 4, 4])},
            r"'images' must be a tensor\(float\), got a tensor\(double\)",
        ),
        ({"is_little": (TensorProto.FLOAT, ["N"])}, r"'is_little' must be a tensor\(bool\)"),
        (
            {"images": (TensorProto.FLOAT, ["N", 3, 16])},
            r"'images' must have the shape \(N, 3, H, W\), got \(N, 3, 16\)",
        ),
        ({"images": (TensorProto.FLOAT, ["N", 1, 4, 4])}, r"shape \(N, 3, H, W\), got \(N, 1, 4, 4\)"),
        ({"images": (TensorProto.FLOAT, ["N", 3, "H", "W"])}, r"shape \(N, 3, H, W\), got \(N, 3, H, W\)"),
        ({"tau": (TensorProto.FLOAT, [1])}, r"'tau' must have the shape \(\), got \(1\,\)"),
        ({"score": (TensorProto.FLOAT, ["N", 1])}, r"'score' must have the shape \(N\,\), got \(\w, 1\)"),
        ({"logits": (TensorProto.FLOAT, ["N", 4])}, "the graph has 4 classes, but the policy 5"),
    ],
)
def test_any_other_graph_is_refused(changes, message):
    with pytest.raises(BundleError, match=message):
        check_graph(session(changes), 5)
