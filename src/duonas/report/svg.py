"""SVG elements, axes and marks. All text is escaped on its way in; colours are CSS classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup, escape

from duonas.report.scale import LogScale, Scale

Format = Callable[[float], str]
Point = tuple[float, float]
Child = str | Iterable[Markup]  # text (escaped unless it is Markup), or several elements


def tag(name: str, *children: Child, tip: str | None = None, **attributes: Any) -> Markup:
    """An element.

    Args:
        name: of the element.
        children: what stands inside it.
        tip: the text that hovering shows.
        attributes: ``class_`` becomes ``class``, other underscores become hyphens, ``None`` is left out.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _plain(value))
        for key, value in (attributes | {"data_tip": tip}).items()
        if value is not None
    )
    inside = Markup("").join(escape(child) if isinstance(child, str) else Markup("").join(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, inside)


def _plain(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def canvas(width: float, height: float, title: str, *children: Child) -> Markup:
    """The ``<svg>`` element; ``title`` is its accessible name."""
    view = f"0 0 {width:g} {height:g}"
    return tag("svg", tag("title", title), *children, viewBox=view, width=width, height=height, role="img")


def path(points: Sequence[Point], class_: str, **attributes: Any) -> Markup:
    """A line through pixel ``points``."""
    d = "".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(points))
    return tag("path", d=d, class_=f"line {class_}", **attributes)


def rect(x: float, y: float, width: float, height: float, class_: str, rx: float | None = None) -> Markup:
    """A rectangle by its upper left corner; ``rx`` is the radius of its corners."""
    return tag("rect", x=x, y=y, width=width, height=height, rx=rx, class_=class_)


def circle(x: float, y: float, radius: float, class_: str, tip: str | None = None) -> Markup:
    """A dot around a pixel."""
    return tag("circle", cx=x, cy=y, r=radius, class_=f"dot {class_}", tip=tip)


def label(x: float, y: float, text: str, class_: str = "", anchor: str = "start") -> Markup:
    """A text at a pixel; ``anchor`` is start, middle or end."""
    return tag("text", text, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def grid(scale: Scale, lines: tuple[float, float], text_y: float, format: Format, most: int) -> Iterable[Markup]:
    """Vertical grid lines of a chart made of rows, between two heights, with their labels at a third."""
    for value in scale.ticks(most):
        yield path([(scale(value), lines[0]), (scale(value), lines[1])], "grid")
        yield label(scale(value), text_y, format(value), "tick", "middle")


def row_axis(scale: Scale, bottom: float, title: str, format: Format, most: int) -> Iterable[Markup]:
    """The axis below a chart made of rows: its title, and grid lines with labels."""
    yield label(sum(scale.pixels) / 2, bottom + 42, title, "title", "middle")
    yield from grid(scale, (8, bottom), bottom + 20, format, most)


@dataclass(frozen=True)
class Frame:
    """The plotting area of a chart, with a scale for each direction."""

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
        """A round mark at a data point, with the text that hovering shows."""
        return circle(*self.at(x, y), radius, class_, tip)

    def note(self, point: Point, text: str, class_: str, shift: Point = (0, 0), anchor: str = "start") -> Markup:
        """A label beside a data point, ``shift`` pixels away."""
        left, top = self.at(*point)
        return label(left + shift[0], top + shift[1], text, f"note {class_}", anchor)

    def upright(self, x: float, class_: str) -> Markup:
        """A vertical line over the whole plotting area."""
        bottom, top = self.y.pixels
        return path([(self.x(x), bottom), (self.x(x), top)], class_)

    def level(self, y: float, class_: str) -> Markup:
        """A horizontal line over the whole plotting area."""
        left, right = self.x.pixels
        return path([(left, self.y(y)), (right, self.y(y))], class_)

    def axes(
        self, x_title: str, y_title: str, x_format: Format | None, y_format: Format, *, y_ticks: int = 6
    ) -> Iterable[Markup]:
        """Grid, tick labels and both titles; the y title lies flat above its axis, where it is easiest to read.

        Without an ``x_format`` the x axis is a line without labels (a panel below has them).
        """
        left, right = self.x.pixels
        bottom, top = self.y.pixels
        yield label(2, top - 14, y_title, "title")
        yield label((left + right) / 2, bottom + 40, x_title, "title", "middle")
        for value in self.y.ticks(y_ticks):
            yield self.level(value, "grid")
            yield label(left - 8, self.y(value) + 4, y_format(value), "tick", "end")
        if x_format:
            for value in self.x.ticks(max(3, int((right - left) / 65))):
                yield path([(self.x(value), bottom), (self.x(value), bottom + 5)], "axis")
                yield label(self.x(value), bottom + 20, x_format(value), "tick", "middle")
        yield path([(left, bottom), (right, bottom)], "axis")

    def bars(
        self, edges: Sequence[float], heights: Sequence[float], classes: Sequence[str], tips: Sequence[str]
    ) -> Iterable[Markup]:
        """Bars from zero, up or down, between ``edges`` (one more than bars).

        The whole column of a bar reacts to the pointer, however low the bar is.
        """
        bottom, top = self.y.pixels
        for (left, right), height, class_, tip in zip(pairwise(edges), heights, classes, tips, strict=True):
            start, end = self.x(left), self.x(right)
            upper, lower = sorted((self.y(0), self.y(height)))
            column = rect(start, top, end - start, bottom - top, "hit")
            bar = rect(start + 0.5, upper, max(end - start - 1, 0.5), lower - upper, class_)
            yield tag("g", column, bar, class_="bar", tip=tip)

    def strips(
        self, xs: Sequence[float], marks: Sequence[Sequence[tuple[float, str]]], tips: Sequence[str]
    ) -> Iterable[Markup]:
        """Invisible vertical strips, one for each data point: hovering anywhere shows the values of the nearest point.

        Args:
            xs: where the points are, rising.
            marks: for each point the (y, class) of the dots that light up.
            tips: the text for each point.
        """
        pixels = [self.x(x) for x in xs]
        bottom, top = self.y.pixels
        edges = [self.x.pixels[0], *((a + b) / 2 for a, b in pairwise(pixels)), self.x.pixels[1]]
        for (left, right), pixel, mark, tip in zip(pairwise(edges), pixels, marks, tips, strict=False):
            strip = tag("rect", x=left, y=top, width=max(right - left, 0.01), height=bottom - top)
            yield tag("g", strip, (circle(pixel, self.y(y), 4.5, name) for y, name in mark), class_="strip", tip=tip)


def frame(
    width: float, height: float, x: tuple[float, float], y: tuple[float, float], *, top: float = 36,
    bottom: float = 52, logarithmic: bool = False,
) -> Frame:  # fmt: skip
    """A frame for the data domains ``x`` and ``y``; ``top`` and ``bottom`` are margins in pixels."""
    upward = LogScale if logarithmic else Scale
    return Frame(width, height, Scale(x, (54, width - 16)), upward(y, (height - bottom, top)))
