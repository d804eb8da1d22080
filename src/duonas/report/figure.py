"""Figures: charts, which a library draws in the page, and drawings of architectures, which are drawn here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from duonas.report.table import Table

WIDE, HALF, NARROW = 920, 440, 350  # widths in pixels
ROLES = ("little", "routed", "big")


@dataclass(frozen=True)
class Figure:
    """A figure of charts.

    Args:
        title: its heading.
        charts: their Vega-Lite specifications, shown one below the other, or side by side if ``columns``.
        caption: a sentence that says what it shows.
        table: what lies behind it.
        half: whether it stands in half of the page's width.
        columns: whether its charts stand side by side where there is room.
        scroll: whether it is so tall that it scrolls in a box.
    """

    title: str
    charts: Sequence[dict[str, Any]]
    caption: str
    table: Table
    half: bool = False
    columns: bool = False
    scroll: bool = False


@dataclass(frozen=True)
class Key:
    """An entry of a drawing's legend: a box in a colour."""

    colour: str
    text: str


@dataclass(frozen=True)
class Drawing:
    """A drawing for a wide screen and one for a phone, so that text has the same size on both."""

    title: str
    wide: Markup
    narrow: Markup
    legend: tuple[Key, ...]
    caption: str


def drawing(
    title: str, draw: Callable[[int], Markup], caption: str, legend: Iterable[Key] = (), *, half: bool = False
) -> Drawing:
    """Draw for both screens; ``draw`` gets the width in pixels."""
    return Drawing(title, draw(HALF if half else WIDE), draw(NARROW), tuple(legend), caption)


def is_wide(width: float) -> bool:
    """Whether a drawing has room for long labels."""
    return width > 500
