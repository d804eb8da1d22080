"""The one place for the report's colours and fonts: as variables of the style sheet and as the charts' configuration.

Charts name colours as ``var(--little)``, which a browser looks up, so that they follow the page from light to dark and
onto paper. Files of single figures have no style sheet, so there the names are replaced, see ``resolved``.
"""

from __future__ import annotations

import re
from typing import Any

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif'
LIGHT = {
    "page": "#fafaf8", "card": "#ffffff", "ink": "#1c2127", "muted": "#5b6574", "hair": "#e4e6ea", "soft": "#eef0f3",
    "little": "#0b7d73", "big": "#6d4fd8", "routed": "#c4530a", "wrong": "#c22f59", "right": "#6b82a0",
    "static": "#808a99", "oracle": "#4a5564", "ramp-start": "#7fb3cc", "ramp-end": "#1c3f94",
}  # fmt: skip
DARK = {
    "page": "#101418", "card": "#181d23", "ink": "#e6e9ed", "muted": "#9fabb8", "hair": "#2a313a", "soft": "#20262d",
    "little": "#2cc4b2", "big": "#a48cf8", "routed": "#fb923c", "wrong": "#f4719a", "right": "#7f95ad",
    "static": "#74808e", "oracle": "#b3becb", "ramp-start": "#4d76ad", "ramp-end": "#a5dcf5",
}  # fmt: skip
SHADES = 6  # of little and big, from pale to full, and of the ramp
SHADED = {"little": ("page", "little", 0.45), "big": ("page", "big", 0.45), "seq": ("ramp-start", "ramp-end", 0.0)}


def style() -> str:
    """The colours as variables of a style sheet, light, or dark where a reader prefers that, and a class for each."""
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}"
    classes = "\n".join(f".{name} {{ --c: {colour(name)}; }}" for name in all_colours())
    return f":root {{ color-scheme: light dark; {_variables(LIGHT)} }}\n{dark}\n{classes}\n"


def colour(name: str) -> str:
    """A colour of the palette, as charts and style sheets name it."""
    return f"var(--{name})"


def all_colours() -> list[str]:
    """The names of all colours, shades included."""
    return list(_with_shades(LIGHT))


def shade(fraction: float) -> int:
    """The index, 0 to ``SHADES - 1``, of the shade that stands for a fraction in [0, 1]."""
    return min(int(fraction * SHADES), SHADES - 1)


def resolved(text: str) -> str:
    """``text`` with each ``var(--name)`` replaced by the light colour of that name."""
    known = _with_shades(LIGHT)
    return re.sub(r"var\(--([a-z0-9-]+)\)", lambda found: known[found[1]], text)


def _variables(palette: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in _with_shades(palette).items())


def _with_shades(palette: dict[str, str]) -> dict[str, str]:
    found = dict(palette)
    for name, (start, end, least) in SHADED.items():
        for number in range(SHADES):
            part = least + (1 - least) * number / (SHADES - 1)
            found[f"{name}{number}"] = _mixed(palette[start], palette[end], part)
    return found


def _mixed(start: str, end: str, part: float) -> str:
    pairs = ((int(start[at : at + 2], 16), int(end[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(low + part * (high - low)):02x}" for low, high in pairs)


_TEXT = {"labelColor": colour("muted"), "labelFontSize": 12.5, "titleColor": colour("ink"), "titleFontSize": 13}
CONFIG: dict[str, Any] = {
    "background": None,
    "font": SANS,
    "padding": {"left": 2, "right": 8, "top": 4, "bottom": 4},
    "view": {"stroke": None},
    "axis": _TEXT | {
        "domainColor": colour("muted"), "tickColor": colour("muted"), "gridColor": colour("hair"),
        "titleFontWeight": "normal", "labelLimit": 190, "labelOverlap": True,
    },
    "axisX": {"grid": False, "labelFlush": False, "titlePadding": 10},
    "axisY": {  # the title lies flat above its axis, where it is easiest to read
        "domain": False, "ticks": False, "labelPadding": 6, "minExtent": 38, "titleAngle": 0, "titleAlign": "left",
        "titleAnchor": "end", "titleX": 2, "titleY": -12, "titleBaseline": "bottom",
    },
    "legend": {
        "orient": "top", "title": None, "labelColor": colour("ink"), "labelFontSize": 13, "symbolSize": 110,
        "labelLimit": 320, "columnPadding": 18, "offset": 34, "titleFontWeight": "normal", "titleColor": colour("ink"),
        "titleFontSize": 13, "gradientLength": 150,
    },
    "line": {"strokeWidth": 2.5, "strokeJoin": "round", "strokeCap": "round"},
    "aria": True,
}  # fmt: skip
