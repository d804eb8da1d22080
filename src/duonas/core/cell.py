"""Cells: small graphs of operations on feature maps (NAS-Bench-201: Dong and Yang 2020, section 2.1).

Node 0 is the input. Every later node is a sum of operations on earlier nodes; the last node is the output.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import count

from duonas.core.block import BlockSpec, LayerSpec
from duonas.core.errors import DuonasError, nearest

NODES = 4
EDGES = tuple((source, node) for node in range(1, NODES) for source in range(node))  # in the order of a cell's text
WEIGHTLESS = ("none", "skip_connect")
CONVOLUTIONS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}  # kernel size of the convolution between ReLU and norm
OPERATIONS = (*WEIGHTLESS, "avg_pool_3x3", *CONVOLUTIONS)  # from small to large
FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"


def write_cell(operations: tuple[str, ...]) -> str:
    """The benchmark's string of a cell, e.g. ``|none~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_3x3~2|``."""
    parts = [f"{operation}~{source}" for operation, (source, _) in zip(operations, EDGES, strict=True)]
    nodes = ["|".join(part for part, (_, end) in zip(parts, EDGES, strict=True) if end == node)
             for node in range(1, NODES)]  # fmt: skip
    return "+".join(f"|{node}|" for node in nodes)


def read_cell(text: object) -> tuple[str, ...]:
    """Parse a cell's string into its six operations, in the order of ``EDGES``.

    Raises:
        DuonasError: the string has another form, an unknown operation or a misplaced edge.
    """
    nodes = text.split("+") if isinstance(text, str) else []
    if len(nodes) != NODES - 1 or not all(len(n) > 1 and n[0] == n[-1] == "|" for n in nodes):
        raise DuonasError(f"cell {text!r} cannot be read: expected {FORM}.")
    operations = []
    for node, inputs in enumerate(nodes, 1):
        parts = [part.partition("~") for part in inputs[1:-1].split("|")]
        for operation, _, _ in parts:
            if operation not in OPERATIONS:
                raise DuonasError(f"cell {text!r} has no operation {operation!r}: {nearest(operation, OPERATIONS)}.")
        found, expected = [source for _, _, source in parts], [str(source) for source in range(node)]
        if found != expected:
            raise DuonasError(
                f"cell {text!r} has the wrong edges: node {node} must have inputs ~{', ~'.join(expected)}, "
                f"got ~{', ~'.join(found)}."
            )
        operations += [operation for operation, _, _ in parts]
    return tuple(operations)


def cell_block(name: str, stage: int, channels: int, resolution: int, operations: tuple[str, ...]) -> BlockSpec:
    """A cell with these operations on its edges; its layers are named by ``layer_name``."""
    layers = tuple(
        LayerSpec(layer_name(edge, operation), "conv", channels, channels, CONVOLUTIONS[operation],
                  in_resolution=resolution, norm=True)
        for edge, operation in enumerate(operations) if operation in CONVOLUTIONS
    )  # fmt: skip
    return BlockSpec(name, stage, "cell", channels, channels, resolution, resolution, activation="relu", layers=layers,
                     operations=operations, alive=maps_alive(operations) * channels * resolution**2)  # fmt: skip


def axis_name(edge: int) -> str:
    """The name of the axis of an edge's operation, such as ``edge01.operation``."""
    source, node = EDGES[edge]
    return f"edge{source}{node}.operation"


def layer_name(edge: int, operation: str) -> str:
    """The name of the convolution on an edge, such as ``edge01_nor_conv_3x3``."""
    source, node = EDGES[edge]
    return f"edge{source}{node}_{operation}"


@cache
def live_edges(operations: tuple[str, ...]) -> tuple[int, ...]:
    """The edges, as places in ``EDGES``, that lie on a way from input to output; a runtime leaves the others out."""
    edges = [place for place, operation in enumerate(operations) if operation != "none"]
    reached, needed = {0}, {NODES - 1}
    for source, node in (EDGES[place] for place in edges):  # in the order of the nodes
        reached |= {node} if source in reached else set()
    for source, node in (EDGES[place] for place in reversed(edges)):
        needed |= {source} if node in needed else set()
    return tuple(place for place in edges if EDGES[place][0] in reached and EDGES[place][1] in needed)


def computed_edges(block: BlockSpec) -> Sequence[int]:
    """The edges of a cell that a runtime computes, as places in its operations; all operations of other blocks."""
    if len(block.operations) == len(EDGES):
        return live_edges(block.operations)
    return range(len(block.operations))


def computed_layers(block: BlockSpec) -> tuple[LayerSpec, ...]:
    """The layers of a block that a runtime computes, which leaves out edges of a cell that lead nowhere."""
    if len(block.operations) != len(EDGES):
        return block.layers
    names = {layer_name(edge, block.operations[edge]) for edge in live_edges(block.operations)}
    return tuple(layer for layer in block.layers if layer.name in names)


def convolves(block: BlockSpec) -> bool:
    """Whether a runtime computes any convolution of a block."""
    return any(layer.kind == "conv" for layer in computed_layers(block))


@cache
def maps_alive(operations: tuple[str, ...]) -> int:
    """The largest number of feature maps that are in memory at once in a cell, including its input.

    Operations run one by one, in the order of ``EDGES``. A convolution reads a rectified copy of its node, a skip
    copies nothing, and a sum overwrites a term that is not read again.
    """
    edges = [(*edge, operation) for edge, operation in zip(EDGES, operations, strict=True) if operation != "none"]
    maps, new, most = {0: 0}, count(1), 2
    for node in range(1, NODES):
        for place, (source, end, operation) in enumerate(edges):
            if end != node:
                continue
            later = {maps[other] for other, *_ in edges[place + 1 :] if other in maps}
            term = maps[source] if operation == "skip_connect" else next(new)
            terms = {maps.get(node, term), term}
            alive = later | terms | {maps[source]}
            most = max(most, len(alive) + (operation in CONVOLUTIONS))
            if node not in maps:
                maps[node] = term
            elif terms - later:
                maps[node] = min(terms - later)
            else:
                maps[node] = next(new)
                most = max(most, len(later) + 1)
        maps.setdefault(node, next(new))  # without inputs it is zeros
    return most
