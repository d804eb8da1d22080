"""Little share and accuracies over the images from easy to hard (paper D, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from duonas.measure.accuracy import by_difficulty, difficulty_parts
from duonas.report.charts import FILTERED, SHARE, at_step, chart, colours, of, x, y
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import Figure
from duonas.report.files import RunFiles
from duonas.report.formatting import percent
from duonas.report.theme import colour
from duonas.report.thresholds import Thresholds

COLOURS = {"accuracy of little": "little", "accuracy of big": "big", "accuracy of routed": "routed"}
FIELDS = [
    Field("part", "Part, from easy to hard", "whole"), Field("little_share", "Little share", "share"),
    Field("little", "Accuracy of little", "share"), Field("big", "Accuracy of big", "share"),
    Field("routed", "Accuracy of routed", "share"), Field("lowest_loss", "Big's loss from"),
    Field("highest_loss", "to"), Field("images", "Images", "whole"),
]  # fmt: skip


def difficulty(run: RunFiles) -> Figure:
    """A bar for the little share in each tenth of the images, and a line for each accuracy."""
    steps = run.thresholds
    rows = [row | {"part": place} for place, row in enumerate(by_difficulty(run.outputs), 1)]
    moving = [
        row | {"little_shares": steps.shares_of(images), "routeds": steps.accuracies_of(images)}
        for row, images in zip(rows, difficulty_parts(run.outputs), strict=True)
    ]
    unit = "tenth" if len(rows) == 10 else "part"
    caption = (
        f"Images are ordered by big's loss: little answers {percent(rows[0]['little_share'], 0)} of the "
        f"easiest {unit} and {percent(rows[-1]['little_share'], 0)} of the hardest (bars)."
    )
    return Figure("Difficulty", [plot(moving, steps)], caption, table(rows, FIELDS))


def plot(rows: Sequence[Row], steps: Thresholds) -> dict[str, Any]:
    """Draw bars and lines.

    Args:
        rows: ``part``, ``little`` and ``big`` of each part, and lists of ``little_shares`` and ``routeds`` by
            threshold.
        steps: the thresholds of the slider.
    """
    base = at_step(of("rows"), "little_share", "routed")
    lines = base.transform_fold(["little", "big", "routed"], as_=["who", "accuracy"]).transform_calculate(
        series="'accuracy of ' + datum.who"
    )
    along = x("part", "Parts of the images, from easy to hard", domain=[0.5, len(rows) + 0.5])
    return chart(
        "Little share and accuracies in parts of the images, from easy to hard",
        {"rows": rows},
        [
            base.transform_calculate(start="datum.part - 0.45", end="datum.part + 0.45")
            .mark_bar(color=colour("little3"), opacity=0.35)
            .encode(x=x("start", "Parts of the images, from easy to hard", bars=True), x2="end:Q",
                    y=y("little_share", "Share or accuracy", SHARE, domain=[0, 1]), tooltip=tooltips(FIELDS)),
            lines.mark_line(point={"size": 45}).encode(
                x=along, y="accuracy:Q", color=colours(COLOURS), opacity=FILTERED, tooltip=tooltips(FIELDS)
            ),
        ],
        300, filtered=True, thresholds=steps,
    )  # fmt: skip
