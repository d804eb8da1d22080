"""TopK on no rows ends the process in older versions of ONNX Runtime, so that no graph may meet it there."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper

from duonas.core.registry import names
from duonas.deploy.export import export_module, export_score
from duonas.deploy.topk import pad_topk
from duonas.routing.routers.confidence import Confidence
from duonas.routing.routers.learned import Learned, LearnedOptions, Network


class Highest(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        values, places = x.topk(2, dim=self.dim)
        return torch.cat([values.flatten(1), places.flatten(1).float()], dim=1)


def run(model, rows):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: rows.numpy()})[0]


def inputs_of_topk(model):
    """The nodes that make the input of each TopK."""
    made = {output: node for node in model.graph.node for output in node.output}
    return [made.get(node.input[0]) for node in model.graph.node if node.op_type == "TopK"]


@pytest.mark.parametrize("shape", [(6,), (3, 5), (3, 5, 4)])
@pytest.mark.parametrize("dim", [1, -1])
def test_topk_of_any_rank_gives_the_same_with_a_row_more(shape, dim):
    samples = torch.randn(7, *shape, generator=torch.Generator().manual_seed(0))
    model = export_module(Highest(dim).eval(), samples, "x", "y", 18)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in inputs_of_topk(model)] == ["Pad"]
    for rows in (0, 1, 7):
        np.testing.assert_array_equal(run(model, samples[:rows]), Highest(dim)(samples[:rows]).numpy())


def test_topk_along_the_rows_is_left_alone():
    """There the row more would be among those that are compared."""
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N"])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])
    two = helper.make_tensor("two", onnx.TensorProto.INT64, [1], [2])
    graph = helper.make_graph([helper.make_node("TopK", ["x", "two"], ["y", ""])], "g", [x], [y], [two])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    before = model.SerializeToString()
    assert pad_topk(model).SerializeToString() == before


@pytest.mark.parametrize("score", names("score"))
def test_no_score_needs_it(score):
    model = export_score(Confidence(score), torch.randn(4, 6), 18)
    assert "TopK" not in {node.op_type for node in model.graph.node}


def test_a_learned_router_scores_no_rows():
    logits = torch.randn(4, 12)
    router = Learned(position="after_little")
    network = Network.fresh(router.describe(logits), 8, torch.Generator().manual_seed(0))
    model = export_score(Learned(LearnedOptions(), network, position="after_little"), logits, 18)
    assert [node.op_type for node in inputs_of_topk(model)] == ["Pad"]
    assert run(model, logits[:0]).shape == (0,) and run(model, logits).shape == (4,)
