"""Build ONNX graphs from exported parts: nodes, weights, properties, checks."""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference
from onnx.compose import add_prefix

from duonas import __version__

IR_VERSION = 8  # for old runtimes
TAU = "tau"  # name of the input, and of the property that holds the value to feed
THRESHOLDS = "thresholds"  # the same of a network of several exits
DOCS = {
    "images": 'RGB images; the metadata property "preprocessing" says their size and range.',
    TAU: 'An image stays little if its score is at least tau; the metadata property "tau" has the chosen value.',
    THRESHOLDS: "Of each exit but the last: an image leaves at the first one whose confidence is at least that; the "
    'metadata property "thresholds" has the chosen values.',
    "logits": 'Raw scores of the classes, which the metadata property "class_names" names in order; no softmax.',
    "score": "How far little can be trusted with each image, by the router; comparable to tau.",
    "is_little": "Whether little answered the image.",
    "exit": "The exit by which each image left, from 1.",
}


class GraphBuilder:
    """Nodes, initializers and values of known shapes under construction."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.values: list[onnx.ValueInfoProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def add(self, part: onnx.ModelProto, prefix: str, entry: str, rows: str = "N") -> str:
        """Add a part with input ``entry`` and a number ``rows`` of rows, and return the name of its output."""
        return self.add_all(part, prefix, [entry], rows)[0]

    def add_all(self, part: onnx.ModelProto, prefix: str, entries: Sequence[str], rows: str) -> list[str]:
        """Add a part with several inputs, and return the names of its outputs."""
        graph = add_prefix(part, f"{prefix}/").graph
        made = {name for node in graph.node for name in node.output}
        for value in [each for each in graph.value_info if each.name in made]:
            for side in value.type.tensor_type.shape.dim:
                if not side.HasField("dim_value"):
                    side.dim_param = rows
            self.values.append(value)
        for node in graph.node:
            for value, entry in zip(graph.input, entries, strict=True):
                _replace(node.input, value.name, entry)
            del node.metadata_props[:]  # stack traces of the exporter, with paths of the exporting machine
        self.nodes += graph.node
        self.initializers += graph.initializer
        return [str(value.name) for value in graph.output]

    def rename(self, old: str, new: str) -> None:
        """Rename a value everywhere."""
        for node in self.nodes:
            _replace(node.input, old, new)
            _replace(node.output, old, new)

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        """Add an operation."""
        self.nodes.append(helper.make_node(op, inputs, [output], output, **attributes))

    def constant(self, name: str, value: np.ndarray) -> None:
        """Add an initializer."""
        self.initializers.append(numpy_helper.from_array(value, name))

    def proto(
        self, name: str, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
    ) -> onnx.GraphProto:
        """Return the finished graph."""
        return helper.make_graph(self.nodes, name, inputs, outputs, self.initializers, value_info=self.values)


def finished(
    graph: onnx.GraphProto, parts: Sequence[onnx.ModelProto | None], metadata: Mapping[str, str], doc: str
) -> onnx.ModelProto:
    """Return a checked file of a graph, with the shapes of all its values.

    Args:
        graph: the graph; ``DOCS`` has a sentence for each of its inputs and outputs.
        parts: what it is made of, whose operators it uses.
        metadata: properties to store in the file.
        doc: what the file is.
    """
    for value in (*graph.input, *graph.output):
        value.doc_string = DOCS[value.name]
    # A quantised part may use operators of another domain than the rest.
    opsets = {each.domain: each.version for part in parts if part is not None for each in part.opset_import}
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid(*each) for each in opsets.items()], ir_version=IR_VERSION,
        producer_name="duonas", producer_version=__version__, doc_string=doc,
    )  # fmt: skip
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    # Shapes of all values, for converters to other runtimes and for people who look at the graph.
    return shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


def named(value: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    """Return a copy of a value with another name."""
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    copy.name = name
    return copy


def _replace(names: MutableSequence[str], old: str, new: str) -> None:
    for index, name in enumerate(names):
        if name == old:
            names[index] = new
