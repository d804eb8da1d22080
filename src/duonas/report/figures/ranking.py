"""Many subnets of one supernet against networks trained from scratch (paper T, figures 6 and 7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from duonas.report.figure import Figure, Key, figure
from duonas.report.files import Row
from duonas.report.formatting import (
    coefficient,
    count,
    percent,
    plural,
    points,
    points_apart,
    tick_count,
    tick_percent,
    whole,
)
from duonas.report.scale import SHADES, pick, span
from duonas.report.svg import Frame, canvas, frame

BINS, PARTS = 40, 20
FENCE = 3.0  # interquartile ranges: cells that connect nothing answer by chance, and would squash all others


@dataclass(frozen=True)
class Ranked:
    """The archs of a ranking, (N,) each; accuracies are in [0, 1].

    Args:
        names: cells where the archs have one.
        accuracy: with the weights of the supernet.
        table: trained from scratch, by the benchmark's table; ``None`` without a table.
        params: of each arch.
        macs: of each arch.
        split: that the accuracies were measured on.
    """

    names: list[str]
    accuracy: np.ndarray
    table: np.ndarray | None
    params: np.ndarray
    macs: np.ndarray
    split: str


def ranked(archs: list[Row], found: dict[str, Any]) -> Ranked:
    """The content of ``archs.parquet`` and ``ranking.json``."""
    accuracy, params, macs = (np.array([row[name] for row in archs], float) for name in ("accuracy", "params", "macs"))
    table = np.array([row["table"] for row in archs]) if found["table"] and "table" in archs[0] else None
    return Ranked([row["cell"] or row["arch"] for row in archs], accuracy, table, params, macs, found["split"])


def distribution(rows: Ranked) -> Figure:
    """How many archs reach which accuracy: bars from scratch and a line from the supernet, or bars for that alone."""
    samples = {"from the supernet": rows.accuracy} | ({} if rows.table is None else {"from scratch": rows.table})
    low = min(float(_upper(values).min()) for values in samples.values())
    high = max(float(values.max()) for values in samples.values())
    edges = np.linspace(low, high if high > low else low + 0.01, BINS + 1)
    counts = {name: np.histogram(np.clip(each, edges[0], edges[-1]), edges)[0] for name, each in samples.items()}
    below = any(float(values.min()) < low for values in samples.values())
    tallest = max(map(max, counts.values()))
    ours, *theirs = counts.values()

    def draw(width: int) -> Markup:
        plot = frame(width, 360, (float(edges[0]), float(edges[-1])), (0.0, 1.05 * tallest))
        colour = "fill static" if theirs else "fill routed"
        bars = plot.bars(list(edges), list((theirs or [ours])[0]), [colour] * BINS, _tips(edges, counts, below))
        return canvas(
            width, 360, "How many archs reach which accuracy",
            plot.axes("Accuracy (%)", "Archs", tick_percent, tick_count), bars,
            [_steps(plot, edges, ours)] if theirs else (),
        )  # fmt: skip

    reach = "reaches" if len(rows.names) == 1 else "reach"
    caption = f"From the supernet {plural(len(rows.names), 'arch')} {reach} {_mean_and_best(rows.accuracy)}"
    caption += (
        "." if rows.table is None else f"; trained from scratch the same ones reach {_mean_and_best(rows.table)}."
    )
    caption += f" The first bin also holds all archs below {percent(float(edges[1]))}." if below else ""
    keys = [Key("line" if theirs else "box", "routed", f"weights of the supernet, {rows.split} split")]
    if theirs:
        keys.append(Key("box", "static", "trained from scratch (table)"))
    return figure("Accuracies", draw, caption, keys)


def _mean_and_best(accuracy: np.ndarray) -> str:
    return f"{percent(float(accuracy.mean()))} on average and {percent(float(accuracy.max()))} at best"


def _tips(edges: np.ndarray, counts: dict[str, np.ndarray], below: bool) -> list[str]:
    tips = []
    for at in range(BINS):
        start = "at most" if at == 0 and below else f"{percent(float(edges[at]))} to"
        rows = [f"{name} {plural(int(part[at]), 'arch')}" for name, part in counts.items()]
        tips.append("\n".join([f"{start} {percent(float(edges[at + 1]))}", *rows]))
    return tips


def _steps(plot: Frame, edges: np.ndarray, counts: np.ndarray) -> Markup:
    """The outline of a histogram."""
    xs, ys = np.repeat(edges, 2), np.concatenate([[0], np.repeat(counts, 2), [0]])
    return plot.line(xs.tolist(), ys.tolist(), "routed")


def scatter(rows: Ranked, found: dict[str, Any]) -> Figure:
    """A dot for each arch, shaded by its params: accuracy from the supernet over that from scratch, or over MACs."""
    xs = rows.macs if rows.table is None else rows.table
    top = int(rows.accuracy.argmax())  # the picture always includes it, however low the table ranks it
    x = span([*_upper(xs), xs[top]], floor=0, ceiling=np.inf if rows.table is None else 1)
    y = span(_upper(rows.accuracy), floor=0, ceiling=1)
    inside = (xs >= x[0]) & (xs <= x[1]) & (rows.accuracy >= y[0]) & (rows.accuracy <= y[1])
    shades = np.argsort(np.argsort(rows.params, kind="stable")) * SHADES // max(len(xs), 1)
    shown = pick(inside, 600)
    against, title, format = (
        ("MACs", "MACs", tick_count) if rows.table is None else ("that from scratch", "From scratch (%)", tick_percent)
    )

    def draw(width: int) -> Markup:
        plot = frame(width, 380, x, y)
        return canvas(
            width, 380, f"Accuracy from the supernet against {against}",
            plot.axes(title, "From the supernet (%)", format, tick_percent),
            () if rows.table is None else _equal(plot),
            (plot.dot(xs[i], rows.accuracy[i], f"seq{shades[i]} small", _tip(rows, i), 3.5) for i in shown),
            plot.dot(xs[top], rows.accuracy[top], "ring routed", "top-ranked\n" + _tip(rows, top), 6.5),
        )  # fmt: skip

    keys = [
        Key("ramp", "seq", f"params {count(rows.params.min())} to {count(rows.params.max())}"),
        Key("ring", "routed", "top-ranked"),
        *(() if rows.table is None else [Key("dash", "random", "equal accuracies")]),
    ]
    caption = _correlations(found)
    if left_out := len(xs) - int(inside.sum()):
        caption += f" {plural(left_out, 'arch')} {'lies' if left_out == 1 else 'lie'} outside the picture."
    if len(shown) < inside.sum():
        caption += f" Of the others {whole(len(shown))} are drawn."
    return figure("Arch by arch", draw, caption, keys, half=rows.table is not None)


def _upper(values: np.ndarray) -> np.ndarray:
    """All but what lies far below the rest (Tukey's outer fence)."""
    first, third = np.percentile(values, (25, 75))
    return values[values >= first - FENCE * (third - first)]


NAMES = {"params": "number of params", "macs": "MACs", "layers": "number of layers"}


def _correlations(found: dict[str, Any]) -> str:
    taus = {name: coefficient(row["kendall"]) for name, row in found["agreement"].items()}
    over = f"over {plural(found['archs'], 'arch')}"
    others = ", ".join(f"{NAMES.get(name, name)} {tau}" for name, tau in taus.items() if name != "accuracy")
    if "accuracy" in taus:
        return f"Kendall's τ with the table is {taus['accuracy']} {over}; for trivial predictors: {others}."
    return f"Kendall's τ of the accuracy with trivial predictors {over}: {others}."


def _equal(plot: Frame) -> Iterable[Markup]:
    """The line on which both accuracies are equal, where it crosses the picture."""
    low, high = max(plot.x.domain[0], plot.y.domain[0]), min(plot.x.domain[1], plot.y.domain[1])
    if low < high:
        yield plot.line([low, high], [low, high], "random")


def _tip(rows: Ranked, place: int) -> str:
    lines = [rows.names[place], f"from the supernet {percent(rows.accuracy[place])}"]
    if rows.table is not None:
        lines.append(f"from scratch {percent(rows.table[place])}")
    return "\n".join([*lines, f"{count(rows.macs[place], 'MACs')}, {count(rows.params[place], 'params')}"])


def differences(rows: Ranked) -> Figure | None:
    """Accuracy from the supernet minus that from scratch, by rank from scratch; ``None`` without a table."""
    if rows.table is None:
        return None
    order = np.argsort(-rows.table, kind="stable")
    parts = np.array_split(order, min(PARTS, len(order)))
    edges = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    accuracies = [(float(rows.accuracy[part].mean()), float(rows.table[part].mean())) for part in parts]
    means = [float((rows.accuracy - rows.table)[part].mean()) for part in parts]
    colours = ["fill little" if mean >= 0 else "fill wrong" for mean in means]
    tips = [
        f"ranks {whole(edges[at] + 1)} to {whole(edges[at + 1])}\n{points(means[at])} on average\n"
        f"from the supernet {percent(ours)}\nfrom scratch {percent(theirs)}"
        for at, (ours, theirs) in enumerate(accuracies)
    ]

    def draw(width: int) -> Markup:
        plot = frame(width, 380, (0.0, float(edges[-1])), span([0.0, *means], pad=0.08))
        title = "Supernet minus from scratch (points)"
        return canvas(
            width, 380, "Difference to from-scratch accuracy by rank",
            plot.axes("Rank from scratch (best first)", title, tick_count, tick_percent),
            plot.bars(edges.tolist(), means, colours, tips), plot.level(0, "axis"),
        )  # fmt: skip

    best = "twentieth" if len(parts) == PARTS else "arch"
    caption = (
        f"With the weights of the supernet, the best {best} from scratch {_change(means[0])} on average, and the worst "
        f"{_change(means[-1])}."
    )
    keys = Key("box", "little", "better from the supernet"), Key("box", "wrong", "worse")
    return figure("What sharing weights costs", draw, caption, keys, half=True)


def _change(difference: float) -> str:
    return f"{'gains' if difference >= 0 else 'loses'} {points_apart(difference)}"
