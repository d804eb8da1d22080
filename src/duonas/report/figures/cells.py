"""Cells as graphs: the chosen ones, and what the training learned of each edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

from markupsafe import Markup

from duonas.core.cell import CONVOLUTIONS, EDGES, NODES, write_cell
from duonas.report.figure import WIDE, Figure, Key, figure
from duonas.report.svg import Point, canvas, join, label, tag
from duonas.report.words import percent, shorten

RADIUS = 15  # of a node
NAMES = {
    "none": "none", "skip_connect": "skip", "avg_pool_3x3": "3×3 pool", "nor_conv_1x1": "1×1 conv",
    "nor_conv_3x3": "3×3 conv",
}  # fmt: skip
KINDS = {"none": "none", "skip_connect": "skip", "avg_pool_3x3": "pool"}  # how an edge is drawn; others convolve
SHADES = 6
Probabilities = Mapping[str, Mapping[str, float]]


def operations_of(blocks: Sequence[Mapping[str, Any]]) -> tuple[str, ...] | None:
    """What is on the edges of a network's cells; ``None`` where it has none that can be drawn."""
    found = next((block["operations"] for block in blocks if block.get("operations")), ())
    return tuple(found) if len(found) == len(EDGES) else None


def cells(pair: Mapping[str, Any]) -> list[Figure]:
    """The cells of little and big side by side; empty where their networks are no chains of cells."""
    return [_cell(role, operations) for role, operations in _of_roles(pair).items()]


def cell_texts(pair: Mapping[str, Any]) -> dict[str, str]:
    """The cells of little and big as the benchmark writes them."""
    return {role: write_cell(operations) for role, operations in _of_roles(pair).items()}


def _of_roles(pair: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    found = {role: operations_of(pair["blocks"][role]) for role in ("little", "big")}
    return {role: operations for role, operations in found.items() if operations is not None}


def _cell(role: str, operations: tuple[str, ...]) -> Figure:
    alive = reaching(operations)

    def draw(width: int) -> Markup:
        layout = Layout(width, rise=62)
        edges = [
            layout.edge(place, KINDS.get(operation, "conv") + f" {role}", name(operation), faint=place not in alive)
            for place, operation in enumerate(operations)
        ]
        spoken = ", ".join(f"{_way(place)} {name(operation)}" for place, operation in enumerate(operations))
        return canvas(width, layout.height, f"The cell of {role}: {spoken}", *edges, layout.nodes())

    return figure(f"The cell of {role}", draw, _caption(operations, alive), half=True)


def _caption(operations: tuple[str, ...], alive: set[int]) -> str:
    convolving = sum(operation in CONVOLUTIONS for operation in operations)
    counts = [
        (convolving, "convolution", "convolutions"),
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
    """The edges that lie on a way from the input to the output."""
    ends = {place: edge for place, edge in enumerate(EDGES) if operations[place] != "none"}
    seen, needed = {0}, {NODES - 1}
    for source, node in ends.values():  # in the order of EDGES a node's inputs come before what it feeds
        if source in seen:
            seen.add(node)
    for source, node in reversed(list(ends.values())):
        if node in needed:
            needed.add(source)
    return {place for place, (source, node) in ends.items() if source in seen and node in needed}


def learned(found: Probabilities) -> list[Figure]:
    """The cell with the probabilities of ``beta.json`` on its edges, one of each tower; empty where it is no cell."""
    towers = {role: _of_tower(found, role) for role in ("little", "big")}
    tables = {role: table for role, rows in {"": found, **towers}.items() if (table := edges_of(rows)) is not None}
    return [_learned(role, table) for role, table in tables.items()]


def _of_tower(found: Probabilities, role: str) -> Probabilities:
    """What a tower of its own learned, by the axes' names."""
    return {axis.removeprefix(f"{role} "): row for axis, row in found.items() if axis.startswith(f"{role} ")}


def _learned(role: str, table: list[Mapping[str, float]]) -> Figure:
    operations, whose = list(table[0]), f" in {role}" if role else ""

    def draw(width: int) -> Markup:
        layout = Layout(width, rise=92)
        bar = 150.0 if width == WIDE else 64.0
        edges = [layout.weighed(place, row, bar) for place, row in enumerate(table)]
        spoken = ", ".join(f"{_way(place)} {_most(row)}" for place, row in enumerate(table))
        return canvas(
            width, layout.height, f"What each edge of the cell prefers{whose}: {spoken}", *edges, layout.nodes()
        )

    sure = max(range(len(table)), key=lambda place: max(table[place].values()))
    caption = (
        f"Softmax of the architecture parameters at the end of training; the surest edge is that from {_way(sure)}: "
        f"{_most(table[sure])}, where chance would be {percent(1 / len(operations), 0)}."
    )
    keys = tuple(Key("box", shade(place, len(operations)), name(each)) for place, each in enumerate(operations))
    return figure(f"What the training prefers{whose}", draw, caption, keys, half=bool(role))


def edges_of(found: Probabilities) -> list[Mapping[str, float]] | None:
    """The probabilities of each edge in the order of ``EDGES``; ``None`` where the axes are not a cell's."""
    axes = [f"edge{source}{node}.operation" for source, node in EDGES]
    table = [found[axis] for axis in axes] if set(found) == set(axes) else []
    return table if table and len({tuple(row) for row in table}) == 1 else None


def name(operation: str) -> str:
    """An operation as it is written at an edge."""
    return NAMES.get(operation, shorten(operation, 12))


def shade(place: int, count: int) -> str:
    """The colour of a value among so many."""
    return f"seq{round(place * (SHADES - 1) / max(count - 1, 1))}"


def _most(row: Mapping[str, float]) -> str:
    best = max(row, key=lambda value: row[value])
    return f"{name(best)} {percent(row[best], 0)}"


def _way(place: int) -> str:
    source, node = EDGES[place]
    return f"{_node(source)} to {_node(node)}"


def _node(node: int) -> str:
    return {0: "in", NODES - 1: "out"}.get(node, str(node))


@dataclass(frozen=True)
class Layout:
    """Four nodes in a row, what passes over a node in an arc above it, or below: a drawing's places in pixels.

    Args:
        width: of the drawing.
        rise: of the arc over one node; that over two rises twice as high.
    """

    width: int
    rise: int

    @property
    def level(self) -> float:
        """The height of the nodes."""
        return 2.0 * self.rise + 34

    @property
    def height(self) -> float:
        """Of the whole drawing."""
        return self.level + self.rise + 34

    def x(self, node: int) -> float:
        """Where a node is."""
        margin = RADIUS + 8
        return margin + node * (self.width - 2 * margin) / (NODES - 1)

    def arc(self, place: int) -> tuple[list[Point], Point]:
        """The four points of an edge's curve from rim to rim, and its middle."""
        source, node = EDGES[place]
        start, end, over = self.x(source), self.x(node), node - source - 1
        up = self.rise * over * (1 if source == 0 else -1)
        lean = {0: 0.33, 1: 0.3, 2: 0.12}[over] * (end - start)  # the wider arc leaves the more steeply
        control = self.level - up * 4 / 3
        ends = [(start, self.level), (start + lean, control), (end - lean, control), (end, self.level)]
        first, last = _off(ends[0], ends[1], RADIUS + 2), _off(ends[3], ends[2], RADIUS + 4)
        return [first, ends[1], ends[2], last], ((start + end) / 2, self.level - up)

    def edge(self, place: int, class_: str, text: str, *, faint: bool) -> Markup:
        """An edge with its operation beside it."""
        _, (x, y) = self.arc(place)
        below = y > self.level
        words = label(x, y + (18 if below else -8), text, "name", "middle")
        tip = f"{_way(place)}\n{text}"
        return tag("g", self._curve(place, class_), words, class_="edge idle" if faint else "edge", tip=tip)

    def weighed(self, place: int, row: Mapping[str, float], bar: float) -> Markup:
        """An edge with a bar of its probabilities on it, its most probable operation above and how probable below."""
        _, (x, y) = self.arc(place)
        best = max(row, key=lambda value: row[value])
        parts, left = [], x - bar / 2
        for number, value in enumerate(row):
            length = bar * row[value]
            parts.append(tag("rect", x=left, y=y - 6, width=max(length, 0.0), height=12,
                             class_=f"fill {shade(number, len(row))}"))  # fmt: skip
            left += length
        frame = tag("rect", x=x - bar / 2 - 2, y=y - 8, width=bar + 4, height=16, rx=3, class_="bed")
        words = label(x, y - 13, name(best), "name", "middle"), label(x, y + 21, percent(row[best], 0), "", "middle")
        tip = "\n".join([_way(place), *(f"{name(value)} {percent(share)}" for value, share in row.items())])
        return tag("g", self._curve(place, "skip"), frame, *parts, *words, class_="edge", tip=tip)

    def nodes(self) -> Markup:
        """The nodes, by name."""
        parts = []
        for node in range(NODES):
            parts.append(tag("circle", cx=self.x(node), cy=self.level, r=RADIUS, class_="node"))
            parts.append(label(self.x(node), self.level + 4, _node(node), "name", "middle"))
        return join(parts)

    def _curve(self, place: int, class_: str) -> Markup:
        points, _ = self.arc(place)
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points
        d = f"M{x0:.1f} {y0:.1f}C{x1:.1f} {y1:.1f} {x2:.1f} {y2:.1f} {x3:.1f} {y3:.1f}"
        wide = tag("path", d=d, class_="reach")  # a thin line is hard to point at
        return wide + tag("path", d=d, class_=f"line {class_}") + _head(points, class_)


def _head(points: Sequence[Point], class_: str) -> Markup:
    """The arrow's head at the end of a curve."""
    (x, y), (back_x, back_y) = points[3], points[2]
    length = hypot(x - back_x, y - back_y) or 1.0
    along, across = ((x - back_x) / length, (y - back_y) / length), ((back_y - y) / length, (x - back_x) / length)
    corners = [(x + 3 * along[0], y + 3 * along[1])]
    corners += [(x - 6 * along[0] + side * 4.5 * across[0], y - 6 * along[1] + side * 4.5 * across[1])
                for side in (1, -1)]  # fmt: skip
    return tag("polygon", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in corners), class_=f"head {class_}")


def _off(start: Point, towards: Point, length: float) -> Point:
    """The point so many pixels from ``start`` on the way to another."""
    across, down = towards[0] - start[0], towards[1] - start[1]
    part = length / (hypot(across, down) or 1.0)
    return start[0] + part * across, start[1] + part * down
