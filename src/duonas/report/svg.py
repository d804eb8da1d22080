"""SVG elements of the drawings. All text is escaped on its way in; colours are CSS classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup, escape

Point = tuple[float, float]
Child = str | Iterable[Markup]  # text (escaped unless it is Markup), or several elements


def tag(name: str, *children: Child, tip: str | None = None, **attributes: Any) -> Markup:
    """An element.

    Args:
        name: of the element.
        children: what stands inside it.
        tip: the text that hovering shows, its title.
        attributes: ``class_`` becomes ``class``, other underscores become hyphens, ``None`` is left out.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _plain(value))
        for key, value in attributes.items()
        if value is not None
    )
    title = Markup("") if tip is None else Markup("<title>{}</title>").format(tip)
    inside = Markup("").join(escape(child) if isinstance(child, str) else Markup("").join(child) for child in children)
    return Markup("<{0}{1}>{2}{3}</{0}>").format(Markup(name), written, title, inside)


def _plain(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def canvas(width: float, height: float, title: str, *children: Child) -> Markup:
    """The ``<svg>`` element; ``title`` is what screen readers call it, which no hovering shows."""
    view = f"0 0 {width:g} {height:g}"
    return tag("svg", *children, viewBox=view, width=width, height=height, role="img", aria_label=title)


def path(points: Sequence[Point], class_: str, **attributes: Any) -> Markup:
    """A line through pixel ``points``."""
    d = "".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(points))
    return tag("path", d=d, class_=f"line {class_}", **attributes)


def rect(x: float, y: float, width: float, height: float, class_: str, rx: float | None = None) -> Markup:
    """A rectangle by its upper left corner; ``rx`` is the radius of its corners."""
    return tag("rect", x=x, y=y, width=width, height=height, rx=rx, class_=class_)


def label(x: float, y: float, text: str, class_: str = "", anchor: str = "start") -> Markup:
    """A text at a pixel; ``anchor`` is start, middle or end."""
    return tag("text", text, x=x, y=y, class_=class_ or None, text_anchor=anchor)
