"""The time that one image takes on the machine that measured the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from duonas.report.charts import at_step, chart, of, x
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import ROLES, Figure
from duonas.report.formatting import milliseconds, number
from duonas.report.theme import colour
from duonas.report.thresholds import Thresholds

TIMES = [Field(name, f"{name} (ms)") for name in ("p50", "p95", "p99", "mean")]
FIELDS = [Field("role", "Network", "text"), *TIMES]


def latency(measured: dict[str, Any], steps: Thresholds | None) -> Figure:
    """A row for each network: a bar to the median, a line on to p99 with a tick at p95, and a dot at the mean.

    Args:
        measured: the content of ``measure.json``.
        steps: the thresholds of the slider, which moves the routed mean, where they are known.
    """
    rows = [{"role": role} | {key: measured[role]["latency_ms"].get(key) for key in ("p50", "p95", "p99", "mean")}
            for role in ROLES]  # fmt: skip
    slow = "those for which big runs, too" if measured["position"] == "after_little" else "big's"
    ratio = rows[1]["p50"] / rows[2]["p50"]
    caption = (
        f"The routed pair answers half of the single images within {milliseconds(rows[1]['p50'])} (bar), "
        f"{number(ratio)} times big's time; its slow answers are {slow}. Lines go on to p99, with a tick at p95; "
        "dots are means."
    )
    return Figure("One image at a time", [plot(rows, steps)], caption, table(rows, FIELDS))


def plot(rows: Sequence[Row], steps: Thresholds | None) -> dict[str, Any]:
    """Draw the times of each ``role``."""
    names = alt.Y("role", type="nominal", sort=list(ROLES), axis=alt.Axis(title=None, domain=False, ticks=False))
    fill = alt.Color("role", type="nominal", legend=None,
                     scale=alt.Scale(domain=list(ROLES), range=[colour(role) for role in ROLES]))  # fmt: skip
    tips, base = tooltips(FIELDS), of("rows").encode(y=names)
    known = [row for row in rows if row["mean"] is not None]
    means = known if steps is None else [row for row in known if row["role"] != "routed"]
    moved: list[Row] = []
    dot: dict[str, Any] = {"size": 75, "filled": True, "opacity": 1, "stroke": colour("page"), "color": colour("ink")}
    layers = [
        base.mark_bar(height=18, cornerRadius=3).encode(
            x=x("p50", "Time of one image (ms)", zero=True), color=fill, tooltip=tips
        ),
        base.mark_rule(strokeWidth=1.75, color=colour("muted")).encode(x="p50:Q", x2="p99:Q", tooltip=tips),
        *(base.mark_tick(thickness=1.75, size=12, color=colour("muted")).encode(x=f"{end}:Q", tooltip=tips)
          for end in ("p95", "p99")),
        of("means").mark_point(**dot).encode(y=names, x="mean:Q", tooltip=tips),
    ]  # fmt: skip
    if steps is not None:
        moved = [{"role": "routed", "means": [round(float(each), 4) for each in steps.milliseconds]}]
        layers.append(
            at_step(of("moved"), "mean")
            .mark_point(**dot)
            .encode(y=names, x="mean:Q", tooltip=tooltips([FIELDS[0], TIMES[-1]]))
        )
    rows_by_name = {"rows": rows, "means": means, "moved": moved}
    return chart("Latency of one image by network", rows_by_name, layers, 44 * len(rows), thresholds=steps)
