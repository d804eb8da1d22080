"""The time that one image takes on the machine that measured the run."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from duonas.report.figure import ROLES, Figure, Key, figure
from duonas.report.formatting import milliseconds, number, tick
from duonas.report.scale import Scale
from duonas.report.svg import canvas, label, path, rect, row_axis, tag

ROW = 44
QUANTILES = ("p50", "p95", "p99")


def latency(measured: dict[str, Any]) -> Figure:
    """A row for each network: a bar to the median, and a line on to p99 with a tick at p95."""
    times = {role: measured[role]["latency_ms"] for role in ROLES}

    def draw(width: int) -> Markup:
        bottom = 12 + ROW * len(ROLES)
        axis = Scale((0.0, max(row["p99"] for row in times.values()) * 1.04), (66, width - 16))
        return canvas(
            width, bottom + 54, "Latency of one image",
            row_axis(axis, bottom, "Latency of one image (ms)", tick, max(4, width // 90)),
            (_row(role, times[role], 12 + ROW * index, axis) for index, role in enumerate(ROLES)),
        )  # fmt: skip

    slow = "those for which big runs, too" if measured["position"] == "after_little" else "big's"
    ratio = times["routed"]["p50"] / times["big"]["p50"]
    caption = (
        f"The routed pair answers half of the single images within {milliseconds(times['routed']['p50'])}, "
        f"{number(ratio)} times big's time; its slow answers are {slow}."
    )
    keys = [Key("box", role, f"{role}, p50") for role in ROLES]
    return figure("One image at a time", draw, caption, [*keys, Key("line", "span", "to p99, tick at p95")])


def _row(role: str, times: dict[str, float], top: float, axis: Scale) -> Markup:
    centre = top + ROW / 2
    p50, p95, p99 = (axis(times[name]) for name in QUANTILES)
    tip = "\n".join([role, *(f"{name} {milliseconds(times[name])}" for name in QUANTILES)])
    return tag(
        "g", rect(0.0, top, axis.pixels[1], ROW, "hit"), label(56, centre + 4, role, "name", "end"),
        rect(axis(0), centre - 9, p50 - axis(0), 18, f"fill {role}", 3),
        path([(p50, centre), (p99, centre)], "span"),
        (path([(end, centre - 6), (end, centre + 6)], "span") for end in (p95, p99)), class_="row", tip=tip,
    )  # fmt: skip
