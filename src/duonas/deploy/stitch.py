"""Stitch the parts of a pair into whole networks, and into one graph that skips big on easy images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

from duonas.deploy.builder import TAU, GraphBuilder, finished, named
from duonas.deploy.export import Parts

PAIR_DOC = """A big/little pair of image classifiers with a router. Little answers every image whose score is at least \
tau, and big the others: big runs on their rows only, and not at all where there are none. Feed the value of the \
metadata property "tau", which was chosen for this pair, or any other: at -inf little answers all images, at inf big."""
WHOLE_DOCS = {
    "little": "The little one of a routed pair of image classifiers, alone.",
    "big": "The big one of a routed pair of image classifiers, alone.",
    "plain": "A plain image classifier, with which a routed pair is compared.",
}


def whole(
    name: str, stem: onnx.ModelProto | None, tower: onnx.ModelProto, metadata: Mapping[str, str]
) -> onnx.ModelProto:
    """Return one network, images (N, 3, H, W) to logits (N, K), of a stem and a tower.

    Args:
        name: ``little``, ``big`` or ``plain``.
        stem: images to features; ``None`` if there is none.
        tower: features (or images, without a stem) to logits.
        metadata: properties to store in the file.
    """
    graph = GraphBuilder()
    features = graph.add(stem, "stem", "images") if stem else "images"
    graph.rename(graph.add(tower, "tower", features), "logits")
    network = graph.proto(name, [_entry(stem or tower, "images")], [_leaving(tower, "logits")])
    return finished(network, [stem, tower], metadata, WHOLE_DOCS[name])


def dynamic(parts: Parts, tau: float, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """Return the routed pair as one graph: the stem runs once, and big on the hard rows only.

    Little runs on every image if the router reads its logits, else on the easy rows only; a network without rows does
    not run. Inputs: ``images`` float32 (N, 3, H, W) in [0, 1] and ``tau``, a float32 scalar. Outputs: ``logits``
    (N, K), ``score`` (N,) and ``is_little`` (N,) bool.

    ``tau`` has no default, since most runtimes other than ONNX Runtime's for Python cannot override one; its value is
    a property of the file.

    Args:
        parts: exported parts of the pair.
        tau: the threshold to note in the file, see ``note_tau``.
        metadata: properties to store in the file.
    """
    graph = GraphBuilder()
    features = graph.add(parts.stem, "stem", "images") if parts.stem else "images"
    little = "" if parts.before else graph.add(parts.little, "little", features)
    seen = {"input": "images", "stem": features, "after_little": little}[parts.position]
    graph.rename(graph.add(parts.score, "score", seen), "score")
    _decide(graph)
    if parts.before:
        little = _blank(graph, parts.little)
        little = _fill(graph, _Rows("easy", "is_little", "little", parts.little), features, little)
    graph.rename(_fill(graph, _Rows("hard", "is_hard", "big", parts.big), features, little), "logits")
    batch = parts.little.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    outputs = [
        _leaving(parts.little, "logits"),
        helper.make_tensor_value_info("score", TensorProto.FLOAT, [batch]),
        helper.make_tensor_value_info("is_little", TensorProto.BOOL, [batch]),
    ]
    inputs = [_entry(parts.stem or parts.little, "images"), helper.make_tensor_value_info(TAU, TensorProto.FLOAT, [])]
    used = [parts.stem, parts.little, parts.big, parts.score]
    model = finished(graph.proto("routed_pair", inputs, outputs), used, metadata, PAIR_DOC)
    note_tau(model, tau)
    return model


def note_tau(model: onnx.ModelProto, tau: float) -> None:
    """Note in a routed pair, as its property ``tau``, the threshold to feed: a decimal number, ``inf`` or ``-inf``.

    A default value of the input, as files of earlier versions have, is removed.
    """
    noted = {prop.key: prop.value for prop in model.metadata_props}
    helper.set_model_props(model, noted | {TAU: repr(float(tau))})
    for default in [each for each in model.graph.initializer if each.name == TAU]:
        model.graph.initializer.remove(default)


def _decide(graph: GraphBuilder) -> None:
    # A NaN score fails ">=" and goes to big. At tau = +inf no row stays little, not even one with a score of +inf.
    graph.constant("infinity", np.array(np.inf, np.float32))
    graph.constant("zero", np.array(0, np.int64))
    graph.node("GreaterOrEqual", ["score", "tau"], "sure")
    graph.node("Less", ["tau", "infinity"], "finite")
    graph.node("And", ["sure", "finite"], "is_little")
    graph.node("Not", ["is_little"], "is_hard")


def _blank(graph: GraphBuilder, tower: onnx.ModelProto) -> str:
    """Add logits (N, K) of zeros, to be overwritten row by row."""
    classes = tower.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    graph.constant("classes", np.array([classes], np.int64))
    graph.node("Shape", ["score"], "batch")
    graph.node("Concat", ["batch", "classes"], "blank_shape", axis=0)
    graph.node("ConstantOfShape", ["blank_shape"], "blank")
    return "blank"


class _Rows(NamedTuple):
    """The rows on which a tower runs: little on ``easy`` ones, big on ``hard`` ones."""

    kind: str
    mask: str
    role: str
    tower: onnx.ModelProto


def _fill(graph: GraphBuilder, rows: _Rows, features: str, logits: str) -> str:
    """Add a tower that overwrites ``logits`` at its rows, if any, and return the name of the result."""
    kind, filled = rows.kind, f"{rows.role}_filled"
    graph.node("NonZero", [rows.mask], kind)
    graph.values.append(helper.make_tensor_value_info(kind, TensorProto.INT64, [1, f"{kind}_rows"]))
    graph.node("Size", [kind], f"{kind}_count")
    graph.node("Greater", [f"{kind}_count", "zero"], f"any_{kind}")
    branches = {"then_branch": _some(rows, features, logits), "else_branch": _none(rows, logits)}
    graph.nodes.append(helper.make_node("If", [f"any_{kind}"], [filled], f"ask_{rows.role}", **branches))
    return filled


def _some(rows: _Rows, features: str, logits: str) -> onnx.GraphProto:
    # The tower's weights are inside the branch, where ONNX Runtime folds, fuses and packs them as in a whole network.
    graph, kind = GraphBuilder(), rows.kind
    graph.constant(f"{kind}_row_axis", np.array([0], np.int64))
    graph.node("Squeeze", [kind, f"{kind}_row_axis"], f"{kind}_rows")
    entry = f"{kind}_features"
    graph.node("Gather", [features, f"{kind}_rows"], entry, axis=0)
    answers = graph.add(rows.tower, rows.role, entry, f"{kind}_rows")
    graph.node("Transpose", [kind], f"{kind}_indices", perm=[1, 0])
    graph.node("ScatterND", [logits, f"{kind}_indices", answers], f"{kind}_scattered")
    return graph.proto(f"{kind}_rows", [], [_leaving(rows.tower, f"{kind}_scattered")])


def _none(rows: _Rows, logits: str) -> onnx.GraphProto:
    graph = GraphBuilder()
    graph.node("Identity", [logits], f"{rows.kind}_unchanged")
    return graph.proto(f"no_{rows.kind}_row", [], [_leaving(rows.tower, f"{rows.kind}_unchanged")])


def _entry(part: onnx.ModelProto, name: str) -> onnx.ValueInfoProto:
    return named(part.graph.input[0], name)


def _leaving(part: onnx.ModelProto, name: str) -> onnx.ValueInfoProto:
    return named(part.graph.output[0], name)
