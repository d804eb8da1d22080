"""A routed pair taken apart again, so that what was deployed can be timed part by part."""

from __future__ import annotations

from typing import NamedTuple

import onnx
from onnx import helper, shape_inference
from onnx.utils import Extractor


class Pieces(NamedTuple):
    """Parts of a routed pair as networks of their own.

    Args:
        light: what runs on every image: images (N, 3, H, W) to little's logits (N, K) and scores (N,).
        stem: images to features; ``None`` where the towers share nothing.
        tower: big without the stem, features (M, C, H', W') to logits (M, K).
    """

    light: onnx.ModelProto
    stem: onnx.ModelProto | None
    tower: onnx.ModelProto


def unstitch(model: onnx.ModelProto) -> Pieces:
    """The parts of what ``stitch.dynamic`` made, with the same nodes and weights."""
    extractor = Extractor(shape_inference.infer_shapes(model))
    shared = any("stem/features" in node.output for node in model.graph.node)
    stem = extractor.extract_model(["images"], ["stem/features"]) if shared else None
    light = extractor.extract_model(["images"], ["little/logits", "score"])
    return Pieces(light, stem, _tower(model, stem.graph.output[0] if stem else model.graph.input[0]))


def _tower(model: onnx.ModelProto, features: onnx.ValueInfoProto) -> onnx.ModelProto:
    route = next(node for node in model.graph.node if node.name == "route")
    branch = next(attribute.g for attribute in route.attribute if attribute.name == "then_branch")
    nodes = [node for node in branch.node if node.name.startswith("big/")]
    weights = [tensor for tensor in branch.initializer if tensor.name.startswith("big/")]
    # The branch finds some values outside of itself; big finds one there: the features of the hard rows.
    known = {name for node in nodes for name in node.output} | {tensor.name for tensor in weights}
    (entry,) = {name for node in nodes for name in node.input if name} - known
    inside = onnx.ValueInfoProto()
    inside.CopyFrom(features)
    inside.name = entry
    leaving = onnx.ValueInfoProto()
    leaving.CopyFrom(model.graph.output[0])
    leaving.name = "big/logits"
    graph = helper.make_graph(nodes, "big", [inside], [leaving], weights)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
