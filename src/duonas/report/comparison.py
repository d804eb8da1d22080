"""The page of a study: what its variants reach, seed by seed, and how far they are from the first one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt

from duonas.core.files import write_text
from duonas.report.charts import FILTERED, SHARE, chart, colours, of, x
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import ROLES, Figure
from duonas.report.formatting import NOTHING, coefficient, count, fixed, percent, points, points_apart
from duonas.report.page import render_page
from duonas.report.table import Table

LETTERS = 34
FIELDS = [
    Field("variant", "Variant", "text"), Field("series", "Network", "text"), Field("seed", "Seed", "text"),
    Field("accuracy", "Accuracy", "share"),
]  # fmt: skip

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
        accuracies=accuracies(found), variants=_variants(found["variants"]), runs=_runs(found),
    )  # fmt: skip


def accuracies(found: dict[str, Any]) -> Figure:
    """A row for each variant: a dot a seed for little, routed and big, and a stroke at each mean."""
    variants = found["variants"]
    rows = [
        {"variant": variant["name"], "series": role, "seed": str(seed), "accuracy": value}
        for variant in variants
        for role in ROLES
        for seed, value in zip(found["seeds"], variant["runs"][role], strict=True)
    ]
    means = [
        {"variant": variant["name"], "series": role, "seed": "mean", "accuracy": variant["figures"][role]["mean"]}
        for variant in variants
        for role in ROLES
    ]
    reached = {variant["name"]: variant["figures"]["routed"]["mean"] for variant in variants}
    best, worst = max(reached, key=reached.__getitem__), min(reached, key=reached.__getitem__)
    caption = (
        f"Routed pairs reach from {percent(reached[worst])} ({worst}) to {percent(reached[best])} ({best}), "
        f"{points_apart(reached[best] - reached[worst])} apart."
    )
    return Figure("Accuracy", [plot(rows, means)], caption, table([*means, *rows], FIELDS))


def plot(rows: Sequence[Row], means: Sequence[Row]) -> dict[str, Any]:
    """Draw the ``accuracy`` of each ``variant``, role (``series``) and ``seed``, and the means over the seeds."""
    names = alt.Y(
        "variant", type="nominal", sort=list(dict.fromkeys(row["variant"] for row in rows)),
        axis=alt.Axis(title=None, domain=False, ticks=False, grid=True, labelExpr=f"truncate(datum.label, {LETTERS})"),
    )  # fmt: skip
    place: dict[str, Any] = {
        "y": names, "x": x("accuracy", "Accuracy on the test split", SHARE),
        "yOffset": alt.YOffset("series", type="nominal", sort=list(ROLES)),
        "color": colours({role: role for role in ROLES}), "opacity": FILTERED, "tooltip": tooltips(FIELDS),
    }  # fmt: skip
    return chart(
        "Accuracy of every variant: little, routed and big, a dot for each seed and a stroke at the mean",
        {"rows": rows, "means": means},
        [
            of("rows").mark_circle(size=50).encode(**place),
            of("means").mark_tick(thickness=2.5, size=14).encode(**place),
        ],
        16 * len(means), filtered=True,
    )  # fmt: skip


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
