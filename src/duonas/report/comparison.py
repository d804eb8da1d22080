"""The page of a study: what its variants reach, seed by seed, and how far they are from the first one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from duonas.core.files import write_text
from duonas.report.figure import ROLES, Figure, Key, figure
from duonas.report.formatting import (
    NOTHING,
    coefficient,
    count,
    fixed,
    percent,
    points,
    points_apart,
    shorten,
    tick_percent,
)  # fmt: skip
from duonas.report.page import render_page
from duonas.report.scale import Scale, span
from duonas.report.svg import canvas, circle, label, path, rect, row_axis, tag
from duonas.report.tables import Table

ROW = 40
LETTER = 7.2  # pixels of a character

Variant = dict[str, Any]


def write_comparison(found: dict[str, Any], path: Path) -> Path:
    """Write the page from the content of ``comparison.json``."""
    return write_text(path, render(found))


def render(found: dict[str, Any]) -> str:
    """The whole page as text."""
    return render_page(
        "comparison.html.j2", found["name"], title=found["title"],
        conclusion=[part for part in found["conclusion"].split("\n\n") if part],
        seeds=", ".join(map(str, found["seeds"])), first=found["variants"][0]["name"],
        chart=accuracies(found["variants"]), variants=_variants(found["variants"]), runs=_runs(found),
    )  # fmt: skip


def accuracies(variants: list[Variant]) -> Figure:
    """A row for each variant: a dot a seed for little, routed and big, and a stroke at each mean."""
    domain = span([value for each in variants for role in ROLES for value in each["runs"][role]], floor=0, ceiling=1)
    longest = max(len(variant["name"]) for variant in variants)

    def draw(width: int) -> Markup:
        left = min(24 + LETTER * longest, 0.42 * width)
        bottom, letters = 12 + ROW * len(variants), int((left - 16) / LETTER)
        axis = Scale(domain, (left, width - 16))
        return canvas(
            width, bottom + 54, "Accuracy of every variant",
            row_axis(axis, bottom, "Accuracy on the test split (%)", tick_percent, max(3, width // 110)),
            (_line(variant, 12 + ROW * at, axis, letters) for at, variant in enumerate(variants)),
        )  # fmt: skip

    reached = {variant["name"]: variant["figures"]["routed"]["mean"] for variant in variants}
    best, worst = max(reached, key=reached.__getitem__), min(reached, key=reached.__getitem__)
    caption = (
        f"Routed pairs reach from {percent(reached[worst])} ({worst}) to {percent(reached[best])} ({best}), "
        f"{points_apart(reached[best] - reached[worst])} apart."
    )
    return figure("Accuracy", draw, caption, [Key("dot", role, role) for role in ROLES])


def _line(variant: Variant, top: float, axis: Scale, letters: int) -> Markup:
    centre = top + ROW / 2
    parts = [
        rect(0.0, top, axis.pixels[1], ROW, "hit"),
        label(axis.pixels[0] - 10, centre + 4, shorten(variant["name"], letters), "name", "end"),
    ]
    for role, lift in zip(ROLES, (-6, 0, 6), strict=True):
        mean = axis(variant["figures"][role]["mean"])
        parts.append(path([(mean, centre + lift - 7), (mean, centre + lift + 7)], role))
        parts += [circle(axis(value), centre + lift, 3.5, role) for value in variant["runs"][role]]
    tip = [variant["name"], *(f"{role} {_spread(variant['figures'][role])}" for role in ROLES)]
    return tag("g", parts, class_="row", tip="\n".join(tip))


def _variants(variants: list[Variant]) -> Table:
    rows = []
    for variant in variants:
        figures = variant["figures"]
        rows.append((
            variant["name"], *(_spread(figures[role]) for role in ROLES), _difference(variant["over_first"]["routed"]),
            count(figures["expected_macs"]["mean"]), percent(figures["little_share"]["mean"], 0),
            coefficient(figures["auroc"]["mean"]),
        ))  # fmt: skip
    head = "Variant", "Little", "Routed", "Big", "Over the first", "Expected MACs", "Little share", "AUROC"
    return Table(head, rows)


def _runs(found: dict[str, Any]) -> Table:
    rows = []
    for variant in found["variants"]:
        runs = variant["runs"]
        for at, seed in enumerate(found["seeds"]):
            figures = [percent(runs[role][at], 2) for role in (*ROLES, "oracle")]
            rows.append((variant["name"], str(seed), *figures, count(runs["expected_macs"][at])))
    return Table(("Variant", "Seed", "Little", "Routed", "Big", "Oracle router", "Expected MACs"), rows)


def _spread(figure: dict[str, Any]) -> str:
    """Mean and standard deviation in per cent."""
    return fixed(100 * figure["mean"], 2) + _deviation(figure, 2)


def _difference(figure: dict[str, Any]) -> str:
    """Mean and standard deviation in percentage points; a dash where there is no difference."""
    if figure["mean"] == 0 and not figure["std"]:
        return NOTHING
    return points(figure["mean"]).removesuffix(" points") + _deviation(figure, 1)


def _deviation(figure: dict[str, Any], decimals: int) -> str:
    return "" if figure["std"] is None else f" ± {fixed(100 * figure['std'], decimals)}"
