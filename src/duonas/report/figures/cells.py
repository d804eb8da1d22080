"""Cells as graphs: those of the chosen pair, and the probabilities that training learned for each edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from duonas.core.cell import CONVOLUTIONS, EDGES, NODES
from duonas.report.figure import WIDE, Drawing, Key, drawing
from duonas.report.files import Probabilities
from duonas.report.formatting import percent
from duonas.report.graph import Graph, edge_name, most_probable, operation_name, value_colour
from duonas.report.svg import canvas

STYLES = {"none": "none", "skip_connect": "skip", "avg_pool_3x3": "pool"}  # how an edge is drawn; all others: conv


def cells(pair: Mapping[str, Any]) -> list[Drawing]:
    """The cells of little and big side by side; empty where their networks are no chains of cells."""
    return [_cell(role, on_edges) for role, on_edges in operations(pair).items()]


def operations(pair: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The operations on the edges of little's and big's cells, where these can be drawn."""
    found = {}
    for role in ("little", "big"):
        on_edges = next((block["operations"] for block in pair["blocks"].get(role, ()) if block.get("operations")), ())
        if len(on_edges) == len(EDGES):
            found[role] = tuple(on_edges)
    return found


def _cell(role: str, operations: tuple[str, ...]) -> Drawing:
    alive = reaching(operations)

    def draw(width: int) -> Markup:
        graph = Graph(width, rise=62)
        edges = (
            graph.edge(place, f"{STYLES.get(operation, 'conv')} {role}", operation, faint=place not in alive)
            for place, operation in enumerate(operations)
        )
        spoken = ", ".join(f"{edge_name(place)} {operation_name(each)}" for place, each in enumerate(operations))
        return canvas(width, graph.height, f"The cell of {role}: {spoken}", edges, graph.nodes())

    return drawing(f"The cell of {role}", draw, _caption(operations, alive), half=True)


def _caption(operations: tuple[str, ...], alive: set[int]) -> str:
    counts = [
        (sum(operation in CONVOLUTIONS for operation in operations), "convolution", "convolutions"),
        (operations.count("avg_pool_3x3"), "pooling", "poolings"),
        (operations.count("skip_connect"), "skip", "skips"),
        (operations.count("none"), "empty", "empty"),
    ]
    words = [f"{count} {one if count == 1 else many}" for count, one, many in counts if count]
    first = f"Its {len(EDGES)} edges: {', '.join(words)}"
    if not alive:
        return f"{first}; nothing leads from the input to the output."
    idle = sum(operation != "none" for operation in operations) - len(alive)
    return f"{first}; the faint ones do not lead from the input to the output." if idle else f"{first}."


def reaching(operations: Sequence[str]) -> set[int]:
    """The edges that lie on a path from the input to the output."""
    ends = {place: edge for place, edge in enumerate(EDGES) if operations[place] != "none"}
    reached, needed = {0}, {NODES - 1}
    for source, node in ends.values():  # in the order of EDGES a node's inputs come before what it feeds
        if source in reached:
            reached.add(node)
    for source, node in reversed(list(ends.values())):
        if node in needed:
            needed.add(source)
    return {place for place, (source, node) in ends.items() if source in reached and node in needed}


def learned(found: Probabilities) -> list[Drawing]:
    """The cell with learned probabilities on its edges, or one for each tower; empty where the axes are no cell's."""
    towers = {role: _of_tower(found, role) for role in ("little", "big")}
    tables = {role: edges_of(rows) for role, rows in {"": found, **towers}.items()}
    return [_learned(role, table) for role, table in tables.items() if table]


def _of_tower(found: Probabilities, role: str) -> Probabilities:
    """What one of two separate towers learned, by the names of the axes."""
    return {axis.removeprefix(f"{role} "): row for axis, row in found.items() if axis.startswith(f"{role} ")}


def edges_of(found: Probabilities) -> list[dict[str, float]]:
    """The probabilities of each edge in the order of ``EDGES``; empty where the axes are not a cell's."""
    axes = [f"edge{source}{node}.operation" for source, node in EDGES]
    table = [found[axis] for axis in axes] if set(found) == set(axes) else []
    return table if len({tuple(row) for row in table}) == 1 else []


def _learned(role: str, table: list[dict[str, float]]) -> Drawing:
    operations, whose = list(table[0]), f" in {role}" if role else ""
    best = [f"{operation_name(most_probable(row))} {percent(max(row.values()), 0)}" for row in table]

    def draw(width: int) -> Markup:
        graph, bar = Graph(width, rise=92), 150.0 if width == WIDE else 64.0
        spoken = ", ".join(f"{edge_name(place)} {text}" for place, text in enumerate(best))
        edges = (graph.weighed_edge(place, row, bar) for place, row in enumerate(table))
        title = f"What each edge of the cell prefers{whose}: {spoken}"
        return canvas(width, graph.height, title, edges, graph.nodes())

    sure = max(range(len(table)), key=lambda place: max(table[place].values()))
    caption = (
        f"Softmax of the architecture parameters at the end of training; the most decided edge is "
        f"{edge_name(sure)}: {best[sure]}, where chance would be {percent(1 / len(operations), 0)}."
    )
    keys = [Key(value_colour(place, len(operations)), operation_name(each)) for place, each in enumerate(operations)]
    return drawing(f"What the training prefers{whose}", draw, caption, keys, half=bool(role))
