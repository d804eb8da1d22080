"""How much hangs on the exact threshold (paper D, figure 5): robust or fragile."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from duonas.core.cost import PairCost
from duonas.measure.accuracy import Outputs
from duonas.measure.sensitivity import Slope, slope
from duonas.report.figure import Figure, Key, figure
from duonas.report.figures.tradeoff import thin
from duonas.report.files import RunFiles
from duonas.report.scale import span
from duonas.report.svg import Frame, canvas, frame
from duonas.report.words import count, number, percent, tick, tick_count, tick_percent
from duonas.routing.threshold import sweep


def sensitivity(run: RunFiles, outputs: Outputs, cost: PairCost) -> Figure:
    """Accuracy and expected MACs against tau, two panels over one axis."""
    curve = sweep(outputs.score, outputs.little_right, outputs.big_right)
    rising = np.flatnonzero(np.isfinite(curve.tau))[::-1]
    rising = rising[thin(curve.tau[rising], 500)]
    tau, share, accuracy = curve.tau[rising], curve.little_share[rising], curve.accuracy[rising]
    found = slope(outputs, run.tau, cost)
    macs = np.asarray(cost.expected(share), dtype=float)
    x = span(tau, pad=0)
    bounds = [float(outputs.little_right.mean()), float(outputs.big_right.mean())]

    def draw(width: int) -> Markup:
        upper = frame(width, 440, x, span([*accuracy, *bounds], pad=0.12, ceiling=1), top=36, bottom=258)
        lower = frame(width, 440, x, (0.0, cost.peak * 1.05), top=222, bottom=54)
        return canvas(
            width, 440, "Accuracy and expected MACs against the threshold",
            upper.axes("", "Test accuracy (%)", None, tick_percent, y_ticks=4),
            lower.axes("Threshold τ", "Expected MACs per image", tick, tick_count, y_ticks=4),
            _band(upper, run.tau, found),
            _band(lower, run.tau, found),
            upper.line(x, [bounds[0]] * 2, "little thin"), upper.line(x, [bounds[1]] * 2, "big thin"),
            upper.line(tau, accuracy, "routed"), lower.line(tau, macs, "routed"),
            _hover(upper, tau, accuracy, share, macs, accuracy), _hover(lower, tau, macs, share, macs, accuracy),
        )  # fmt: skip

    keys = (
        Key("line", "routed", "routed"), Key("line", "little thin", "little alone"),
        Key("line", "big thin", "big alone"),
        Key("box", "nudge", "τ and the nudge to either side"),
    )  # fmt: skip
    return figure("Threshold sensitivity", draw, _caption(found), keys)


def _caption(found: Slope | None) -> str:
    if found is None:
        return "The chosen threshold is infinite: one network answers everything, there is nothing to be sensitive to."
    return (
        f"The threshold is {found.verdict}: moving τ by {number(found.nudge, 2)} (a twentieth of the spread of "
        "the scores) changes "
        f"accuracy by at most {100 * found.accuracy:.1f} points and expected MACs by at most "
        f"{percent(found.macs)} of big's."
    )


def _band(plot: Frame, tau: float, found: Slope | None) -> Markup:
    if found is None or not plot.x.holds(tau):
        return Markup()
    bottom, top = plot.y.pixels
    start, end = plot.x(tau - found.nudge), plot.x(tau + found.nudge)
    rect = Markup('<rect x="{:.1f}" y="{}" width="{:.1f}" height="{}" class="fill nudge"></rect>')
    return rect.format(start, top, max(end - start, 1), bottom - top) + plot.upright(tau, "routed tau")


def _hover(
    plot: Frame, tau: np.ndarray, y: np.ndarray, share: np.ndarray, macs: np.ndarray, accuracy: np.ndarray
) -> Markup:
    chosen = thin(tau, 120)
    tips = [
        f"τ = {number(tau[i])}\naccuracy {percent(accuracy[i])}\n{count(macs[i], 'MACs')} expected\nlittle "
        f"share {percent(share[i])}"
        for i in chosen
    ]
    return plot.strips([tau[i] for i in chosen], [[(y[i], "routed")] for i in chosen], tips)
