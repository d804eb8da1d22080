"""Other forms of the routed graph, to see what each of its parts costs."""

from __future__ import annotations

import onnx
from onnx import helper


def forms(routed: onnx.ModelProto) -> dict[str, onnx.ModelProto]:
    """The routed graph as it is exported, and other forms of it."""
    found = {
        "as exported": routed,
        "one comparison": one_comparison(routed),
        "an inner If where all rows are hard": inner_if(routed),
        "no gather, no scatter (wrong unless all are hard)": without_rows(routed),
    }
    for model in found.values():
        onnx.checker.check_model(model, full_check=True)
    return found


def one_comparison(routed: onnx.ModelProto) -> onnx.ModelProto:
    """Without the case that tau and a score are both infinite: two nodes fewer."""
    model = _copy(routed)
    nodes = {node.output[0]: node for node in model.graph.node}
    nodes["sure"].output[0] = "is_little"
    for name in ("finite", "is_little"):
        model.graph.node.remove(nodes[name])
    return model


def without_rows(routed: onnx.ModelProto) -> onnx.ModelProto:
    """Big runs on all rows, so that what remains is the price of the branch alone."""
    model = _copy(routed)
    _strip(_branch(model))
    return model


def inner_if(routed: onnx.ModelProto) -> onnx.ModelProto:
    """Big has a second copy that runs on all rows, without gather and scatter, where all are hard."""
    model = _copy(routed)
    branch = _branch(model)
    some, every = onnx.GraphProto(), onnx.GraphProto()
    some.CopyFrom(branch)
    every.CopyFrom(branch)
    _strip(every)
    _rename(every)
    some.name, every.name = "some_hard", "all_hard"
    leaving = onnx.ValueInfoProto()
    leaving.CopyFrom(branch.output[0])
    del branch.node[:], branch.initializer[:], branch.value_info[:]
    leaving.name = branch.output[0].name = "answers"
    branch.node.extend([
        helper.make_node("Size", ["is_hard"], ["rows_in_all"]),
        helper.make_node("Equal", ["rows_in_all", "hard_count"], ["all_are_hard"]),
        helper.make_node("If", ["all_are_hard"], ["answers"], "ask_big_for_all", then_branch=every, else_branch=some),
    ])  # fmt: skip
    return model


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _branch(model: onnx.ModelProto) -> onnx.GraphProto:
    ask = next(node for node in model.graph.node if node.name == "ask_big")
    return next(attribute.g for attribute in ask.attribute if attribute.name == "then_branch")


def _strip(branch: onnx.GraphProto) -> None:
    """Remove gather and scatter from the branch that asks big."""
    made = {node.output[0]: node for node in branch.node}
    gather, scatter = made["hard_features"], made["hard_scattered"]
    features, answers = gather.input[0], scatter.input[2]
    for name in ("hard_rows", "hard_features", "hard_indices", "hard_scattered"):
        branch.node.remove(made[name])
    for node in branch.node:
        node.input[:] = [features if name == "hard_features" else name for name in node.input]
    branch.output[0].name = answers
    del branch.value_info[:]


def _rename(branch: onnx.GraphProto) -> None:
    """Give big's values other names: those of an inner graph must differ from those around it."""

    def other(name: str) -> str:
        return f"all/{name.removeprefix('big/')}" if name.startswith("big/") else name

    for node in branch.node:
        node.name = other(node.name)
        node.input[:] = map(other, node.input)
        node.output[:] = map(other, node.output)
    for tensor in branch.initializer:
        tensor.name = other(tensor.name)
    branch.output[0].name = other(branch.output[0].name)
