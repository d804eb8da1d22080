"""Export a network of several exits as one graph of nested branches, which computes no stage that no image reaches."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from duonas.deploy.builder import THRESHOLDS, GraphBuilder, finished, named
from duonas.deploy.simplify import simplify
from duonas.deploy.topk import pad_topk
from duonas.exits.network import ExitNet
from duonas.routing.score import Score, find_score

EXITS_DOC = """An image classifier that may stop early. An image leaves at the first exit whose confidence is at \
least that exit's threshold: the stages after it run on the rows of the other images only, and not at all where there \
are none. Feed the values of the metadata property "thresholds", one for each exit but the last, or any others: at \
-inf all images that reach an exit leave there, at inf none does."""


@dataclass(frozen=True)
class ExitPart:
    """What computes one exit: its stage, its head, and how sure the head is.

    Args:
        model: the tensors of the state that it reads to logits (N, K), confidences (N,) unless it is the last exit, and
            the tensors of the next state that it makes.
        reads: the place of each input among the tensors of the state.
        hands_on: where each tensor of the next state is from: its place in the state before, if it is only handed on;
            ``None`` if it is made here.
    """

    model: onnx.ModelProto
    reads: tuple[int, ...]
    hands_on: tuple[int | None, ...]

    @property
    def classes(self) -> int:
        """The number K of classes."""
        return int(self.model.graph.output[0].type.tensor_type.shape.dim[1].dim_value)


def export_exits(network: ExitNet, image_size: int, opset: int) -> list[ExitPart]:
    """Export each of the N exits of a network, in eval mode, and leave the network unchanged.

    Args:
        network: on any device.
        image_size: side H of the images in pixels.
        opset: ONNX opset version.
    """
    network = deepcopy(network).cpu().float().eval()
    state: tuple[Tensor, ...] = (torch.rand(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0)),)
    score, parts = find_score(network.confidence), list[ExitPart]()
    for number, (stage, head) in enumerate(zip(network.stages, network.heads, strict=True), 1):
        last = number == len(network)
        module = _Exit(stage, head, None if last else score).eval()
        parts.append(_part(module, state, opset, leaving=1 if last else 2))
        with torch.no_grad():
            state = stage(*state)
    return parts


def nested(parts: Sequence[ExitPart], thresholds: Sequence[float], metadata: Mapping[str, str]) -> onnx.ModelProto:
    """Return a network of N exits as one graph, in which each stage after the first is inside a branch.

    Inputs: ``images`` float32 (B, 3, H, W) in [0, 1] and ``thresholds`` float32 (N - 1,). Outputs: ``logits`` (B, K) of
    the exit by which each image left, and ``exit`` int64 (B,), the number of it, from 1.

    Args:
        parts: of the network, see ``export_exits``.
        thresholds: (N - 1,) to note in the file, as its property ``thresholds``: decimal numbers with spaces between.
        metadata: further properties.
    """
    graph = GraphBuilder()
    graph.constant("infinity", np.array(np.inf, np.float32))
    graph.constant("zero", np.array(0, np.int64))
    graph.constant("row_axis", np.array([0], np.int64))
    logits, left = _reach(graph, parts, 0, [_Value("images", 0)])
    graph.rename(logits, "logits")
    graph.rename(left, "exit")
    images = named(parts[0].model.graph.input[0], "images")
    images.type.tensor_type.shape.dim[0].dim_param = "N"
    inputs = [images, helper.make_tensor_value_info(THRESHOLDS, TensorProto.FLOAT, [len(parts) - 1])]
    body = graph.proto("early_exits", inputs, _answers(parts, ("logits", "exit"), "N"))
    noted = {THRESHOLDS: " ".join(repr(float(each)) for each in thresholds)}
    return finished(body, [each.model for each in parts], {**metadata, **noted}, EXITS_DOC)


class _Value(NamedTuple):
    """A tensor of the state, whose rows are the images that reached an exit."""

    name: str
    level: int  # the number of that exit, from 0


def _reach(graph: GraphBuilder, parts: Sequence[ExitPart], number: int, state: Sequence[_Value]) -> tuple[str, str]:
    """Add an exit for the images that reach it, and all later ones for those that do not leave there.

    Args:
        graph: of the images that reach it.
        parts: of all exits.
        number: of the exit, from 0.
        state: what the stage before handed on.

    Returns:
        The names of the logits of all these images, and of the exits by which they left.
    """
    part, name, last = parts[number], f"exit{number + 1}", number == len(parts) - 1
    state = list(state)
    for place in part.reads:
        state[place] = _rows_of(graph, state[place], number)
    logits, *more = graph.add_all(part.model, name, [state[place].name for place in part.reads], _rows(number))
    graph.node("Shape", [logits], f"{name}/batch", start=0, end=1)
    own = helper.make_tensor("own", TensorProto.INT64, [1], [number + 1])
    graph.node("ConstantOfShape", [f"{name}/batch"], f"{name}/number", value=own)
    if last:
        return logits, f"{name}/number"
    confidence, *made = more
    fresh = iter(made)
    state = [_Value(next(fresh), number) if place is None else state[place] for place in part.hands_on]
    graph.constant(f"{name}/place", np.array(number, np.int64))
    graph.node("Gather", [THRESHOLDS, f"{name}/place"], f"{name}/tau", axis=0)
    # A confidence that is no number fails ">=", and its image goes on. At tau = +inf none leaves, not even one of +inf.
    graph.node("GreaterOrEqual", [confidence, f"{name}/tau"], f"{name}/sure")
    graph.node("Less", [f"{name}/tau", "infinity"], f"{name}/finite")
    graph.node("And", [f"{name}/sure", f"{name}/finite"], f"{name}/leaves")
    graph.node("Not", [f"{name}/leaves"], f"{name}/stays")
    graph.node("NonZero", [f"{name}/stays"], f"{name}/staying")
    graph.values.append(helper.make_tensor_value_info(f"{name}/staying", TensorProto.INT64, [1, _rows(number + 1)]))
    graph.node("Size", [f"{name}/staying"], f"{name}/count")
    graph.node("Greater", [f"{name}/count", "zero"], f"{name}/any")
    answers = logits, f"{name}/number"
    branches = {
        "then_branch": _go_on(parts, number, state, answers), "else_branch": _stop(parts, number, answers),
    }  # fmt: skip
    outputs = [f"{name}/answers", f"{name}/left"]
    graph.nodes.append(helper.make_node("If", [f"{name}/any"], outputs, f"after_{name}", **branches))
    return outputs[0], outputs[1]


def _go_on(
    parts: Sequence[ExitPart], number: int, state: Sequence[_Value], answers: tuple[str, str]
) -> onnx.GraphProto:
    """The later exits for the images that stay, whose answers take the place of those of this one."""
    # The weights are inside the branch, where ONNX Runtime folds, fuses and packs them as in a whole network.
    graph, name = GraphBuilder(), f"exit{number + 1}"
    graph.node("Squeeze", [f"{name}/staying", "row_axis"], f"{name}/rows")
    later = _reach(graph, parts, number + 1, state)
    graph.node("Transpose", [f"{name}/staying"], f"{name}/indices", perm=[1, 0])
    merged = [f"{name}/{kind}_of_all" for kind in ("answers", "left")]
    for before, new, result in zip(answers, later, merged, strict=True):
        graph.node("ScatterND", [before, f"{name}/indices", new], result)
    return graph.proto(f"{name}_goes_on", [], _answers(parts, merged, _rows(number)))


def _stop(parts: Sequence[ExitPart], number: int, answers: tuple[str, str]) -> onnx.GraphProto:
    graph, name = GraphBuilder(), f"exit{number + 1}"
    unchanged = [f"{name}/{kind}_unchanged" for kind in ("answers", "left")]
    for before, result in zip(answers, unchanged, strict=True):
        graph.node("Identity", [before], result)
    return graph.proto(f"{name}_stops", [], _answers(parts, unchanged, _rows(number)))


def _rows_of(graph: GraphBuilder, value: _Value, number: int) -> _Value:
    """Return a tensor of the state with the rows of the images that reach an exit; they are taken where it is read."""
    if value.level == number:
        return value
    rows = f"exit{value.level + 1}/rows"
    for level in range(value.level + 1, number):
        further = f"exit{number + 1}/rows_{value.level + 1}_{level + 1}"
        if further not in {name for node in graph.nodes for name in node.output}:
            graph.node("Gather", [rows, f"exit{level + 1}/rows"], further, axis=0)
        rows = further
    taken = f"exit{number + 1}/{value.name.replace('/', '_')}"
    graph.node("Gather", [value.name, rows], taken, axis=0)
    return _Value(taken, number)


def _answers(parts: Sequence[ExitPart], names: Sequence[str], rows: str) -> list[onnx.ValueInfoProto]:
    logits, left = names
    return [
        helper.make_tensor_value_info(logits, TensorProto.FLOAT, [rows, parts[0].classes]),
        helper.make_tensor_value_info(left, TensorProto.INT64, [rows]),
    ]


def _rows(number: int) -> str:
    """The name of the number of images that reach an exit."""
    return f"reach_exit{number + 1}" if number else "N"


class _Exit(nn.Module):
    """One exit: what its head answers, how sure it is, and the state for the next stage."""

    def __init__(self, stage: nn.Module, head: nn.Module, score: Score | None) -> None:
        super().__init__()
        self.stage, self.head, self.score = stage, head, score

    def forward(self, *state: Tensor) -> tuple[Tensor, ...]:
        state = self.stage(*state)
        logits = self.head(*state)
        return (logits,) if self.score is None else (logits, self.score(logits), *state)


def _part(module: _Exit, state: tuple[Tensor, ...], opset: int, leaving: int) -> ExitPart:
    """Export an exit; ``leaving`` of its outputs are not part of the state."""
    rows = {0: torch.export.Dim("N")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        program = torch.onnx.export(
            module, tuple(each.contiguous() for each in state), opset_version=opset, dynamo=True,
            dynamic_shapes=((rows,) * len(state),), verbose=False,
        )  # fmt: skip
    if program is None:
        raise TypeError("torch.onnx.export returned no program, although dynamo=True was given.")
    model = program.model_proto
    graph, places = model.graph, {value.name: place for place, value in enumerate(model.graph.input)}
    uses = Counter(name for node in graph.node for name in node.input)
    handed = {
        node.output[0]: places[node.input[0]]
        for node in graph.node
        if node.op_type == "Identity" and node.input[0] in places and node.output[0] not in uses
    }
    hands_on = tuple(handed.get(value.name, places.get(value.name)) for value in graph.output[leaving:])
    for node in [each for each in graph.node if each.output[0] in handed]:
        graph.node.remove(node)
    for value in [each for each in graph.output[leaving:] if each.name in handed or each.name in places]:
        graph.output.remove(value)
    read = {name for node in graph.node for name in node.input}
    for value in [each for each in graph.input if each.name not in read]:
        graph.input.remove(value)
    reads = tuple(places[value.name] for value in graph.input)
    return ExitPart(pad_topk(simplify(model)), reads, hands_on)
