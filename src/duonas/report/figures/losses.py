"""The losses over the epochs of training the supernet and of fine-tuning the pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from duonas.report.charts import FILTERED, chart, colours, crosshair, of, x, y
from duonas.report.fields import Field, Row, table
from duonas.report.figure import Figure
from duonas.report.formatting import number, tick, whole
from duonas.report.ranges import thin

Curve = tuple[str, str, str]  # colour, key of the log's rows, text
NETWORKS: list[Curve] = [(role, role, f"{role} network, on labels") for role in ("big", "little")]
SHOWN = 300  # points of a curve


def training(log: list[dict[str, Any]]) -> Figure | None:
    """The supernet's loss, or those of its largest and smallest subnet; ``None`` where nothing was logged."""
    rows = _steps(log, "train")
    if not rows:
        return None
    subnets = [
        ("big", "largest", "largest subnet"), ("little", "smallest", "smallest subnet, distilled from the largest"),
    ]  # fmt: skip
    known = next((each for each in (subnets, NETWORKS) if {key for _, key, _ in each} <= rows[-1].keys()), None)
    return _losses("Loss", rows, known or [("routed", "loss", "loss")])


def finetuning(log: list[dict[str, Any]]) -> Figure | None:
    """The losses of big and little on the labels during fine-tuning; ``None`` where there was none."""
    rows = _steps(log, "finetune")
    if not rows:  # trained one after the other: their two logs are put side by side
        big, little = ({row["epoch"]: row for row in _steps(log, f"finetune/{role}")} for role in ("big", "little"))
        both = sorted(big.keys() & little.keys())
        rows = [big[epoch] | {"big": big[epoch]["loss"], "little": little[epoch]["loss"]} for epoch in both]
    if not rows:
        return None
    return _losses("Loss of fine-tuning", rows, NETWORKS)


def _steps(log: list[dict[str, Any]], stage: str) -> list[dict[str, Any]]:
    """The training steps that a stage logged, by epoch; a resumed run repeats some."""
    steps = (row for row in log if row.get("stage") == stage and {"epoch", "loss"} <= row.keys())
    return [row for _, row in sorted({row["epoch"]: row for row in steps}.items())]


def _losses(title: str, rows: list[dict[str, Any]], curves: Sequence[Curve]) -> Figure:
    keys = [key for _, key, _ in curves]
    epochs = np.array([row["epoch"] for row in rows], dtype=float)
    shown = [rows[i] for i in thin(epochs, SHOWN) if all(np.isfinite(rows[i].get(key, np.nan)) for key in keys)]
    fields = [Field("epoch", "Epoch"), *(Field(key, f"Loss of the {text}" if key != "loss" else "Loss")
                                         for _, key, text in curves)]  # fmt: skip
    more = {"lr": ("Learning rate", "number"), "images_per_s": ("Images a second", "whole")}
    fields += [Field(key, *about) for key, about in more.items() if all(row.get(key) is not None for row in shown)]
    points = [{field.name: float(row[field.name]) for field in fields} for row in shown]
    ends = " and ".join(
        number(float(rows[-1][key])) + (f" for the {text.split(',')[0]}" if len(curves) > 1 else "")
        for _, key, text in curves
    )
    caption = f"Each point is one batch. After {_epochs(round(float(epochs[-1]), 2))} the loss of the batch is {ends}"
    if speeds := [row["images_per_s"] for row in rows if row.get("images_per_s")]:
        caption += f", at a median of {whole(float(np.median(speeds)))} images a second"
    return Figure(title, [plot(title, points, curves, fields)], f"{caption}.", table(points, fields))


def plot(title: str, rows: Sequence[Row], curves: Sequence[Curve], fields: Sequence[Field]) -> dict[str, Any]:
    """A line for each loss over the epochs.

    Args:
        title: what the losses are.
        rows: ``epoch`` and each loss by its key, by rising epochs.
        curves: colour, key and name of each loss.
        fields: what hovering shows.
    """
    lines = [{"series": text, "epoch": row["epoch"], "loss": row[key]} for _, key, text in curves for row in rows]
    along = x("epoch", "Epoch", nice=False)
    names = colours({text: colour for colour, _, text in curves})
    return chart(
        f"{title} over the epochs",
        {"lines": lines, "rows": rows},
        [
            of("lines").mark_line(strokeWidth=2, clip=True).encode(
                x=along, y=y("loss", "Loss (nats)"), color=names, opacity=FILTERED
            ),
            crosshair(of("rows"), along, fields),
        ],
        zoom="xy", filtered=True,
    )  # fmt: skip


def _epochs(number: float) -> str:
    return f"{tick(number)} epoch{'' if number == 1 else 's'}"
