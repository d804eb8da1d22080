"""The router's scores where little is right and where it is wrong (paper D, figure 3)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from markupsafe import Markup

from duonas.report.figure import Figure, Key, figure
from duonas.report.files import RunFiles
from duonas.report.formatting import number, percent, plural, tick, tick_count, whole
from duonas.report.svg import Frame, canvas, frame, label

BINS = 40


def histogram(run: RunFiles) -> Figure:
    """Two histograms over the score, one above the other, with tau through both."""
    outputs = run.outputs
    finite = outputs.score[np.isfinite(outputs.score)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    clipped = np.clip(np.nan_to_num(outputs.score, nan=low), edges[0], edges[-1])
    right, wrong = (np.histogram(clipped[mask], edges)[0] for mask in (outputs.little_right, ~outputs.little_right))

    def draw(width: int) -> Markup:
        upper = _panel(width, edges, right, top=36, bottom=254)
        lower = _panel(width, edges, wrong, top=216, bottom=54)
        return canvas(
            width, 430, "Histograms of the router's score where little is right and where it is wrong",
            upper.axes("", "Images where little is right", None, tick_count, y_ticks=4),
            lower.axes("Score (high: little answers)", "Images where little is wrong", tick, tick_count, y_ticks=4),
            _bars(upper, edges, right, "right"), _bars(lower, edges, wrong, "wrong"),
            _threshold(upper, lower, run.tau),
        )  # fmt: skip

    little_wrong = int((outputs.is_little & ~outputs.little_right).sum())
    sent_right = int((~outputs.is_little & outputs.little_right).sum())
    auroc = run.measure["auroc"]  # undefined where little is always right or always wrong
    ranks = f"; a right answer scores above a wrong one {percent(auroc)} of the time (AUROC)"
    if auroc is not None and auroc < 0.5:
        ranks += ", which is worse than chance"
    sent = f"{plural(sent_right, 'image')} {'is' if sent_right == 1 else 'are'} sent to big although little is right"
    left = f"{whole(little_wrong)} {'is' if little_wrong == 1 else 'are'} left to little although it is wrong"
    caption = f"Below τ = {number(run.tau)} big runs: {sent}, and {left}{'' if auroc is None else ranks}."
    keys = (
        Key("box", "right", "little is right"), Key("box", "wrong", "little is wrong"),
        Key("line", "routed", "threshold τ"),
    )  # fmt: skip
    return figure("Scores", draw, caption, keys)


def _panel(width: int, edges: np.ndarray, counts: np.ndarray, *, top: int, bottom: int) -> Frame:
    tallest = max(float(counts.max()), 1.0)
    return frame(width, 430, (float(edges[0]), float(edges[-1])), (0.0, tallest * 1.04), top=top, bottom=bottom)


def _bars(plot: Frame, edges: np.ndarray, counts: np.ndarray, name: str) -> Iterable[Markup]:
    total = max(int(counts.sum()), 1)
    tips = [
        f"score {number(edges[i])} to {number(edges[i + 1])}\nlittle {name}: {plural(int(n), 'image')}\n"
        f"{percent(n / total)} of these"
        for i, n in enumerate(counts)
    ]
    return plot.bars(list(edges), list(counts), [f"fill {name}"] * BINS, tips)


def _threshold(upper: Frame, lower: Frame, tau: float) -> Iterable[Markup]:
    if not upper.x.holds(tau):
        return
    yield upper.upright(tau, "routed tau")
    yield lower.upright(tau, "routed tau")
    x, y = upper.x(tau), upper.y.pixels[1] + 8
    left, right = upper.x.pixels
    if x - left > 70:
        yield label(x - 8, y, "← big", "note big", "end")
    if right - x > 70:
        yield label(x + 8, y, "little →", "note little")
