"""Networks in int8: their layers compute with 8-bit integers, by scales that images gave (paper D, App. D.2).

A quantised graph is an ordinary one with pairs of QuantizeLinear and DequantizeLinear around its operations (QDQ),
which runtimes fuse into integer operations. Inputs and outputs stay float32, and so do a classifier's logits: a router
that reads them tells as many scores apart as before.

Weights have a scale for each channel, and 7 bits: products of 8-bit activations with 8-bit weights overflow the 16 bits
in which processors without dot-product instructions add two of them, so that answers would depend on the processor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, shape_inference

from duonas.core.errors import DuonasError
from duonas.deploy.float_logits import float_logits
from duonas.runtime.session import open_session

OLDEST_OPSET = 13  # that has scales by channel
WEIGHT_BITS = 7
LAYERS = ("Conv", "Gemm", "MatMul")  # that have weights
AFTER_LAYER = ("Relu", "Clip")  # become a part of the layer before
# Of the operations that QDQ knows, those that integers pay for: between two layers there is no float then.
OPERATIONS = (
    *LAYERS, *AFTER_LAYER, "Add", "Mul", "GlobalAveragePool", "AveragePool", "MaxPool", "Concat", "Reshape", "Flatten",
    "Squeeze", "Unsqueeze", "Transpose",
)  # fmt: skip
OPTIONS = {"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"]}  # logits
Ranges = Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Layer:
    """A layer of a graph: a convolution or a matrix product whose weights are stored.

    Args:
        node: the name of its node.
        label: its name in the network, by that of its weights, such as ``stage2_block0.body.1``.
        weights: the number of its weights.
    """

    node: str
    label: str
    weights: int


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a float graph, with all nodes named and all types known."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    taken: set[str] = set()
    for number, node in enumerate(copy.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{number}_of_{len(copy.graph.node)}"
        taken.add(node.name)
        del node.metadata_props[:]  # where PyTorch's exporter ran, a third of a small file
    return shape_inference.infer_shapes(copy)


def check_opset(model: onnx.ModelProto) -> None:
    """Refuse a graph that is too old for scales by channel.

    Raises:
        DuonasError: it is; the message says what to do.
    """
    if (version := opset_of(model)) < OLDEST_OPSET:
        raise DuonasError(
            f"int8 needs a graph of ONNX opset {OLDEST_OPSET} or newer, and this one has opset {version}: convert it "
            "with onnx.version_converter, or export it anew."
        )


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operations in a graph."""
    return max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)


def layers_of(model: onnx.ModelProto) -> tuple[Layer, ...]:
    """Return the layers of a graph that was ``prepared``, in order."""
    stored = {each.name: each for each in model.graph.initializer}
    found = []
    for node in model.graph.node:
        weights = next((stored[name] for name in node.input[1:2] if name in stored), None)
        if node.op_type in LAYERS and weights is not None:
            label = weights.name.removesuffix(".weight")
            found.append(Layer(node.name, label, int(np.prod(weights.dims))))
    return tuple(found)


def ranges_of(model: onnx.ModelProto, batches: Iterable[np.ndarray], what: str) -> Ranges:
    """Return the least and the largest value of each float value of a graph, over images.

    Args:
        model: a graph that was ``prepared``.
        batches: its inputs (B, ...) float32, by B at a time.
        what: a name of the network, for messages.

    Raises:
        DuonasError: there are no images, so that every scale would be made up; or a value is not finite.
    """
    watched, session = _watching(model)
    least: dict[str, np.ndarray] = {}
    most: dict[str, np.ndarray] = {}
    for batch in batches:
        if not len(batch):
            continue
        found = session.run(None, {model.graph.input[0].name: batch})
        for name, low, high in zip(watched, found[::2], found[1::2], strict=True):
            least[name] = np.minimum(least.get(name, low), low)
            most[name] = np.maximum(most.get(name, high), high)
    if not least:
        raise DuonasError(f"{what} cannot be quantised: no image is left to calibrate it on.")
    for name in watched:
        if not (np.isfinite(least[name]) and np.isfinite(most[name])):
            raise DuonasError(f"{what} cannot be quantised: on a training image its value {name!r} is not finite.")
    return {name: (least[name], most[name]) for name in watched}


def _watching(model: onnx.ModelProto) -> tuple[list[str], Any]:
    """Return the float values around a graph's operations, and a session that gives the extremes of each."""
    graph = model.graph
    known = (*graph.input, *graph.value_info, *graph.output)
    floats = {each.name for each in known if each.type.tensor_type.elem_type == TensorProto.FLOAT}
    around = [name for node in graph.node if node.op_type in OPERATIONS for name in (*node.input, *node.output)]
    watched = [name for name in dict.fromkeys(around) if name in floats]
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    for number, name in enumerate(watched):
        for kind in ("ReduceMin", "ReduceMax"):
            value = f"{kind}_{number}_watched"
            copy.graph.node.append(helper.make_node(kind, [name], [value], value, keepdims=0))
            copy.graph.output.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, []))
    return watched, open_session(copy.SerializeToString(), 1)


def in_int8(
    model: onnx.ModelProto, ranges: Ranges, *, only: Collection[str] = (), but: Collection[str] = ()
) -> onnx.ModelProto:
    """Return a graph in int8, whose inputs and outputs stay float32.

    Args:
        model: a graph that was ``prepared``; it is left as it is.
        ranges: of its values, see ``ranges_of``.
        only: the nodes of the only layers to quantise, with their activations; empty: everything is quantised.
        but: the nodes of layers that stay in float.
    """
    from onnxruntime.quantization import CalibrationMethod, QDQQuantizer, QuantType, TensorData, TensorsData

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    known = {name: TensorData(lowest=low, highest=high) for name, (low, high) in ranges.items()}
    quantizer = QDQQuantizer(
        copy, True, WEIGHT_BITS < 8, QuantType.QInt8, QuantType.QUInt8, TensorsData(CalibrationMethod.MinMax, known),
        _with_activations(model, only), sorted(but), list(OPERATIONS), dict(OPTIONS),
    )  # fmt: skip
    quantizer.quantize_model()
    return tidied(float_logits(quantizer.model.model))


def _with_activations(model: onnx.ModelProto, nodes: Collection[str]) -> list[str]:
    """Return nodes with the activations that would be a part of them."""
    wanted = {name for node in model.graph.node if node.name in nodes for name in node.output}
    after = [each for each in model.graph.node if each.op_type in AFTER_LAYER and each.input[0] in wanted]
    return [*nodes, *(each.name for each in after)]


def tidied(model: onnx.ModelProto) -> onnx.ModelProto:
    """Order the nodes of a graph, drop what nothing reads, and infer the types of its values; changed in place."""
    graph = model.graph
    reads = [(node, _read_by(node)) for node in graph.node]
    read = {name for _, names in reads for name in names} | {each.name for each in graph.output}
    left = [(node, names) for node, names in reads if read & set(node.output)]
    made = {name for node, _ in left for name in node.output}
    ordered: list[onnx.NodeProto] = []
    while left:
        now = [node for node, names in left if not names & made]
        if not now:
            raise ValueError(f"the graph has a circle at {left[0][0].name!r}.")
        ordered += now
        made -= {name for node in now for name in node.output}
        left = [(node, names) for node, names in left if made & set(node.output)]
    for tensor in [each for each in graph.initializer if each.name not in read]:
        graph.initializer.remove(tensor)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(ordered)
    return shape_inference.infer_shapes(model)


def _read_by(node: onnx.NodeProto) -> set[str]:
    """Return what a node reads, also in its branches."""
    branches = [each.g for each in node.attribute if each.type == onnx.AttributeProto.GRAPH]
    inside = {name for graph in branches for each in graph.node for name in _read_by(each)}
    leaving = {value.name for graph in branches for value in graph.output}
    return set(filter(None, node.input)) | inside | leaving


def check_layers(layers: Sequence[Layer], what: str) -> None:
    """Refuse a network without anything to quantise.

    Raises:
        DuonasError: there are no layers.
    """
    if not layers:
        raise DuonasError(
            f"{what} cannot be quantised: it has no {', '.join(LAYERS)} with stored weights; give [export] precision = "
            "'fp32' or 'fp16'."
        )
