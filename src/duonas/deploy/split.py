"""Split a deployed routed pair into its parts, so that each can be timed."""

from __future__ import annotations

from typing import NamedTuple

import onnx
from onnx import helper, shape_inference
from onnx.utils import Extractor

from duonas.deploy.builder import named


class Pieces(NamedTuple):
    """The parts of a routed pair as separate networks.

    Args:
        light: the part that runs on every image, images (N, 3, H, W) to scores (N,). Its first output is little's
            logits for a router after little, else the stem's features, if there is a stem.
        stem: images to features; ``None`` if the towers share nothing.
        score: the router's input to scores (N,).
        little: little without the stem, features (M, C, H', W') to logits (M, K); ``None`` if it is part of ``light``.
        big: big without the stem, features (M, C, H', W') to logits (M, K).
    """

    light: onnx.ModelProto
    stem: onnx.ModelProto | None
    score: onnx.ModelProto
    little: onnx.ModelProto | None
    big: onnx.ModelProto


def split(model: onnx.ModelProto) -> Pieces:
    """Split the result of ``stitch.dynamic`` into its parts, with the same nodes and weights."""
    extractor = Extractor(shape_inference.infer_shapes(model))
    known = {name for node in model.graph.node for name in node.output}
    stem = extractor.extract_model(["images"], ["stem/features"]) if "stem/features" in known else None
    cascade = "little/logits" in known
    first = ["little/logits"] if cascade else ["stem/features"] if stem else []
    features = stem.graph.output[0] if stem else model.graph.input[0]
    return Pieces(
        light=extractor.extract_model(["images"], [*first, "score"]),
        stem=stem,
        score=extractor.extract_model([_entry(model.graph, "score/")], ["score"]),
        little=None if cascade else _tower(model, "little", features),
        big=_tower(model, "big", features),
    )


def _tower(model: onnx.ModelProto, role: str, features: onnx.ValueInfoProto) -> onnx.ModelProto:
    ask = next(node for node in model.graph.node if node.name == f"ask_{role}")
    branch = next(attribute.g for attribute in ask.attribute if attribute.name == "then_branch")
    nodes = [node for node in branch.node if node.name.startswith(f"{role}/")]
    weights = [tensor for tensor in branch.initializer if tensor.name.startswith(f"{role}/")]
    inside = named(features, _entry(branch, f"{role}/"))
    leaving = named(model.graph.output[0], f"{role}/logits")
    graph = helper.make_graph(nodes, role, [inside], [leaving], weights)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _entry(graph: onnx.GraphProto, prefix: str) -> str:
    """Return the only value that a part reads from outside."""
    nodes = [node for node in graph.node if node.name.startswith(prefix)]
    made = {name for node in nodes for name in node.output} | {tensor.name for tensor in graph.initializer}
    (entry,) = {name for node in nodes for name in node.input} - made - {""}
    return entry
