"""The losses over the epochs of training the supernet and of fine-tuning the pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from duonas.report.figure import Figure, Key, figure
from duonas.report.files import Row
from duonas.report.formatting import NOTHING, number, tick, whole
from duonas.report.scale import span, thin
from duonas.report.svg import canvas, frame

Curve = tuple[str, str, str]  # colour, key of the log's rows, text
NETWORKS: list[Curve] = [(role, role, f"{role} network, on labels") for role in ("big", "little")]


def training(log: list[Row]) -> Figure | None:
    """The supernet's loss, or those of its largest and smallest subnet; ``None`` where nothing was logged."""
    rows = _steps(log, "train")
    if not rows:
        return None
    subnets = [
        ("big", "largest", "largest subnet"), ("little", "smallest", "smallest subnet, distilled from the largest"),
    ]  # fmt: skip
    known = next((each for each in (subnets, NETWORKS) if {key for _, key, _ in each} <= rows[-1].keys()), None)
    return _losses("Loss", rows, known or [("routed", "loss", "loss")])


def finetuning(log: list[Row]) -> Figure | None:
    """The losses of big and little on the labels during fine-tuning; ``None`` where there was none."""
    rows = _steps(log, "finetune")
    if not rows:  # trained one after the other: their two logs are put side by side
        big, little = ({row["epoch"]: row for row in _steps(log, f"finetune/{role}")} for role in ("big", "little"))
        both = sorted(big.keys() & little.keys())
        rows = [big[epoch] | {"big": big[epoch]["loss"], "little": little[epoch]["loss"]} for epoch in both]
    if not rows:
        return None
    return _losses("Loss of fine-tuning", rows, NETWORKS)


def _steps(log: list[Row], stage: str) -> list[Row]:
    """The training steps that a stage logged, by epoch; a resumed run repeats some."""
    steps = (row for row in log if row.get("stage") == stage and {"epoch", "loss"} <= row.keys())
    return [row for _, row in sorted({row["epoch"]: row for row in steps}.items())]


def _losses(title: str, rows: list[Row], curves: Sequence[Curve]) -> Figure:
    epochs = np.array([row["epoch"] for row in rows], dtype=float)
    values = {key: np.array([row.get(key, np.nan) for row in rows], dtype=float) for _, key, _ in curves}
    shown = thin(epochs, 500)
    shown = shown[np.all([np.isfinite(each[shown]) for each in values.values()], axis=0)]
    x, y = span(epochs, pad=0), span(np.concatenate(list(values.values())), floor=0)

    def draw(width: int) -> Markup:
        plot = frame(width, 340, x, y)
        hover = shown[thin(epochs[shown], 120)]
        marks = [[(values[key][i], colour) for colour, key, _ in curves] for i in hover]
        return canvas(
            width, 340, f"{title} over epochs",
            plot.axes("Epoch", "Loss (nats)", tick, tick),
            (plot.line(epochs[shown], values[key][shown], colour) for colour, key, _ in curves),
            plot.strips(epochs[hover], marks, [_tip(rows[i], list(values)) for i in hover]),
        )  # fmt: skip

    ends = " and ".join(
        number(float(values[key][-1])) + (f" for the {text.split(',')[0]}" if len(curves) > 1 else "")
        for _, key, text in curves
    )
    caption = f"Each point is one batch. After {_epochs(round(float(epochs[-1]), 2))} the loss of the batch is {ends}"
    if speeds := [row["images_per_s"] for row in rows if row.get("images_per_s")]:
        caption += f", at a median of {whole(float(np.median(speeds)))} images a second"
    return figure(title, draw, f"{caption}.", [Key("line", colour, text) for colour, _, text in curves])


def _epochs(number: float) -> str:
    return f"{tick(number)} epoch{'' if number == 1 else 's'}"


def _tip(row: Row, keys: list[str]) -> str:
    lines = [f"epoch {number(row['epoch'])}, step {row.get('step', NOTHING)}"]
    lines += [f"{key} {number(row[key])}" for key in dict.fromkeys(["loss", *keys]) if key in row]
    if "lr" in row:
        lines.append(f"learning rate {number(row['lr'])}")
    if row.get("images_per_s"):
        lines.append(f"{whole(row['images_per_s'])} images/s")
    return "\n".join(lines)
