"""Make TopK work on no rows, on which ONNX Runtime up to 1.30 ends the process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper


def pad_topk(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the input of every TopK one more row, and take that row off its outputs again.

    Args:
        model: a graph whose first dimensions are rows that do not depend on each other; changed in place. A TopK along
            the first dimension, or of a value of unknown rank, is left as it is.

    Returns:
        ``model``.
    """
    ranks = {each.name: len(each.type.tensor_type.shape.dim) for each in (*model.graph.input, *model.graph.value_info)}
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        rank = ranks.get(node.input[0], 0) if node.op_type == "TopK" else 0
        if rank and _axis(node) % rank:
            model.graph.initializer.extend(_constants(node, rank))
            model.graph.node.extend(_padded(node))
        else:
            model.graph.node.append(node)
    return model


def _axis(node: onnx.NodeProto) -> int:
    return int(next((attribute.i for attribute in node.attribute if attribute.name == "axis"), -1))


def _constants(node: onnx.NodeProto, rank: int) -> Iterator[onnx.TensorProto]:
    one_row = np.zeros(2 * rank, np.int64)
    one_row[rank] = 1  # after the last row
    for name, value in (("pads", one_row), ("start", [0]), ("end", [-1]), ("axis", [0])):
        yield numpy_helper.from_array(np.array(value, np.int64), f"{node.output[0]}_{name}")


def _padded(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    name, outputs = node.output[0], [each for each in node.output if each]
    yield helper.make_node("Pad", [node.input[0], f"{name}_pads"], [f"{name}_longer"], f"{name}_pad")
    longer = [f"{each}_longer_found" if each else "" for each in node.output]
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[0] = f"{name}_longer"
    copy.output[:] = longer
    yield copy
    for found in outputs:
        ends = [f"{name}_{each}" for each in ("start", "end", "axis")]
        yield helper.make_node("Slice", [f"{found}_longer_found", *ends], [found], f"{found}_slice")
