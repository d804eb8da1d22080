"""A given graph in the order and the form that duonas reads, whatever wrote it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import numpy_helper

from duonas.core.errors import DuonasError

LEAST_IR = 8  # of opset 18; before 4 weights had to be inputs, too


def tidy(model: onnx.ModelProto, called: str) -> onnx.ModelProto:
    """Store constants as weights, put nodes after what they read, and raise an old version of the format.

    ONNX Runtime does all of it, too, when it opens a file; quantising, counting and inferring shapes do not.

    Args:
        model: changed in place.
        called: the network in messages.

    Raises:
        DuonasError: an operation needs its own result.
    """
    model.ir_version = max(model.ir_version, LEAST_IR)
    _store_constants(model.graph)
    _put_in_order(model.graph, called)
    return model


def _store_constants(graph: onnx.GraphProto) -> None:
    """Make weights of the nodes ``Constant``."""
    kept = []
    for node in graph.node:
        value = _value(node) if node.op_type == "Constant" and node.domain in ("", "ai.onnx") else None
        if value is None:
            kept.append(node)
        else:
            graph.initializer.append(value)
    if len(kept) < len(graph.node):
        del graph.node[:]
        graph.node.extend(kept)


def _value(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """What a constant holds; ``None`` for texts and sparse tensors."""
    (given,) = node.attribute
    if given.name == "value":
        tensor = onnx.TensorProto()
        tensor.CopyFrom(given.t)
        tensor.name = node.output[0]
        return tensor
    if given.name in ("value_int", "value_ints"):
        return numpy_helper.from_array(np.array(onnx.helper.get_attribute_value(given), np.int64), node.output[0])
    if given.name in ("value_float", "value_floats"):
        return numpy_helper.from_array(np.array(onnx.helper.get_attribute_value(given), np.float32), node.output[0])
    return None


def _put_in_order(graph: onnx.GraphProto, called: str) -> None:
    """Put every node after those whose results it reads, also inside its branches; else leave the order as it is."""
    made_by = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    needs = [{made_by[name] for name in reads(node) if name in made_by} for node in graph.node]
    if all(place > other for place, others in enumerate(needs) for other in others):
        return
    read_by: dict[int, list[int]] = {}
    for place, others in enumerate(needs):
        for other in others:
            read_by.setdefault(other, []).append(place)
    ready, order = [place for place, others in enumerate(needs) if not others][::-1], []
    while ready:
        order.append(place := ready.pop())
        for reader in reversed(read_by.get(place, ())):
            needs[reader].discard(place)
            if not needs[reader]:
                ready.append(reader)
    if len(order) < len(needs):
        raise DuonasError(f"{called} is damaged: an operation in it needs its own result.")
    nodes = [graph.node[place] for place in order]
    del graph.node[:]
    graph.node.extend(nodes)


def reads(node: onnx.NodeProto) -> set[str]:
    """The names of all that a node reads, also inside its branches."""
    return set(filter(None, node.input)) | set(_inside(each.g for each in node.attribute if each.HasField("g")))


def _inside(graphs: Iterable[onnx.GraphProto]) -> Iterable[str]:
    for graph in graphs:
        yield from (each.name for each in graph.output)
        for node in graph.node:
            yield from reads(node)
