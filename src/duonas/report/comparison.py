"""The page of a study: what its variants reach, seed by seed, and how far they are from the first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from duonas.core.files import write_text
from duonas.report.figure import Figure, Key, figure
from duonas.report.page import render_page
from duonas.report.scale import Scale, span
from duonas.report.svg import canvas, join, label, path, tag
from duonas.report.words import NOTHING, count, percent, points, shorten, tick_percent

ROLES = ("little", "routed", "big")
ROW = 40
TEXT = 7.2  # pixels of a character


def write_comparison(found: dict[str, Any], path: Path) -> Path:
    """Write the page from ``comparison.json``'s content."""
    return write_text(path, render(found))


def render(found: dict[str, Any]) -> str:
    """The whole page as text."""
    seeds = found["seeds"]
    tables = [
        (variant["name"], [seed, *(percent(variant["runs"][role][at], 2) for role in (*ROLES, "oracle")),
                           count(variant["runs"]["expected_macs"][at])])
        for variant in found["variants"] for at, seed in enumerate(seeds)
    ]  # fmt: skip
    return render_page(
        "comparison.html.j2", found["name"],
        title=found["title"], conclusion=[part for part in found["conclusion"].split("\n\n") if part],
        seeds=", ".join(map(str, seeds)), chart=accuracies(found), rows=[_row(each) for each in found["variants"]],
        first=found["variants"][0]["name"], runs=[(name, *cells) for name, cells in tables],
    )  # fmt: skip


def accuracies(found: dict[str, Any]) -> Figure:
    """A row a variant: a small dot a seed for little, routed and big, and a stroke at each mean."""
    variants = found["variants"]
    values = [value for variant in variants for role in ROLES for value in variant["runs"][role]]
    domain = span(values, floor=0, ceiling=1)

    def draw(width: int) -> Markup:
        longest = max(len(variant["name"]) for variant in variants)
        left = min(24 + TEXT * longest, 0.42 * width)
        bottom = 12 + ROW * len(variants)
        axis = Scale(domain, (left, width - 16))
        parts = [label((left + width - 16) / 2, bottom + 42, "Accuracy on the test split (%)", "title", "middle")]
        for value in axis.ticks(max(3, width // 110)):
            parts.append(path([(axis(value), 8), (axis(value), bottom)], "grid"))
            parts.append(label(axis(value), bottom + 20, tick_percent(value), "tick", "middle"))
        letters = int((left - 16) / TEXT)
        parts += [_line(variant, 12 + ROW * at, axis, letters) for at, variant in enumerate(variants)]
        return canvas(width, bottom + 54, "Accuracy of every variant", join(parts))

    best = max(variants, key=lambda variant: variant["figures"]["routed"]["mean"])
    worst = min(variants, key=lambda variant: variant["figures"]["routed"]["mean"])
    gap = best["figures"]["routed"]["mean"] - worst["figures"]["routed"]["mean"]
    caption = (
        f"Routed pairs reach from {percent(worst['figures']['routed']['mean'])} ({worst['name']}) to "
        f"{percent(best['figures']['routed']['mean'])} ({best['name']}), {points(gap)[1:]} apart."
    )
    return figure("Accuracy", draw, caption, tuple(Key("dot", role, role) for role in ROLES))


def _line(variant: dict[str, Any], top: float, axis: Scale, letters: int) -> Markup:
    centre = top + ROW / 2
    parts = [
        tag("rect", x=0.0, y=top, width=axis.pixels[1], height=ROW, class_="hit"),
        label(axis.pixels[0] - 10, centre + 4, shorten(variant["name"], letters), "name", "end"),
    ]
    for role, lift in zip(ROLES, (-6, 0, 6), strict=True):
        at = axis(variant["figures"][role]["mean"])
        parts.append(path([(at, centre + lift - 7), (at, centre + lift + 7)], role))
        parts += [
            tag("circle", cx=axis(value), cy=centre + lift, r=3.5, class_=f"dot {role}")
            for value in variant["runs"][role]
        ]
    tip = variant["name"] + "\n" + "\n".join(f"{role} {_spread(variant['figures'][role])}" for role in ROLES)
    return tag("g", *parts, class_="row", tip=tip)


def _row(variant: dict[str, Any]) -> tuple[str, ...]:
    figures, over = variant["figures"], variant["over_first"]
    return (
        variant["name"], *(_spread(figures[role]) for role in ROLES), _difference(over["routed"]),
        count(figures["expected_macs"]["mean"]), percent(figures["little_share"]["mean"], 0),
        NOTHING if figures["auroc"]["mean"] is None else f"{figures['auroc']['mean']:.3f}",
    )  # fmt: skip


def _spread(figure: dict[str, float | None]) -> str:
    """Mean and standard deviation in per cent."""
    assert figure["mean"] is not None
    deviation = "" if figure["std"] is None else f" ± {100 * figure['std']:.2f}"
    return f"{100 * figure['mean']:.2f}{deviation}"


def _difference(figure: dict[str, float | None]) -> str:
    assert figure["mean"] is not None
    if figure["mean"] == 0 and not figure["std"]:
        return NOTHING
    deviation = "" if figure["std"] is None else f" ± {100 * figure['std']:.1f}"
    return points(figure["mean"]).removesuffix(" points") + deviation
