"""A figure as an SVG file of its own, with its legend and the report's colours."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from duonas.report.figure import WIDE, Figure, Key
from duonas.report.page import asset
from duonas.report.svg import circle, label, path, rect, tag

LEGEND = 34  # height in pixels of a line of the legend
LETTER = 7.2  # mean width in pixels of a letter
STYLE = "svg { background: var(--page); font-family: system-ui, sans-serif; }"


def standalone(figure: Figure) -> str:
    """Return the wide drawing of a figure with its legend below, as the text of an SVG file."""
    entries = list(_placed(figure.legend))
    inner, height = figure.wide, _height(figure.wide)
    lines = 1 + max((line for _, line, _ in entries), default=-1)
    drawn = (_entry(key, x, height + LEGEND * line + 14) for key, line, x in entries)
    size = height + LEGEND * lines
    return str(
        tag(
            "svg",
            tag("style", Markup(asset("style.css") + STYLE)),
            inner,
            (each for entry in drawn for each in entry),
            xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDE} {size:g}", width=WIDE, height=size, role="img",
        )
    )  # fmt: skip


def _height(svg: Markup) -> float:
    return float(str(svg).partition(' height="')[2].partition('"')[0])


def _placed(keys: Iterable[Key]) -> Iterable[tuple[Key, int, float]]:
    """Yield the entries of the legend with their lines and left ends."""
    line, x = 0, 60.0
    for key in keys:
        width = 34 + LETTER * len(key.text)
        if x > 60 and x + width > WIDE:
            line, x = line + 1, 60.0
        yield key, line, x
        x += width + 16


def _entry(key: Key, x: float, y: float) -> Iterable[Markup]:
    if key.mark in ("line", "dash"):
        yield path([(x, y), (x + 22, y)], key.colour)
    elif key.mark in ("dot", "ring"):
        yield circle(x + 11, y, 5.5, f"{'ring ' if key.mark == 'ring' else ''}{key.colour}")
    else:
        yield rect(x, y - 6, 22, 12, f"fill {key.colour if key.mark == 'box' else f'{key.colour}2'}", rx=3)
    yield label(x + 28, y + 4, key.text, "name")
