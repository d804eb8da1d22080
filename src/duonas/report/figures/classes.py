"""Which classes are easy: little share and accuracies of each class (paper D, table 10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from duonas.measure.accuracy import per_class as measured
from duonas.report.charts import FILTERED, SHARE, at_step, chart, colours, of, x
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import Figure
from duonas.report.files import RunFiles
from duonas.report.formatting import percent
from duonas.report.theme import colour
from duonas.report.thresholds import Thresholds

LETTERS, MANY = 26, 24
ACCURACIES = {"accuracy of little": "little", "accuracy of big": "big", "accuracy of routed": "routed"}
FIELDS = [
    Field("class", "Class", "text"), Field("images", "Test images", "whole"),
    Field("little_share", "Little share", "share"), Field("little", "Accuracy of little", "share"),
    Field("big", "Accuracy of big", "share"), Field("routed", "Accuracy of routed", "share"),
    Field("called", "Little says so", "whole"), Field("ece_before_temperature", "ECE as trained", "share"),
    Field("ece", "ECE calibrated", "share"),
]  # fmt: skip


def class_rows(run: RunFiles, temperature: float) -> list[dict[str, Any]]:
    """The figures of all classes that occur in the test split, the easiest first; ``temperature`` is little's."""
    rows = [row for row in measured(run.outputs, run.class_names, temperature) if row["images"]]
    return sorted(rows, key=lambda row: (-row["little_share"], row["class"]))


def per_class(run: RunFiles) -> Figure:
    """A row for each class: a bar for the little share, dots for the three accuracies."""
    rows = class_rows(run, float(run["pair/policy.json"]["little_temperature"]))
    places = {name: place for place, name in enumerate(run.class_names)}
    steps = run.thresholds
    at = {row["class"]: run.outputs.labels == places[row["class"]] for row in rows}
    moving = [
        row | {"little_shares": steps.shares_of(at[row["class"]]), "routeds": steps.accuracies_of(at[row["class"]])}
        for row in rows
    ]
    caption = _caption(rows)
    return Figure("Classes", plots(moving, steps), caption, table(rows, FIELDS), columns=True, scroll=len(rows) > MANY)


def plots(rows: Sequence[Row], steps: Thresholds) -> list[dict[str, Any]]:
    """Two charts with a row for each class, in the order of ``rows``.

    Args:
        rows: ``class``, ``little`` and ``big`` of each, and lists of ``little_shares`` and ``routeds`` by threshold.
        steps: the thresholds of the slider.
    """
    labels = alt.Axis(title=None, domain=False, ticks=False, labelExpr=f"truncate(datum.label, {LETTERS})")
    names = alt.Y("class", type="nominal", sort=[row["class"] for row in rows], axis=labels)
    base = at_step(of("rows"), "little_share", "routed")
    dots = base.transform_fold(["little", "big", "routed"], as_=["who", "accuracy"]).transform_calculate(
        series="'accuracy of ' + datum.who"
    )
    tips = tooltips(FIELDS[:6])
    along = x("accuracy", "Accuracy", SHARE)
    return [
        chart(
            "Share of the images of each class that little answers",
            {"rows": rows},
            [base.mark_bar(color=colour("little"), cornerRadius=3, height=12)
             .encode(y=names, x=x("little_share", "Little share", SHARE, domain=[0, 1]), tooltip=tips)],
            26 * len(rows), thresholds=steps,
        ),
        chart(
            "Accuracies of little, big and the routed pair by class",
            {"rows": rows},
            [
                dots.mark_line(color=colour("muted"), strokeWidth=1.5).encode(y=names, x=along, detail="class:N"),
                dots.mark_point(filled=True, size=80, opacity=1).encode(
                    y=names, x=along, color=colours(ACCURACIES), opacity=FILTERED, tooltip=tips
                ),
            ],
            26 * len(rows), filtered=True, thresholds=steps,
        ),
    ]  # fmt: skip


def _caption(rows: list[dict[str, Any]]) -> str:
    """Compare the easiest and the hardest class, where they differ."""
    easiest, hardest = rows[0], rows[-1]
    most, least = (percent(row["little_share"], 0) for row in (easiest, hardest))
    if most == least:
        return f"Little answers {most} of the images of {'every' if len(rows) > 1 else 'the only'} class."
    return (
        f"Classes from easy to hard: little answers {most} of the images of {easiest['class']}, but {least} of those "
        f"of {hardest['class']}."
    )
