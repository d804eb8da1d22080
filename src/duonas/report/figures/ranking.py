"""Many subnets of one supernet against networks trained from scratch (paper T, figures 6 and 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from duonas.report.figure import Figure, Key, figure
from duonas.report.figures.tradeoff import every
from duonas.report.scale import span
from duonas.report.svg import Frame, canvas, frame, join, path, tag
from duonas.report.words import correlation, count, percent, points, tick, tick_count, tick_percent, whole

BINS, PARTS, SHADES = 40, 20, 6
FENCE = 3.0  # interquartile ranges: cells that connect nothing answer by chance, and would squash all others
Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Ranked:
    """The archs of a ranking: names, accuracies in [0, 1], (N,) each, and the table's where there is one."""

    names: list[str]
    accuracy: np.ndarray
    table: np.ndarray | None
    params: np.ndarray
    macs: np.ndarray
    split: str

    @property
    def both(self) -> list[np.ndarray]:
        """The accuracies there are."""
        return [self.accuracy] if self.table is None else [self.accuracy, self.table]


def ranked(archs: Columns, found: dict[str, Any]) -> Ranked:
    """What ``archs.parquet`` and ``ranking.json`` hold."""
    names = [cell or arch for cell, arch in zip(archs["cell"], archs["arch"], strict=True)]
    table = np.array(archs["table"]) if "table" in archs and found["table"] else None
    params, macs = (np.array(archs[name], dtype=float) for name in ("params", "macs"))
    return Ranked(names, np.array(archs["accuracy"]), table, params, macs, found["split"])


def distribution(rows: Ranked) -> Figure:
    """How many archs reach what: bars from scratch, a line from the supernet; bars for the latter where it is alone."""
    low = min(float(_upper(values).min()) for values in rows.both)
    high = max(float(values.max()) for values in rows.both)
    edges = np.linspace(low, high if high > low else low + 0.01, BINS + 1)
    counts = [np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] for values in rows.both]
    below = any(float(values.min()) < low for values in rows.both)

    def draw(width: int) -> Markup:
        plot = frame(width, 360, (float(edges[0]), float(edges[-1])), (0.0, 1.05 * max(map(max, counts))))
        bars = plot.bars(list(edges), list(counts[-1]), [_bar(rows)] * BINS, _tips(edges, counts, below))
        return canvas(
            width, 360, "How many archs reach which accuracy",
            plot.axes("Accuracy (%)", "Archs", tick_percent, tick_count), bars,
            Markup("") if rows.table is None else _steps(plot, edges, counts[0]),
        )  # fmt: skip

    caption = f"From the supernet {whole(len(rows.names))} archs reach {_spread(rows.accuracy)}"
    caption += "." if rows.table is None else f"; trained from scratch the same ones reach {_spread(rows.table)}."
    caption += f" The first bin holds all below {percent(float(edges[1]))} too." if below else ""
    return figure("Accuracies", draw, caption, _sources(rows))


def _bar(rows: Ranked) -> str:
    return "fill routed" if rows.table is None else "fill static"


def _sources(rows: Ranked) -> tuple[Key, ...]:
    ours = f"straight from the supernet, {rows.split} split"
    if rows.table is None:
        return (Key("box", "routed", ours),)
    return Key("line", "routed", ours), Key("box", "static", "trained from scratch, by the table")


def _spread(accuracy: np.ndarray) -> str:
    return f"{percent(float(accuracy.mean()))} on average and {percent(float(accuracy.max()))} at best"


def _tips(edges: np.ndarray, counts: list[np.ndarray], below: bool) -> list[str]:
    names = ["from the supernet", "from scratch"]
    tips = []
    for at in range(BINS):
        start = "at most" if at == 0 and below else f"{percent(float(edges[at]))} to"
        rows = [f"{name} {whole(part[at])} archs" for name, part in zip(names, counts, strict=False)]
        tips.append("\n".join([f"{start} {percent(float(edges[at + 1]))}", *rows]))
    return tips


def _steps(plot: Frame, edges: np.ndarray, counts: np.ndarray) -> Markup:
    xs, ys = np.repeat(edges, 2), np.concatenate([[0], np.repeat(counts, 2), [0]])
    return plot.line(xs.tolist(), ys.tolist(), "routed")


def scatter(rows: Ranked, found: dict[str, Any]) -> Figure:
    """A dot an arch, shaded by its params: its accuracy from the supernet over that from scratch, or over its MACs."""
    xs = rows.macs if rows.table is None else rows.table
    top = int(rows.accuracy.argmax())  # has its place in the picture, wherever the table puts it
    x = span([*_upper(xs), xs[top]], floor=0, ceiling=np.inf if rows.table is None else 1)
    y = span(_upper(rows.accuracy), floor=0, ceiling=1)
    inside = (xs >= x[0]) & (xs <= x[1]) & (rows.accuracy >= y[0]) & (rows.accuracy <= y[1])
    shades = np.argsort(np.argsort(rows.params, kind="stable")) * SHADES // max(len(xs), 1)
    shown = every(inside, 600)
    titles = ("MACs", tick_count) if rows.table is None else ("From scratch (%)", tick_percent)

    def draw(width: int) -> Markup:
        plot = frame(width, 380, x, y)
        dots = (plot.dot(xs[i], rows.accuracy[i], f"seq{shades[i]} small", _tip(rows, i), 3.5) for i in shown)
        ring = plot.dot(xs[top], rows.accuracy[top], "ring routed", "top-ranked\n" + _tip(rows, top), 6.5)
        return canvas(
            width, 380, f"Accuracy from the supernet against {'MACs' if rows.table is None else 'that from scratch'}",
            plot.axes(titles[0], "From the supernet (%)", titles[1], tick_percent),
            Markup("") if rows.table is None else _equal(plot), join(dots), ring,
        )  # fmt: skip

    keys = [Key("ramp", "seq", f"params {count(rows.params.min())} to {count(rows.params.max())}")]
    keys += [Key("ring", "routed", "top-ranked")]
    if rows.table is not None:
        keys.append(Key("dash", "random", "as from scratch"))
    caption = _told(found)
    if left_out := len(xs) - int(inside.sum()):
        caption += f" {whole(left_out)} archs lie outside the picture."
    if len(shown) < inside.sum():
        caption += f" Of the others {whole(len(shown))} are drawn."
    return figure("Arch by arch", draw, caption, tuple(keys), half=rows.table is not None)


def _upper(values: np.ndarray) -> np.ndarray:
    """All but what lies far below the rest (Tukey's outer fence)."""
    first, third = np.percentile(values, (25, 75))
    return values[values >= first - FENCE * (third - first)]


def _told(found: dict[str, Any]) -> str:
    """What tells the order, in one sentence."""
    taus = {name: correlation(row["kendall"]) for name, row in found["agreement"].items()}
    over = f"over {whole(found['archs'])} archs"
    if "accuracy" in taus:
        return (
            f"Kendall's τ with the table is {taus['accuracy']} {over}; the number of params alone has "
            f"{taus['params']}, MACs alone {taus['macs']}."
        )
    return f"Kendall's τ of the accuracy with params is {taus['params']}, with MACs {taus['macs']}, {over}."


def _equal(plot: Frame) -> Markup:
    low, high = (pick(plot.x.domain[at], plot.y.domain[at]) for at, pick in enumerate((max, min)))
    return plot.line([low, high], [low, high], "random") if low < high else Markup("")


def _tip(rows: Ranked, place: int) -> str:
    lines = [rows.names[place], f"from the supernet {percent(rows.accuracy[place])}"]
    if rows.table is not None:
        lines.append(f"from scratch {percent(rows.table[place])}")
    return "\n".join([*lines, f"{count(rows.macs[place], 'MACs')}, {count(rows.params[place], 'params')}"])


def differences(rows: Ranked) -> Figure | None:
    """How far from its from-scratch accuracy an arch is, by its from-scratch rank; ``None`` without a table."""
    if rows.table is None:
        return None
    table = rows.table
    order = np.argsort(-table, kind="stable")
    parts = np.array_split(order, min(PARTS, len(order)))
    edges = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    means = np.array([float((rows.accuracy - table)[part].mean()) for part in parts])

    def draw(width: int) -> Markup:
        plot = frame(width, 380, (0.0, float(edges[-1])), span([0.0, *means], pad=0.08))
        bars = (_hanging(plot, edges, at, means[at], rows, parts[at]) for at in range(len(parts)))
        left, right = plot.x.pixels
        zero = path([(left, plot.y(0)), (right, plot.y(0))], "axis")
        return canvas(
            width, 380, "Difference to from-scratch accuracy by rank",
            plot.axes("Rank from scratch (best first)", "Supernet less from scratch (points)", tick_count, _in_points),
            join(bars), zero,
        )  # fmt: skip

    caption = (
        f"Taken from the supernet, the best {_part(parts)} from scratch {_change(means[0])} on average, and the worst "
        f"{_change(means[-1])}."
    )
    keys = Key("box", "little", "better from the supernet"), Key("box", "wrong", "worse")
    return figure("What sharing weights costs", draw, caption, keys, half=True)


def _part(parts: list[np.ndarray]) -> str:
    return "twentieth" if len(parts) == PARTS else "arch"


def _change(difference: float) -> str:
    return f"{'gains' if difference >= 0 else 'loses'} {points(difference)[1:]}"


def _in_points(difference: float) -> str:
    return tick(100 * difference)


def _hanging(plot: Frame, edges: np.ndarray, at: int, mean: float, rows: Ranked, part: np.ndarray) -> Markup:
    """A bar up or down from zero; its whole column reacts to the pointer."""
    assert rows.table is not None
    start, end = plot.x(float(edges[at])), plot.x(float(edges[at + 1]))
    bottom, top = plot.y.pixels
    upper, lower = sorted((plot.y(0), plot.y(mean)))
    tip = "\n".join([
        f"ranks {whole(edges[at] + 1)} to {whole(edges[at + 1])}", f"{points(mean)} on average",
        f"from the supernet {percent(float(rows.accuracy[part].mean()))}",
        f"from scratch {percent(float(rows.table[part].mean()))}",
    ])  # fmt: skip
    column = tag("rect", x=start, y=top, width=end - start, height=bottom - top, class_="hit")
    bar = tag("rect", x=start + 0.5, y=upper, width=max(end - start - 1, 0.5), height=max(lower - upper, 0.5),
              class_="fill little" if mean >= 0 else "fill wrong")  # fmt: skip
    return tag("g", column, bar, class_="bar", tip=tip)
