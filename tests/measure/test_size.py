"""The size of the weights in an ONNX file, and the peak activation memory of a pair."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from duonas.core.couplings import pair_space
from duonas.core.pair import PairArch
from duonas.costs.analytic import analytic
from duonas.measure.size import peak_memory, weight_bytes
from duonas.pair.facts import PairFacts
from duonas.routing.routers.confidence import Confidence
from duonas.search.prices import Prices
from duonas.spaces.mobilenet import MobileNet


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


def test_the_memory_of_a_pair_is_what_the_search_counts():
    pairs = pair_space(MobileNet.space(MobileNet.Options(preset="digits"), 8, 10), "nested")
    pair = PairArch(pairs.space.smallest(), pairs.space.largest())
    found = peak_memory(PairFacts.of(pairs, pair, analytic), before=False)
    assert found["routed"] == Prices(pairs, analytic).price(pair, Confidence("margin")).peak_memory_bytes
    assert found["routed"] >= found["big"] > found["little"] > 0
    assert peak_memory(PairFacts({}, {}, 10, None), before=True) == {"little": None, "big": None, "routed": None}
