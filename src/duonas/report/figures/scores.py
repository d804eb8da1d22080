"""What the router sees: its scores where little is right and where it is wrong (paper D, figure 3)."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from duonas.measure.accuracy import Outputs
from duonas.report.figure import Figure, Key, figure
from duonas.report.files import RunFiles
from duonas.report.svg import Frame, canvas, frame, join, label
from duonas.report.words import number, percent, tick, tick_count, whole

BINS = 40


def histogram(run: RunFiles, outputs: Outputs) -> Figure:
    """Two histograms over the score, one above the other, with tau through both."""
    finite = outputs.score[np.isfinite(outputs.score)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    clipped = np.clip(np.nan_to_num(outputs.score, nan=low), edges[0], edges[-1])
    groups = {
        "right": np.histogram(clipped[outputs.little_right], edges)[0],
        "wrong": np.histogram(clipped[~outputs.little_right], edges)[0],
    }

    def draw(width: int) -> Markup:
        upper = _panel(width, edges, groups["right"], top=36, bottom=254)
        lower = _panel(width, edges, groups["wrong"], top=216, bottom=54)
        return canvas(
            width, 430, "Histograms of the router's score where little is right and where it is wrong",
            upper.axes("", "Images where little is right", None, tick_count, y_ticks=4),
            lower.axes("Score (higher: keep little)", "Images where little is wrong", tick, tick_count, y_ticks=4),
            _bars(upper, edges, groups["right"], "right"), _bars(lower, edges, groups["wrong"], "wrong"),
            _threshold(upper, lower, run.tau),
        )  # fmt: skip

    kept_wrong = int((outputs.is_little & ~outputs.little_right).sum())
    sent_right = int((~outputs.is_little & outputs.little_right).sum())
    caption = (
        f"Left of τ = {number(run.tau)} big runs: {whole(sent_right)} images go there although little has them "
        "right, and "
        f"{whole(kept_wrong)} stay although little has them wrong"
    )
    auroc = run.measure["auroc"]  # unknown where little is always right or always wrong
    caption += (
        f"; a right answer scores above a wrong one {percent(auroc)} of the time (AUROC)." if auroc is not None else "."
    )
    keys = (
        Key("box", "right", "little is right"),
        Key("box", "wrong", "little is wrong"),
        Key("line", "routed", "threshold τ"),
    )
    return figure("Scores", draw, caption, keys)


def _panel(width: int, edges: np.ndarray, counts: np.ndarray, *, top: int, bottom: int) -> Frame:
    tallest = max(float(counts.max()), 1.0)
    return frame(width, 430, (float(edges[0]), float(edges[-1])), (0.0, tallest * 1.04), top=top, bottom=bottom)


def _bars(plot: Frame, edges: np.ndarray, counts: np.ndarray, name: str) -> Markup:
    total = max(int(counts.sum()), 1)
    tips = [
        f"score {number(edges[i])} to {number(edges[i + 1])}\nlittle {name}: {whole(n)} images\n"
        f"{percent(n / total)} of these"
        for i, n in enumerate(counts)
    ]
    return plot.bars(list(edges), list(counts), [f"fill {name}"] * BINS, tips)


def _threshold(upper: Frame, lower: Frame, tau: float) -> Markup:
    if not upper.x.holds(tau):
        return Markup()
    x, top = upper.x(tau), upper.y.pixels[1]
    words = []
    if x - upper.x.pixels[0] > 70:
        words.append(label(x - 8, top + 8, "← big", "note big", "end"))
    if upper.x.pixels[1] - x > 70:
        words.append(label(x + 8, top + 8, "little →", "note little"))
    return join([upper.upright(tau, "routed tau"), lower.upright(tau, "routed tau"), *words])
