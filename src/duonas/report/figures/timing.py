"""What it costs in time: latency on this machine, and the training behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from duonas.report.figure import Figure, Key, figure
from duonas.report.figures.tradeoff import thin
from duonas.report.scale import Scale, span
from duonas.report.svg import canvas, frame, join, label, path, tag
from duonas.report.words import NOTHING, milliseconds, number, tick, whole

ROLES = ("little", "routed", "big")
ROW = 44


def latency(measured: dict[str, Any]) -> Figure:
    """A row a network: a bar to the median, a line on to p99 with a tick at p95."""
    times = {role: measured[role]["latency_ms"] for role in ROLES}

    def draw(width: int) -> Markup:
        bottom = 12 + ROW * len(ROLES)
        axis = Scale((0.0, max(row["p99"] for row in times.values()) * 1.04), (66, width - 16))
        parts = [label((66 + width - 16) / 2, bottom + 42, "Latency of one image (ms)", "title", "middle")]
        for value in axis.ticks(max(4, width // 90)):
            parts.append(path([(axis(value), 8), (axis(value), bottom)], "grid"))
            parts.append(label(axis(value), bottom + 20, tick(value), "tick", "middle"))
        parts += [_row(role, times[role], 12 + ROW * index, axis) for index, role in enumerate(ROLES)]
        return canvas(width, bottom + 54, "Latency of one image", join(parts))

    slow = "those that also ask big" if measured["position"] == "after_little" else "big's"
    ratio = times["routed"]["p50"] / times["big"]["p50"]
    compared = f"{number(1 / ratio)} times as fast as big" if ratio < 1 else f"{number(ratio)} times as slow as big"
    caption = (
        f"Half of the single images are answered within {milliseconds(times['routed']['p50'])} by the "
        f"routed pair, {compared}; its slow answers are {slow}."
    )
    keys = [Key("box", role, f"{role}, p50") for role in ROLES]
    return figure("One image at a time", draw, caption, (*keys, Key("line", "span", "to p99, tick at p95")))


def _row(role: str, times: dict[str, float], top: float, axis: Scale) -> Markup:
    centre = top + ROW / 2
    p50, p95, p99 = (axis(times[name]) for name in ("p50", "p95", "p99"))
    tip = f"{role}\n" + "\n".join(f"{name} {milliseconds(times[name])}" for name in ("p50", "p95", "p99"))
    return tag(
        "g", tag("rect", x=0.0, y=top, width=axis.pixels[1], height=ROW, class_="hit"),
        label(56, centre + 4, role, "name", "end"),
        tag("rect", x=axis(0), y=centre - 9, width=p50 - axis(0), height=18, rx=3, class_=f"fill {role}"),
        path([(p50, centre), (p99, centre)], "span"), path([(p95, centre - 6), (p95, centre + 6)], "span"),
        path([(p99, centre - 6), (p99, centre + 6)], "span"), class_="row", tip=tip,
    )  # fmt: skip


def training(log: list[dict[str, Any]]) -> Figure | None:
    """Loss of the largest and the smallest arch over epochs; ``None`` where nothing was logged."""
    rows = _steps(log, "train")
    if not rows:
        return None
    lines = [(name, key) for name, key in (("big", "largest"), ("little", "smallest")) if key in rows[-1]] or [
        ("routed", "loss")
    ]
    texts = {"loss": "loss", "largest": "largest subnet", "smallest": "smallest subnet, taught by the largest"}
    return _losses("Loss", rows, lines, texts)


def finetuning(log: list[dict[str, Any]]) -> Figure | None:
    """Loss of big and little on the labels over the epochs of fine-tuning; ``None`` where there was none."""
    rows = _steps(log, "finetune")
    if not rows:  # trained apart: two logs side by side
        apart = {role: {row["epoch"]: row for row in _steps(log, f"finetune/{role}")} for role in ("big", "little")}
        both = sorted(apart["big"].keys() & apart["little"].keys())
        rows = [apart["big"][at] | {role: apart[role][at]["loss"] for role in apart} for at in both]
    if not rows:
        return None
    texts = {"big": "big network, on labels", "little": "little network, on labels"}
    return _losses("Loss of the pair's own training", rows, [("big", "big"), ("little", "little")], texts)


def _steps(log: list[dict[str, Any]], stage: str) -> list[dict[str, Any]]:
    """The training steps that a stage logged, by epoch; a resumed run repeats some."""
    steps = (row for row in log if row.get("stage") == stage and {"epoch", "loss"} <= row.keys())
    return [row for _, row in sorted({row["epoch"]: row for row in steps}.items())]


def _losses(title: str, rows: list[dict[str, Any]], lines: list[tuple[str, str]], texts: dict[str, str]) -> Figure:
    """A line for each (colour, key of the rows)."""
    epochs = np.array([row["epoch"] for row in rows], dtype=float)
    values = {key: np.array([row.get(key, np.nan) for row in rows], dtype=float) for _, key in lines}
    kept = thin(epochs, 500)
    kept = kept[np.all([np.isfinite(values[key][kept]) for _, key in lines], axis=0)]
    x, y = span(epochs, pad=0), span(np.concatenate([values[key] for _, key in lines]), floor=0)

    def draw(width: int) -> Markup:
        plot = frame(width, 340, x, y)
        hover = thin(epochs[kept], 120)
        marks = [[(values[key][kept[i]], name) for name, key in lines] for i in hover]
        return canvas(
            width, 340, f"{title} over epochs",
            plot.axes("Epoch", "Loss (nats)", tick, tick),
            join(plot.line(epochs[kept], values[key][kept], name) for name, key in lines),
            plot.strips([epochs[kept[i]] for i in hover], marks, [_tip(rows[kept[i]], lines) for i in hover]),
        )  # fmt: skip

    speed = [row["images_per_s"] for row in rows if row.get("images_per_s")]
    ends = " and ".join(f"{number(float(values[key][-1]))} for the {texts[key].split(',')[0]}" for _, key in lines)
    caption = f"After {tick(round(epochs[-1], 2))} epochs the loss is {ends}"
    caption += f", at a median of {whole(float(np.median(speed)))} images a second." if speed else "."
    return figure(title, draw, caption, tuple(Key("line", name, texts[key]) for name, key in lines))


def _tip(row: dict[str, Any], lines: list[tuple[str, str]]) -> str:
    parts = [
        f"epoch {number(row['epoch'])}, step {row.get('step', NOTHING)}",
        *(f"{key} {number(row[key])}" for key in dict.fromkeys(["loss", *(key for _, key in lines)]) if key in row),
    ]
    parts += [f"learning rate {number(row['lr'])}"] if "lr" in row else []
    parts += [f"{whole(row['images_per_s'])} images/s"] if row.get("images_per_s") else []
    return "\n".join(parts)
