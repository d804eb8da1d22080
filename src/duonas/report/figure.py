"""A figure: two drawings (a wide screen's and a phone's), a legend and one sentence that says what it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

WIDE, HALF, NARROW = 920, 440, 350


@dataclass(frozen=True)
class Key:
    """A line of the legend; ``mark`` is dot, ring, line, dash or box."""

    mark: str
    colour: str
    text: str


@dataclass(frozen=True)
class Figure:
    """What the page shows; ``caption`` is one sentence."""

    title: str
    wide: Markup
    narrow: Markup
    legend: tuple[Key, ...]
    caption: str
    scroll: bool = False  # tall: scrolls inside a box of its own
    half: bool = False


def figure(
    title: str,
    draw: Callable[[int], Markup],
    caption: str,
    legend: tuple[Key, ...] = (),
    *,
    half: bool = False,
    scroll: bool = False,
) -> Figure:
    """Draw for both screens, so that text keeps its size instead of shrinking with the picture."""
    return Figure(title, draw(HALF if half else WIDE), draw(NARROW), legend, caption, scroll, half)
