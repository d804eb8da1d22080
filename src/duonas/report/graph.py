"""Drawing cells as graphs: nodes in a row, and edges with an operation or its probabilities on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from duonas.core.cell import EDGES, NODES
from duonas.report.formatting import percent, shorten
from duonas.report.svg import label, rect, tag
from duonas.report.theme import SHADES

RADIUS = 15  # of a node, in pixels
NAMES = {
    "none": "none", "skip_connect": "skip", "avg_pool_3x3": "3×3 pool", "nor_conv_1x1": "1×1 conv",
    "nor_conv_3x3": "3×3 conv",
}  # fmt: skip


def operation_name(operation: str) -> str:
    """An operation as it is written beside an edge."""
    return NAMES.get(operation, shorten(operation, 12))


def edge_name(place: int) -> str:
    """An edge by its nodes, such as ``in to 1``."""
    source, node = EDGES[place]
    return f"{_node_name(source)} to {_node_name(node)}"


def most_probable(row: Mapping[str, float]) -> str:
    """The value with the highest probability."""
    return max(row, key=lambda value: row[value])


def value_colour(place: int, count: int) -> str:
    """The colour of one of ``count`` values."""
    return f"seq{round(place * (SHADES - 1) / max(count - 1, 1))}"


def _node_name(node: int) -> str:
    return {0: "in", NODES - 1: "out"}.get(node, str(node))


@dataclass(frozen=True)
class Graph:
    """The nodes of a cell in a row; an edge that passes over other nodes is an arc above or below them.

    Points are complex numbers: pixels to the right plus pixels downwards times the imaginary unit.

    Args:
        width: of the drawing, in pixels.
        rise: height of an arc that passes over one node; over two nodes it rises twice as high.
    """

    width: int
    rise: int

    @property
    def level(self) -> float:
        """The y of the nodes."""
        return 2.0 * self.rise + 34

    @property
    def height(self) -> float:
        """The height of the whole drawing."""
        return self.level + self.rise + 34

    def nodes(self) -> Iterable[Markup]:
        """The nodes with their names."""
        for node in range(NODES):
            x = self._node(node).real
            yield tag("circle", cx=x, cy=self.level, r=RADIUS, class_="node")
            yield label(x, self.level + 4, _node_name(node), "name", "middle")

    def edge(self, place: int, class_: str, operation: str, *, faint: bool) -> Markup:
        """An edge with its operation beside it."""
        middle, text = self._middle(place), operation_name(operation)
        words = label(middle.real, middle.imag + (18 if middle.imag > self.level else -8), text, "name", "middle")
        tip = f"{edge_name(place)}\n{text}"
        return tag("g", self._curve(place, class_), words, class_="edge idle" if faint else "edge", tip=tip)

    def weighed_edge(self, place: int, row: Mapping[str, float], length: float) -> Markup:
        """An edge with a bar of its probabilities on it, the most probable operation above it."""
        x, y, best = self._middle(place).real, self._middle(place).imag, most_probable(row)
        left, parts = x - length / 2, [rect(x - length / 2 - 2, y - 8, length + 4, 16, "bed", 3)]
        for number, share in enumerate(row.values()):
            parts.append(rect(left, y - 6, max(length * share, 0.0), 12, f"fill {value_colour(number, len(row))}"))
            left += length * share
        parts.append(label(x, y - 13, operation_name(best), "name", "middle"))
        parts.append(label(x, y + 21, percent(row[best], 0), "", "middle"))
        tip = [edge_name(place), *(f"{operation_name(value)} {percent(share)}" for value, share in row.items())]
        return tag("g", self._curve(place, "skip"), parts, class_="edge", tip="\n".join(tip))

    def _node(self, node: int) -> complex:
        margin = RADIUS + 8
        return complex(margin + node * (self.width - 2 * margin) / (NODES - 1), self.level)

    def _height(self, place: int) -> float:
        """How far an edge rises above the nodes; below zero where it passes below them."""
        source, node = EDGES[place]
        return self.rise * (node - source - 1) * (1 if source == 0 else -1)

    def _middle(self, place: int) -> complex:
        source, node = EDGES[place]
        return (self._node(source) + self._node(node)) / 2 - 1j * self._height(place)

    def _curve(self, place: int, class_: str) -> Iterable[Markup]:
        """A cubic Bézier curve from rim to rim, with the head of an arrow."""
        source, node = EDGES[place]
        start, end = self._node(source), self._node(node)
        lean = (0.33, 0.3, 0.12)[node - source - 1] * (end - start)  # a wider arc leaves more steeply
        lift = -1j * self._height(place) * 4 / 3
        first, second = start + lean + lift, end - lean + lift
        start, end = _towards(start, first, RADIUS + 2), _towards(end, second, RADIUS + 4)
        d = f"M{_pixel(start)}C{_pixel(first)} {_pixel(second)} {_pixel(end)}"
        along = (end - second) / abs(end - second)
        corners = (end + 3 * along, end - (6 - 4.5j) * along, end - (6 + 4.5j) * along)
        yield tag("path", d=d, class_="reach")  # invisible and wide: a thin line is hard to point at
        yield tag("path", d=d, class_=f"line {class_}")
        yield tag("polygon", points=" ".join(_pixel(each, ",") for each in corners), class_=f"head {class_}")


def _towards(start: complex, target: complex, length: float) -> complex:
    """The point ``length`` pixels from ``start`` on the way to ``target``."""
    return start + length * (target - start) / abs(target - start)


def _pixel(point: complex, between: str = " ") -> str:
    return f"{point.real:.1f}{between}{point.imag:.1f}"
