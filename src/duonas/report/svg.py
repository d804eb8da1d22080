"""SVG by hand: elements, axes and marks. Everything is escaped on its way in; colours are CSS classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup, escape

from duonas.report.scale import Scale

Format = Callable[[float], str]
Point = tuple[float, float]


def tag(name: str, *children: object, tip: str | None = None, **attributes: Any) -> Markup:
    """An element. ``class_`` becomes ``class``, other underscores hyphens; ``tip`` is what hovering shows."""
    if tip is not None:
        attributes["data_tip"] = tip
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _plain(value))
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, inside)


def _plain(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def join(parts: Iterable[Markup]) -> Markup:
    """Several elements one after the other."""
    return Markup("").join(parts)


def canvas(width: float, height: float, title: str, *children: Markup) -> Markup:
    """The ``<svg>`` itself, ``title`` being its accessible name."""
    view = f"0 0 {width:g} {height:g}"
    return tag("svg", tag("title", title), *children, viewBox=view, width=width, height=height, role="img")


def path(points: Sequence[Point], class_: str, **attributes: Any) -> Markup:
    """A line through pixel ``points``."""
    d = "".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(points))
    return tag("path", d=d, class_=f"line {class_}", **attributes)


def label(x: float, y: float, text: str, class_: str = "", anchor: str = "start", **attributes: Any) -> Markup:
    """A text at a pixel; ``anchor`` is start, middle or end."""
    return tag("text", text, x=x, y=y, class_=class_ or None, text_anchor=anchor, **attributes)


@dataclass(frozen=True)
class Frame:
    """A chart's plotting area, with one scale a direction."""

    width: float
    height: float
    x: Scale
    y: Scale

    def at(self, x: float, y: float) -> Point:
        """The pixel of a data point."""
        return self.x(x), self.y(y)

    def line(self, xs: Iterable[float], ys: Iterable[float], class_: str) -> Markup:
        """A line through data points."""
        return path([self.at(x, y) for x, y in zip(xs, ys, strict=True)], class_)

    def dot(self, x: float, y: float, class_: str, tip: str, radius: float = 5.0) -> Markup:
        """A round mark with hover values."""
        cx, cy = self.at(x, y)
        return tag("circle", cx=cx, cy=cy, r=radius, class_=f"dot {class_}", tip=tip)

    def note(
        self, x: float, y: float, text: str, class_: str, anchor: str = "start", dx: float = 0, dy: float = 0
    ) -> Markup:
        """A direct label beside a data point, ``dx`` and ``dy`` pixels away."""
        left, top = self.at(x, y)
        return label(left + dx, top + dy, text, f"note {class_}", anchor)

    def upright(self, x: float, class_: str) -> Markup:
        """A vertical line over the whole plotting area."""
        bottom, top = self.y.pixels
        return path([(self.x(x), bottom), (self.x(x), top)], class_)

    def axes(
        self, x_title: str, y_title: str, x_format: Format | None, y_format: Format, *, y_ticks: int = 6
    ) -> Markup:
        """Grid, tick labels and both titles; the y title lies flat above its axis, where it is easiest to read.

        Without an ``x_format`` the x axis keeps its line but has no labels (a panel below has them).
        """
        left, right = self.x.pixels
        bottom, top = self.y.pixels
        parts = [
            label(2, top - 14, y_title, "title"),
            label((left + right) / 2, bottom + 40, x_title, "title", "middle"),
        ]
        for value in self.y.ticks(y_ticks):
            parts.append(path([(left, self.y(value)), (right, self.y(value))], "grid"))
            parts.append(label(left - 8, self.y(value) + 4, y_format(value), "tick", "end"))
        for value in self.x.ticks(max(3, int((right - left) / 65))):
            if x_format is None:
                break
            parts.append(path([(self.x(value), bottom), (self.x(value), bottom + 5)], "axis"))
            parts.append(label(self.x(value), bottom + 20, x_format(value), "tick", "middle"))
        parts.append(path([(left, bottom), (right, bottom)], "axis"))
        return join(parts)

    def bars(
        self, edges: Sequence[float], heights: Sequence[float], classes: Sequence[str], tips: Sequence[str]
    ) -> Markup:
        """Bars between ``edges`` (one more than bars); the whole column reacts to the pointer, however low its bar."""
        bottom, top = self.y.pixels
        parts = []
        for index, height in enumerate(heights):
            start, end = self.x(edges[index]), self.x(edges[index + 1])
            peak = self.y(height)
            column = tag("rect", x=start, y=top, width=end - start, height=bottom - top, class_="hit")
            bar = tag(
                "rect",
                x=start + 0.5,
                y=peak,
                width=max(end - start - 1, 0.5),
                height=bottom - peak,
                class_=classes[index],
            )
            parts.append(tag("g", column, bar, class_="bar", tip=tips[index]))
        return join(parts)

    def strips(self, xs: Sequence[float], marks: Sequence[Sequence[tuple[float, str]]], tips: Sequence[str]) -> Markup:
        """Invisible vertical strips, one a data point: hovering anywhere shows the nearest point's values.

        Args:
            xs: where the points are, rising.
            marks: for each point the (y, class) of the dots to light up.
            tips: the text for each point.
        """
        pixels = [self.x(x) for x in xs]
        bottom, top = self.y.pixels
        edges = [self.x.pixels[0], *((a + b) / 2 for a, b in pairwise(pixels)), self.x.pixels[1]]
        parts = []
        for index, tip in enumerate(tips):
            width = edges[index + 1] - edges[index]
            dots = (
                tag("circle", cx=pixels[index], cy=self.y(y), r=4.5, class_=f"dot {name}") for y, name in marks[index]
            )
            strip = tag("rect", x=edges[index], y=top, width=max(width, 0.01), height=bottom - top)
            parts.append(tag("g", strip, *dots, class_="strip", tip=tip))
        return join(parts)


def frame(
    width: float, height: float, x: tuple[float, float], y: tuple[float, float], *, top: float = 36, bottom: float = 52
) -> Frame:
    """A frame with room for the axes, for the data domains ``x`` and ``y``; ``top`` and ``bottom`` are margins."""
    return Frame(width, height, Scale(x, (54, width - 16)), Scale(y, (height - bottom, top)))
