"""The router's scores where little is right and where it is wrong (paper D, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from duonas.report.charts import COUNT, at_tau, chart, of, x, y
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import Figure
from duonas.report.files import RunFiles
from duonas.report.formatting import number, percent, plural, whole
from duonas.report.theme import colour
from duonas.report.thresholds import Thresholds

BINS = 40
BIN = [Field("from", "Score from"), Field("to", "to")]
NAMES = {"right": "Images where little is right", "wrong": "Images where little is wrong"}
COUNTS = {key: Field(key, title, "whole") for key, title in NAMES.items()}


def histogram(run: RunFiles) -> Figure:
    """Two histograms over the score, one above the other, with tau through both."""
    outputs = run.outputs
    finite = outputs.score[np.isfinite(outputs.score)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    clipped = np.clip(np.nan_to_num(outputs.score, nan=low), edges[0], edges[-1])
    right, wrong = (np.histogram(clipped[mask], edges)[0] for mask in (outputs.little_right, ~outputs.little_right))
    columns = zip(edges, edges[1:], right, wrong, strict=False)
    rows = [{"from": float(a), "to": float(b), "right": int(r), "wrong": int(w)} for a, b, r, w in columns]
    little_wrong = int((outputs.is_little & ~outputs.little_right).sum())
    sent_right = int((~outputs.is_little & outputs.little_right).sum())
    auroc = run.measure["auroc"]  # undefined where little is always right or always wrong
    ranks = f"; a right answer scores above a wrong one {percent(auroc)} of the time (AUROC)"
    if auroc is not None and auroc < 0.5:
        ranks += ", which is worse than chance"
    sent = f"{plural(sent_right, 'image')} {'is' if sent_right == 1 else 'are'} sent to big although little is right"
    left = f"{whole(little_wrong)} {'is' if little_wrong == 1 else 'are'} left to little although it is wrong"
    caption = f"Below τ = {number(run.tau)} big runs (pale bars): {sent}, and {left}{'' if auroc is None else ranks}."
    return Figure("Scores", plots(rows, run.thresholds), caption, table(rows, [*BIN, *COUNTS.values()]))


def plots(rows: Sequence[Row], steps: Thresholds) -> list[dict[str, Any]]:
    """One histogram of the images where little is right, and one of those where it is wrong.

    Args:
        rows: ``from`` and ``to`` of each bin, and how many images are ``right`` and ``wrong`` in it.
        steps: the thresholds of the slider.
    """
    domain = [rows[0]["from"], rows[-1]["to"]]
    stays = alt.OpacityValue(0.45, condition={"test": "(datum.from + datum.to) / 2 >= tau", "value": 1.0})
    return [
        chart(
            f"How many images have which score: {title}",
            {"rows": rows},
            [
                of("rows").mark_bar(color=colour(key), binSpacing=1)
                .encode(x=x("from", below, bars=True, domain=domain), x2="to:Q",
                        y=y(key, title, COUNT, zero=True), opacity=stays),
                at_tau(),
                of("rows").mark_rule(opacity=0, strokeWidth=14)  # the whole column reacts, however low the bar is
                .transform_calculate(middle="(datum.from + datum.to) / 2")
                .encode(x="middle:Q", tooltip=tooltips([*BIN, COUNTS[key]])),
            ],
            150, thresholds=steps,
        )
        for (key, title), below in zip(NAMES.items(), (None, "Score (high: little answers)"), strict=True)
    ]  # fmt: skip
