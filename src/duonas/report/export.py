"""Figures as files of their own: SVG and PNG, in the light colours (extra ``figures``)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from markupsafe import Markup

from duonas.core.errors import DuonasError
from duonas.core.files import write_bytes, write_text
from duonas.report.figure import HALF, WIDE, Drawing, Figure
from duonas.report.page import asset
from duonas.report.svg import label, rect, tag
from duonas.report.theme import CONFIG, LIGHT, all_colours, colour, resolved

SCALE = 2.0  # pixels of a PNG for each pixel of the drawing
LEGEND = 34  # height in pixels of a line of the legend
MISSING = "figures become SVG and PNG files by vl-convert-python: pip install 'duonas[figures]'."


def check_installed() -> None:
    """Raise a ``DuonasError`` where the extra ``figures`` is not installed."""
    if find_spec("vl_convert") is None:
        raise DuonasError(MISSING)


def save_figures(figures: dict[str, Figure | Drawing], into: Path) -> list[Path]:
    """Write ``NAME.svg`` and ``NAME.png`` for each figure, and return the paths.

    Of a figure of several charts each has a number behind the name.
    """
    check_installed()
    paths = []
    into.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        pictures = list(svgs(figure))
        for number, svg in enumerate(pictures, 1):
            stem = name if len(pictures) == 1 else f"{name}-{number}"  # which may have a dot
            paths.append(write_text(into / f"{stem}.svg", svg))
            paths.append(write_bytes(into / f"{stem}.png", png_of(svg)))
    return paths


def png_of(svg: str) -> bytes:
    """An SVG file as the content of a PNG file."""
    import vl_convert

    return bytes(vl_convert.svg_to_png(svg, scale=SCALE))


def svgs(figure: Figure | Drawing) -> Iterator[str]:
    """Yield the text of an SVG file for each chart of a figure."""
    check_installed()
    if isinstance(figure, Drawing):
        yield _with_legend(figure)
        return
    import vl_convert

    for spec in figure.charts:
        yield vl_convert.vegalite_to_svg(json.loads(resolved(json.dumps(spec | _alone(figure)))))


def _alone(figure: Figure) -> dict[str, Any]:
    """What the specification of a chart needs outside of the page."""
    width = HALF if figure.half or figure.columns else WIDE
    return {"width": width - 60, "config": CONFIG | {"background": LIGHT["page"]}}


def _with_legend(figure: Drawing) -> str:
    """The wide drawing with its legend below and its styles inside."""
    view = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', figure.wide)
    assert view is not None  # every canvas has one
    width, height = float(view[1]), float(view[2])
    legend, x, y = [], 20.0, height + 18
    for key in figure.legend:
        long = 46 + 7.5 * len(key.text)
        if x > 20 and x + long > width:
            x, y = 20.0, y + LEGEND
        legend += [rect(x, y - 6, 18, 12, f"fill {key.colour}", 3), label(x + 26, y + 4, key.text, "name")]
        x += long
    return str(
        tag(
            "svg", tag("style", Markup(_style())), Markup(resolved(PATTERN)),
            rect(0, 0, width, y + LEGEND, "bed"), figure.wide, legend,
            xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:g} {y + LEGEND:g}", width=width,
            height=y + LEGEND, class_="drawing", role="img",
        )
    )  # fmt: skip


PATTERN = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="2" height="6" fill="#fff" fill-opacity=".55"/></pattern></defs>'
)


def _style() -> str:
    """The styles of drawings for programs that know no variables of style sheets."""
    names = (
        f".fill.{name}, .head.{name}, .note.{name} {{ fill: {colour(name)}; }}\n"
        f".line.{name} {{ stroke: {colour(name)}; }}"
        for name in all_colours()
    )
    plain = re.sub(r"(fill|stroke): var\(--c(, var\(--muted\))?\);", r"\1: var(--muted);", asset("drawing.css"))
    plain = re.sub(r"^\.drawing \.note\.little.*$", "", plain, flags=re.MULTILINE)
    return resolved(f".drawing {{ font-family: sans-serif; }}\n{plain}\n" + "\n".join(names)) + _dull(plain)


def _dull(css: str) -> str:
    """Edges without weights stay grey, whatever the colour of their network."""
    return resolved("\n".join(line for line in css.splitlines() if line.startswith((".line.skip", ".head"))))
