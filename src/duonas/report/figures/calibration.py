"""Whether the confidence of the networks matches their accuracy (paper D, figure 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from duonas.report.charts import FILTERED, SHARE, chart, colours, diagonal, of, x, y
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import Figure
from duonas.report.files import RunFiles
from duonas.report.formatting import number, percent
from duonas.report.theme import colour
from duonas.report.thresholds import Thresholds
from duonas.routing.calibration import Bin, ece, reliability, softmax

FEW = 10  # images; the accuracy of a bin with fewer is mostly chance, so no line goes to its dot
FIELDS = [
    Field("series", "Network", "text"), Field("lower", "Confidence from", "share"), Field("upper", "to", "share"),
    Field("confidence", "Mean confidence", "share"), Field("accuracy", "Accuracy", "share"),
    Field("images", "Images", "whole"),
]  # fmt: skip


def calibrations(run: RunFiles) -> list[Figure]:
    """The reliability diagrams of little and big, as trained and after their temperatures, and that of the pair."""
    return [*(_network(run, role) for role in ("little", "big")), _pair(run)]


def _network(run: RunFiles, role: str) -> Figure:
    labels, temperature = run.outputs.labels, float(run["pair/policy.json"][f"{role}_temperature"])
    raw, cooled = (softmax(_logits(run, role), each) for each in (1.0, temperature))
    before, after = ece(raw, labels), ece(cooled, labels)
    change = "falls" if after < before else "rises" if after > before else "stays"
    caption = (
        f"On the dashed line, confidence equals accuracy. With temperature {number(temperature)}, {role}'s calibration "
        f"error (ECE) {change} from {percent(before)} to {percent(after)}."
    )
    names = {"as trained": "static", "calibrated": role}
    rows = [
        row for name, each in zip(names, (raw, cooled), strict=True) for row in _rows(name, reliability(each, labels))
    ]
    spec = plot(f"Reliability diagram of {role}", rows, names)
    return Figure(f"Reliability of {role}", [spec], caption, table(rows, FIELDS), half=True)


def _pair(run: RunFiles) -> Figure:
    """The confidence of whichever network answers, at each threshold."""
    steps, labels = run.thresholds, run.outputs.labels
    towers = [
        softmax(_logits(run, role), float(run["pair/policy.json"][f"{role}_temperature"])) for role in ("little", "big")
    ]
    rows: list[dict[str, Any]] = []
    errors = []
    for step, kept in enumerate(steps.kept):
        answered = np.where(kept[:, None], *towers)
        errors.append(ece(answered, labels))
        rows += [row | {"step": step} for row in _rows("routed pair", reliability(answered, labels))]
    shown = [row for row in rows if row["step"] == steps.chosen]
    caption = (
        f"The calibrated confidence of the network that answers: at the chosen threshold the pair's calibration error "
        f"is {percent(errors[steps.chosen])}; over all thresholds it lies between {percent(min(errors))} and "
        f"{percent(max(errors))}."
    )
    spec = plot("Reliability diagram of the routed pair", rows, {"routed pair": "routed"}, steps)
    return Figure("Reliability of the routed pair", [spec], caption, table(shown, FIELDS), half=True)


def plot(title: str, rows: Sequence[Row], names: dict[str, str], steps: Thresholds | None = None) -> dict[str, Any]:
    """A dot for each bin, whose area grows with its number of images, and a line through those with enough images.

    Args:
        title: what the chart is.
        rows: bins with ``series``, ``confidence``, ``accuracy`` and ``images``, and their ``step`` if it moves.
        names: the colour of each series.
        steps: the thresholds of the slider, of a chart that moves with it.
    """
    base = of("rows") if steps is None else of("rows").transform_filter("datum.step == step")
    place: dict[str, Any] = {
        "x": x("confidence", "Confidence", SHARE, domain=[0, 1]), "y": y("accuracy", "Accuracy", SHARE, domain=[0, 1]),
        "color": colours(names), "opacity": FILTERED,
    }  # fmt: skip
    most = max((row["images"] for row in rows), default=1)
    area = alt.Size("images", type="quantitative", legend=None, scale=alt.Scale(domain=[0, most], range=[35, 420]))
    return chart(
        f"{title}: accuracy against confidence",
        {"rows": rows},
        [
            diagonal(),
            base.transform_filter(f"datum.images >= {FEW}").mark_line(strokeWidth=1.75).encode(**place),
            base.mark_circle(stroke=colour("page")).encode(**place, size=area, tooltip=tooltips(FIELDS)),
        ],
        320, filtered=True, thresholds=steps,
    )  # fmt: skip


def _rows(series: str, bins: list[Bin]) -> list[dict[str, Any]]:
    return [
        {"series": series, "lower": round(each.lower, 4), "upper": round(each.upper, 4), "images": each.count,
         "confidence": round(each.confidence, 4), "accuracy": round(each.accuracy, 4)}
        for each in bins if each.count
    ]  # fmt: skip


def _logits(run: RunFiles, role: str) -> np.ndarray:
    return run.outputs.little_logits if role == "little" else run.outputs.big_logits
