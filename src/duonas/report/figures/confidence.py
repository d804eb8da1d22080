"""Little's confidence on the images of each class, as trained and after its temperature (paper D, appendix C.5)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np

from duonas.report.charts import SHARE, chart, of, ramp, x
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import Figure
from duonas.report.files import RunFiles
from duonas.report.formatting import number, percent
from duonas.routing.calibration import softmax

BINS, LETTERS, MANY = 20, 26, 24
FIELDS = [
    Field("class", "Class", "text"), Field("from", "Confidence from", "share"), Field("to", "to", "share"),
    Field("images", "Images", "whole"), Field("share", "Of the class", "share"),
]  # fmt: skip


def confidences(run: RunFiles) -> Figure:
    """Two heat maps with a row for each class: how many of its test images have which confidence."""
    temperature = float(run["pair/policy.json"]["little_temperature"])
    before, after = (softmax(run.outputs.little_logits, each).max(1) for each in (1.0, temperature))
    there = [label for label in range(len(run.class_names)) if (run.outputs.labels == label).any()]
    order = sorted(there, key=lambda label: -float(after[run.outputs.labels == label].mean()))
    rows = {
        title: [row for label in order for row in _cells(run.class_name(label), each[run.outputs.labels == label])]
        for title, each in (("as trained", before), ("calibrated", after))
    }
    caption = (
        f"Little's confidence on the test images of each class, the surest class first. With temperature "
        f"{number(temperature)} its mean goes from {percent(float(before.mean()))} to {percent(float(after.mean()))}, "
        f"where it is right on {percent(float(run.outputs.little_right.mean()))}."
    )
    specs = [plot(title, each) for title, each in rows.items()]
    listed = table([row for row in rows["calibrated"] if row["images"]], FIELDS)
    return Figure("Confidence by class", specs, caption, listed, columns=True, scroll=len(order) > MANY)


def plot(title: str, rows: Sequence[Row]) -> dict[str, Any]:
    """A heat map.

    Args:
        title: of the horizontal axis.
        rows: what ``FIELDS`` names, with the classes in their order.
    """
    classes = list(dict.fromkeys(row["class"] for row in rows))
    labels = alt.Axis(title=None, domain=False, ticks=False, labelExpr=f"truncate(datum.label, {LETTERS})")
    return chart(
        f"How many of the images of each class have which confidence, {title}",
        {"rows": [row for row in rows if row["images"]]},
        [
            of("rows").mark_rect().encode(
                x=x("from", f"Confidence, {title}", SHARE, bars=True, domain=[0, 1]), x2="to:Q",
                y=alt.Y("class", type="nominal", sort=classes, axis=labels),
                color=ramp("share", "Of the class", SHARE), tooltip=tooltips(FIELDS),
            )
        ],
        22 * len(classes),
    )  # fmt: skip


def _cells(name: str, confidence: np.ndarray) -> list[dict[str, Any]]:
    edges = np.linspace(0, 1, BINS + 1)
    counts = np.histogram(confidence, edges)[0]
    return [
        {"class": name, "from": round(float(low), 4), "to": round(float(high), 4), "images": int(images),
         "share": round(float(images / len(confidence)), 4)}
        for (low, high), images in zip(pairwise(edges), counts, strict=True)
    ]  # fmt: skip
