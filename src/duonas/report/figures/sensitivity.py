"""How much accuracy and cost change with the threshold (paper D, figure 5): robust or fragile."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from duonas.measure.sensitivity import Slope, slope
from duonas.report.figure import Figure, Key, figure
from duonas.report.figures.tradeoff import line_of
from duonas.report.files import RunFiles
from duonas.report.formatting import number, percent, points_apart, tick, tick_count, tick_percent
from duonas.report.scale import span, thin
from duonas.report.svg import Frame, canvas, frame, rect
from duonas.routing.threshold import sweep


def sensitivity(run: RunFiles) -> Figure:
    """Accuracy and expected MACs against tau, in two panels over one axis."""
    outputs, cost = run.outputs, run.cost
    curve = sweep(outputs.score, outputs.little_right, outputs.big_right)
    rising = np.flatnonzero(np.isfinite(curve.tau))[::-1]
    line = line_of(curve, cost, rising[thin(curve.tau[rising], 500)])
    found = slope(outputs, run.tau, cost)
    x = span(line.tau, pad=0)
    little, big = float(outputs.little_right.mean()), float(outputs.big_right.mean())
    y = span([*line.accuracy, little, big], pad=0.12, ceiling=1)

    def draw(width: int) -> Markup:
        upper = frame(width, 440, x, y, top=36, bottom=258)
        lower = frame(width, 440, x, (0.0, cost.peak * 1.05), top=222, bottom=54)
        return canvas(
            width, 440, "Accuracy and expected MACs against the threshold",
            upper.axes("", "Test accuracy (%)", None, tick_percent, y_ticks=4),
            lower.axes("Threshold τ", "Expected MACs per image", tick, tick_count, y_ticks=4),
            _band(upper, run.tau, found), _band(lower, run.tau, found),
            upper.level(little, "little thin"), upper.level(big, "big thin"),
            upper.line(line.tau, line.accuracy, "routed"), lower.line(line.tau, line.macs, "routed"),
            line.hover(upper, line.tau, line.accuracy, "", 120), line.hover(lower, line.tau, line.macs, "", 120),
        )  # fmt: skip

    keys = (
        Key("line", "routed", "routed"), Key("line", "little thin", "little alone"),
        Key("line", "big thin", "big alone"), Key("box", "nudge", "τ, and how far it is moved"),
    )  # fmt: skip
    return figure("Threshold sensitivity", draw, _caption(found), keys)


def _caption(found: Slope | None) -> str:
    if found is None:
        return (
            "The chosen threshold is infinite: one network answers every image, so there is nothing to be sensitive to."
        )
    return (
        f"The threshold is {found.verdict}: moving τ by {number(found.nudge, 2)} (a twentieth of the spread of "
        f"the scores) {_change(found.accuracy)} and expected MACs by at most "
        f"{percent(found.macs)} of big's."
    )


def _change(accuracy: float) -> str:
    if accuracy == 0:
        return "leaves accuracy as it is"
    if accuracy < 0.0005:  # as it is rounded
        return "changes accuracy by less than 0.1 points"
    return f"changes accuracy by at most {points_apart(accuracy)}"


def _band(plot: Frame, tau: float, found: Slope | None) -> list[Markup]:
    """The threshold, and how far it is moved to either side."""
    if found is None or not plot.x.holds(tau):
        return []
    bottom, top = plot.y.pixels
    start, end = plot.x(tau - found.nudge), plot.x(tau + found.nudge)
    return [rect(start, top, max(end - start, 1), bottom - top, "fill nudge"), plot.upright(tau, "routed tau")]
