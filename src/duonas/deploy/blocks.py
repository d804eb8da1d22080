"""Single blocks as ONNX graphs, and networks that are put together from them without a further export."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import onnx
import torch
from onnx import TensorProto, helper, shape_inference
from onnx.compose import add_prefix
from torch import nn

from duonas import __version__
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError
from duonas.core.files import write_bytes
from duonas.costs.device_table import block_text, in_words
from duonas.deploy.export import export_module
from duonas.deploy.simplify import simplify
from duonas.layers.plain import Input
from duonas.pair.build import build
from duonas.pair.sources import sources_of

ENTRY, LEAVING = "entering", "leaving"  # names of a block's input and output


class BlockExporter:
    """Exports blocks with random weights, which are the same every time, and keeps the graphs in a folder.

    Args:
        folder: for graphs of earlier exports, created if needed; ``None``: nothing is kept.
        opset: ONNX opset version.
    """

    def __init__(self, folder: Path | None, opset: int) -> None:
        self._folder = folder
        self._opset = opset
        self._known: dict[BlockSpec, onnx.ModelProto] = {}

    def __call__(self, block: BlockSpec) -> onnx.ModelProto:
        """The graph of a block, (N, C, H, W) to (N, C', H', W') or (N, K).

        Raises:
            DuonasError: the block cannot be built or exported.
        """
        key = block.key
        if key not in self._known:
            self._known[key] = self._kept(block)
        return self._known[key]

    def _kept(self, block: BlockSpec) -> onnx.ModelProto:
        if self._folder is None:
            return export_block(block, self._opset)
        path = self._folder / f"{self._name(block)}.onnx"
        try:
            return onnx.load_model_from_string(path.read_bytes())
        except FileNotFoundError:
            pass
        except Exception:  # protobuf's exceptions are not part of the interface of onnx
            path.unlink(missing_ok=True)
        model = export_block(block, self._opset)
        write_bytes(path, model.SerializeToString())
        return model

    def _name(self, block: BlockSpec) -> str:
        versions = (__version__, torch.__version__, self._opset, sources_of([block.kind]))
        return hashlib.sha256(f"{block_text(block)} {versions}".encode()).hexdigest()


def network(block: BlockSpec) -> nn.Module:
    """The plain network of one block, in eval mode, with random weights that are the same every time.

    Raises:
        DuonasError: there is no builder for its kind.
    """
    built = build([replace(block, name="block")])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for module in built.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
            if isinstance(module, Input):  # to subtract 0 would be left out; to divide is left out in a whole network
                module.mean.fill_(0.5)
    return built.eval()


def export_block(block: BlockSpec, opset: int) -> onnx.ModelProto:
    """Export a block with random weights and batch norms folded into convolutions.

    The exporter of TorchScript makes the same nodes as the other one that exports pairs, a hundred times as fast. It is
    deprecated, and so the other one is asked where it is not there or does not know an operation.

    Raises:
        DuonasError: the block cannot be built or exported.
    """
    built = network(block)
    images = torch.rand(2, block.in_channels, block.resolution, block.resolution,
                        generator=torch.Generator().manual_seed(0))  # fmt: skip
    try:
        with torch.no_grad():
            leaving = built(images).shape
        try:
            model = _by_script(built, images, opset)
        except Exception:
            model = export_module(built, images, ENTRY, LEAVING, opset)
    except Exception as error:  # a user's own block may fail in any way
        said = str(error).strip().partition("\n")[0].rstrip(".")
        raise DuonasError(
            f"block {in_words(block)} cannot be exported to ONNX: {type(error).__name__} {said}."
        ) from error
    for value, sides in ((model.graph.input[0], images.shape), (model.graph.output[0], leaving)):
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, ["N", *sides[1:]]))
    return simplify(shape_inference.infer_shapes(model))


def _by_script(built: nn.Module, images: torch.Tensor, opset: int) -> onnx.ModelProto:
    rows, file = {0: "N"}, io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is deprecated
        torch.onnx.export(
            built, (images,), file,  # type: ignore[arg-type]  # a file works, too
            input_names=[ENTRY], output_names=[LEAVING], opset_version=opset,
            dynamo=False, dynamic_axes={ENTRY: rows, LEAVING: rows},
        )  # fmt: skip
    return _without_copies(onnx.load_model_from_string(file.getvalue()))


def _without_copies(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the copies of weights with which the exporter stands in for weights of equal values."""
    weights = {each.name for each in model.graph.initializer}
    copies = [node for node in model.graph.node if node.op_type == "Identity" and node.input[0] in weights]
    original = {node.output[0]: node.input[0] for node in copies}
    for node in copies:
        model.graph.node.remove(node)
    for node in model.graph.node:
        node.input[:] = [original.get(name, name) for name in node.input]
    return model


def chain(models: Sequence[onnx.ModelProto], entry: str, leaving: str) -> onnx.ModelProto:
    """Put graphs one behind the other, each with one input and one output.

    Args:
        models: graphs; the output of each is the input of the next.
        entry: name of the input of the whole.
        leaving: name of its output.
    """
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    value = entry
    for number, model in enumerate(models):
        graph = add_prefix(model, f"block{number}/").graph
        last = leaving if number == len(models) - 1 else graph.output[0].name
        names = {graph.input[0].name: value, graph.output[0].name: last}
        for node in graph.node:
            node.input[:] = [names.get(each, each) for each in node.input]
            node.output[:] = [names.get(each, each) for each in node.output]
        nodes += graph.node
        weights += graph.initializer
        value = last
    first, end = models[0].graph.input[0], models[-1].graph.output[0]
    inside, outside = onnx.ValueInfoProto(), onnx.ValueInfoProto()
    inside.CopyFrom(first)
    outside.CopyFrom(end)
    inside.name, outside.name = entry, leaving
    made = helper.make_graph(nodes, "network", [inside], [outside], weights)
    return simplify(helper.make_model(made, opset_imports=models[0].opset_import, ir_version=models[0].ir_version))
