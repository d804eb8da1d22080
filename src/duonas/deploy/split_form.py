"""The split form of a pair: its parts as ONNX files of any number of rows, and how they belong together.

What runs on the host is decided once, here, for all engines: the router's score, which may need operations that an
engine does not have, and the decision. All else, the networks, runs on the engine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import onnx

from duonas.deploy.builder import IR_VERSION, named
from duonas.deploy.export import Parts
from duonas.deploy.stitch import whole
from duonas.runtime.session import ROWS
from duonas.runtime.split import MANIFEST, SCORE, Manifest, Part

FEATURES = "features"


def split_files(parts: Parts, buckets: Sequence[int]) -> dict[str, bytes]:
    """Return the files of the split form by name.

    Args:
        parts: exported parts of the pair.
        buckets: numbers of rows, ascending.
    """
    models = _models(parts)
    manifest = Manifest(
        image=_row(parts.stem or parts.little),  # type: ignore[arg-type]  # of three sides
        before=parts.before,
        parts={name: _part(name, model, parts) for name, model in models.items()},
        buckets=tuple(buckets),
    )
    files = {_file(name): model.SerializeToString() for name, model in models.items()}
    return files | {MANIFEST: json.dumps(manifest.to_json(), indent=1).encode()}


def _models(parts: Parts) -> dict[str, onnx.ModelProto]:
    stem, little = parts.stem, parts.little
    if parts.before and stem is not None:
        models = {"stem": stem, "little": little, "big": parts.big}
    elif stem is not None:
        models = {"little": _with_features(stem, little), "big": parts.big}
    else:
        models = {"little": little, "big": parts.big}
    return {name: _plain(model) for name, model in (models | {SCORE: parts.score}).items()}


def _with_features(stem: onnx.ModelProto, little: onnx.ModelProto) -> onnx.ModelProto:
    """Stem and little as one network, images to logits and the features that big goes on from."""
    model = whole("little", stem, little, {})
    inside = f"stem/{stem.graph.output[0].name}"
    for node in model.graph.node:
        for values in (node.input, node.output):
            values[:] = [FEATURES if name == inside else name for name in values]
    for value in [each for each in model.graph.value_info if each.name == inside]:
        model.graph.value_info.remove(value)
    model.graph.output.append(named(stem.graph.output[0], FEATURES))
    return model


def _plain(part: onnx.ModelProto) -> onnx.ModelProto:
    """A copy for old runtimes, whose number of rows has the name that engines fix it by."""
    model = onnx.ModelProto()
    model.CopyFrom(part)
    model.ir_version = min(model.ir_version, IR_VERSION)
    graph = model.graph
    rows = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*graph.input, *graph.output, *graph.value_info):
        for side in value.type.tensor_type.shape.dim:
            if side.dim_param == rows:
                side.dim_param = ROWS
    for node in graph.node:
        del node.metadata_props[:]  # stack traces of the exporter, with paths of the exporting machine
    return model


def _part(name: str, model: onnx.ModelProto, parts: Parts) -> Part:
    shared = FEATURES if parts.stem is not None else "images"
    if name == SCORE:
        reads = {"input": "images", "stem": shared, "after_little": "logits"}[parts.position]
        gives: tuple[str, ...] = (SCORE,)
    else:
        with_stem = name == "stem" or (name == "little" and not parts.before)
        reads = "images" if with_stem else shared
        gives = tuple(each.name for each in model.graph.output)
    return Part(_file(name), reads, _row(model), gives)


def _file(name: str) -> str:
    return f"split-{name}.onnx"


def _row(model: onnx.ModelProto) -> tuple[int, ...]:
    """The shape of one row of a graph's input."""
    return tuple(side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim[1:])
