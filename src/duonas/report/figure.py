"""A figure: two drawings (for a wide screen and for a phone), a legend and a caption that says what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from markupsafe import Markup

WIDE, HALF, NARROW = 920, 440, 350  # widths in pixels
ROLES = ("little", "routed", "big")


def is_wide(width: float) -> bool:
    """Whether a drawing has room for long labels."""
    return width > 500


@dataclass(frozen=True)
class Key:
    """An entry of the legend; ``mark`` is dot, ring, line, dash, box or ramp."""

    mark: str
    colour: str
    text: str


@dataclass(frozen=True)
class Figure:
    """A figure as the page shows it."""

    title: str
    wide: Markup
    narrow: Markup
    legend: tuple[Key, ...]
    caption: str
    scroll: bool = False  # whether it is so tall that it scrolls in a box


def figure(
    title: str,
    draw: Callable[[int], Markup],
    caption: str,
    legend: Iterable[Key] = (),
    *,
    half: bool = False,
    scroll: bool = False,
) -> Figure:
    """Draw for both screens, so that text has the same size on both instead of shrinking with the picture."""
    return Figure(title, draw(HALF if half else WIDE), draw(NARROW), tuple(legend), caption, scroll)
