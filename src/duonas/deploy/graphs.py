"""Networks that are ONNX graphs already, as parts of a bundle."""

from __future__ import annotations

import onnx
from onnx import version_converter

from duonas.core.errors import DuonasError
from duonas.deploy.topk import pad_topk
from duonas.pair.onnx_network import OnnxNetwork


def exported_graph(network: OnnxNetwork, entry: str, leaving: str, opset: int) -> onnx.ModelProto:
    """Return a network's graph as the exporter would give it.

    Args:
        network: the network.
        entry: name of the input.
        leaving: name of the output.
        opset: ONNX opset version.

    Raises:
        DuonasError: the graph cannot be had in that version.
    """
    model = network.proto
    own = next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    if own != opset:
        try:
            model = version_converter.convert_version(model, opset)
        except Exception as error:  # the converter's exceptions have no common base class
            reason = " ".join(str(error).split())
            raise DuonasError(
                f"the network is of ONNX opset {own}, which cannot be converted to {opset} ({reason[:200]}): give "
                f"[export] opset = {own}."
            ) from error
    _rename(model.graph, entry, leaving)
    for number, node in enumerate(model.graph.node):  # names are optional in graphs of others, and may come twice
        node.name = f"{node.op_type.lower()}_{number}"
    return pad_topk(model)


def _rename(graph: onnx.GraphProto, entry: str, leaving: str) -> None:
    """Rename the input and the output everywhere, also in branches; other values of these names move away."""
    stored = {each.name for each in graph.initializer}
    read = next(each for each in graph.input if each.name not in stored)
    names = {entry: f"{entry}_of_the_network", leaving: f"{leaving}_of_the_network"}
    names |= {read.name: entry, graph.output[0].name: leaving}
    _replace_all(graph, names)
    shape = read.type.tensor_type.shape.dim, graph.output[0].type.tensor_type.shape.dim
    for sides in shape:
        sides[0].ClearField("dim_value")
        sides[0].dim_param = "N"


def _replace_all(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _replace_all(attribute.g, names)
