"""How much accuracy, cost and time change with the threshold (paper D, figure 5): robust or fragile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from duonas.measure.sensitivity import Slope, slope
from duonas.report.charts import COUNT, SHARE, at_tau, chart, colours, crosshair, of, x, y
from duonas.report.fields import Field, Row, table
from duonas.report.figure import Figure
from duonas.report.files import RunFiles
from duonas.report.formatting import number, percent, points_apart
from duonas.report.theme import colour
from duonas.report.thresholds import Thresholds

FIELDS = [
    Field("tau", "τ"), Field("accuracy", "Accuracy", "share"), Field("macs", "Expected MACs", "count"),
    Field("ms", "Mean time (ms)"), Field("share", "Little share", "share"),
]  # fmt: skip


def sensitivity(run: RunFiles) -> Figure:
    """Accuracy, expected MACs and mean time against tau, one below the other."""
    steps = run.thresholds
    columns = (steps.tau, steps.accuracy, steps.macs, steps.milliseconds, steps.little_share)
    rows = [
        {field.name: float(value) for field, value in zip(FIELDS, figures, strict=True)}
        for figures in zip(*columns, strict=True)
    ]
    found = slope(run.outputs, run.tau, run.cost)
    band = [] if found is None else [{"from": run.tau - found.nudge, "to": run.tau + found.nudge}]
    alone = [{"series": f"{role} alone", "accuracy": run.measure[role]["accuracy"]} for role in ("little", "big")]
    return Figure("Threshold sensitivity", plots(rows, alone, band, steps), _caption(found), table(rows, FIELDS))


def plots(rows: Sequence[Row], alone: Sequence[Row], band: Sequence[Row], steps: Thresholds) -> list[dict[str, Any]]:
    """Three charts over one axis.

    Args:
        rows: ``tau``, ``accuracy``, ``macs``, ``ms`` and ``share`` of each threshold.
        alone: ``series`` and ``accuracy`` of each network.
        band: from where to where the threshold is moved; no row where that is not known.
        steps: the thresholds of the slider.
    """
    domain = [rows[0]["tau"], rows[-1]["tau"]]
    levels = of("alone").mark_rule(strokeWidth=1.75, strokeDash=[6, 5])
    accuracy = y("accuracy", "Test accuracy", SHARE)
    names = colours({"little alone": "little", "big alone": "big"})
    return [
        chart(
            f"{title} against the threshold",
            {"rows": rows, "band": band, "alone": alone},
            [
                of("band").mark_rect(color=colour("routed"), opacity=0.16, clip=True).encode(x="from:Q", x2="to:Q"),
                *([levels.encode(y=accuracy, color=names)] if key == "accuracy" else ()),
                of("rows").mark_line(color=colour("routed"))
                .encode(x=x("tau", below, domain=domain), y=y(key, title, format, **scale)),
                at_tau(), crosshair(of("rows"), x("tau", below, domain=domain), FIELDS),
            ],
            height, thresholds=steps,
        )
        for key, title, format, below, scale, height in (
            ("accuracy", "Test accuracy", SHARE, None, {}, 170),
            ("macs", "Expected MACs per image", COUNT, None, {"zero": True}, 110),
            ("ms", "Mean time per image (ms)", "", "Threshold τ", {"zero": True}, 110),
        )
    ]  # fmt: skip


def _caption(found: Slope | None) -> str:
    if found is None:
        return (
            "The chosen threshold is infinite: one network answers every image, so there is nothing to be sensitive to."
        )
    return (
        f"The threshold is {found.verdict}: moving τ by {number(found.nudge, 2)} (a twentieth of the spread of "
        f"the scores, the pale band) {_change(found.accuracy)} and expected MACs by at most {percent(found.macs)} of "
        "big's. Times are those of the measured threshold, and for each image that changes sides big's mean time."
    )


def _change(accuracy: float) -> str:
    if accuracy == 0:
        return "leaves accuracy as it is"
    if accuracy < 0.0005:  # as it is rounded
        return "changes accuracy by less than 0.1 points"
    return f"changes accuracy by at most {points_apart(accuracy)}"
