"""Test accuracy against expected MACs: the routed curve and what to compare it with (paper D, figure 1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from duonas.core.cost import PairCost
from duonas.report.figure import Figure, Key, figure, is_wide
from duonas.report.files import RunFiles
from duonas.report.formatting import count, number, percent, plural, points, tick_count, tick_percent
from duonas.report.scale import pick, span, thin
from duonas.report.svg import Frame, canvas, frame
from duonas.routing.metrics import oracle_curve
from duonas.routing.threshold import Curve, sweep

REACH = 3  # times the pair's peak: a dearer baseline is only named, since drawing it would squash the curve


@dataclass(frozen=True)
class Line:
    """A line of the figure: expected MACs, accuracy, little share and tau, each (T,)."""

    macs: np.ndarray
    accuracy: np.ndarray
    share: np.ndarray
    tau: np.ndarray

    def hover(self, plot: Frame, x: np.ndarray, y: np.ndarray, title: str, most: int) -> Iterable[Markup]:
        """At most about ``most`` strips over a plot of ``y`` against rising ``x`` that show this line's values."""
        chosen = thin(x, most)
        tips = [threshold_tip(title, self.tau[i], self.accuracy[i], self.macs[i], self.share[i]) for i in chosen]
        return plot.strips([x[i] for i in chosen], [[(y[i], "routed")] for i in chosen], tips)


def line_of(curve: Curve, cost: PairCost, index: np.ndarray) -> Line:
    """Some of the thresholds of a trade-off curve."""
    share = curve.little_share[index]
    return Line(np.asarray(cost.expected(share), dtype=float), curve.accuracy[index], share, curve.tau[index])


def as_line(curve: Curve, cost: PairCost, rows: int = 400) -> Line:
    """A trade-off curve by rising MACs, thinned to what a screen can show."""
    return line_of(curve, cost, curve.thinned(rows)[::-1])


def threshold_tip(title: str, tau: float, accuracy: float, macs: float, share: float) -> str:
    """What hovering shows of a threshold."""
    return (
        f"{title}τ = {number(tau)}\naccuracy {percent(accuracy)}\n{count(macs, 'MACs')} expected\n"
        f"little share {percent(share)}"
    )


@dataclass(frozen=True)
class Static:
    """A network without routing: a subnet with its val accuracy, or a baseline with its test accuracy."""

    name: str
    macs: float
    accuracy: float
    tip: str


def tradeoff(run: RunFiles) -> Figure:
    """The most important figure of the report."""
    outputs, cost = run.outputs, run.cost
    routed = as_line(sweep(outputs.score, outputs.little_right, outputs.big_right), cost)
    oracle = as_line(oracle_curve(outputs.little_right, outputs.big_right), cost)
    ends = [float(outputs.little_right.mean()), float(outputs.big_right.mean())]
    subnets, baselines = _subnets(run), _baselines(run)
    near = [one for one in baselines if one.macs <= REACH * cost.peak]
    low, high = min(ends), float(oracle.accuracy.max())
    x = span([cost.least, cost.peak, run.measure["big"]["macs"], *(one.macs for one in near)], pad=0.08, floor=0)
    y = span([low - 0.35 * (high - low), high, *(one.accuracy for one in near)], pad=0.12, floor=0, ceiling=1)
    inside = np.array([x[0] <= one.macs <= x[1] and y[0] <= one.accuracy <= y[1] for one in subnets], dtype=bool)
    shown = [subnets[i] for i in pick(inside, 400)]

    def draw(width: int) -> Markup:
        plot = frame(width, 460 if is_wide(width) else 360, x, y)
        return canvas(
            plot.width, plot.height, "Test accuracy against expected MACs",
            plot.axes("Expected MACs per image", "Accuracy (%)", tick_count, tick_percent),
            plot.line([cost.expected(1), cost.expected(0)], ends, "random"),
            plot.line(oracle.macs, oracle.accuracy, "oracle"),
            plot.line(routed.macs, routed.accuracy, "routed"),
            routed.hover(plot, routed.macs, routed.accuracy, "routed at ", 140),
            (plot.dot(one.macs, one.accuracy, "static", one.tip, 3.5) for one in shown),
            _named_dots(plot, near), _marks(plot, run),
        )  # fmt: skip

    caption = _caption(run)
    if subnets:
        caption += " Grey dots are static subnets of the search with their accuracy on val; all else is on test."
    if left_out := int((~inside).sum()):
        caption += f" {left_out} of {len(subnets)} static subnets lie outside the picture."
    for one in baselines:
        if one not in near:
            caption += f" Beyond the picture: {one.name} with {percent(one.accuracy)} for {count(one.macs, 'MACs')}."
    keys = [
        Key("line", "routed", "routed, every threshold"), Key("ring", "routed", "chosen threshold"),
        Key("dot", "little", "little alone"), Key("dot", "big", "big alone"),
        Key("dash", "oracle", "oracle"), Key("dash", "random", "random"),
        *([Key("dot", "static", "static subnets, on val")] if subnets else ()),
        *([Key("dot", "baseline", "static baselines")] if near else ()),
    ]  # fmt: skip
    return figure("Accuracy against work", draw, caption, keys)


def _caption(run: RunFiles) -> str:
    routed, random, oracle = (run.measure[name] for name in ("routed", "random", "oracle"))
    return (
        f"At the chosen threshold the pair reaches {percent(routed['accuracy'])} for "
        f"{count(routed['expected_macs'])} MACs an image, {points(routed['accuracy'] - random['accuracy'])} against "
        f"routing at random with the same little share and {points(routed['accuracy'] - oracle['accuracy'])} against "
        "an oracle."
    )


def _subnets(run: RunFiles) -> list[Static]:
    rows = run["archs.parquet"] or ()
    return [
        Static(row["arch"], row["macs"], row["accuracy"],
               f"static subnet {row['arch']}\nval accuracy {percent(row['accuracy'])}\n{_sizes(row)}")
        for row in rows
        if row["accuracy"] is not None  # as where the supernet was not trained
    ]  # fmt: skip


def _baselines(run: RunFiles) -> list[Static]:
    rows = (run["baselines.json"] or {}).get("networks", ())
    return [
        Static(row["name"], row["macs"], row["accuracy"],
               f"{row['name']}, static\naccuracy {percent(row['accuracy'])}\n{_sizes(row)}\n"
               f"{plural(row['epochs'], 'epoch')}")
        for row in rows
    ]  # fmt: skip


def _sizes(row: dict[str, float]) -> str:
    return f"{count(row['macs'], 'MACs')}\n{count(row['params'], 'params')}"


def _named_dots(plot: Frame, baselines: list[Static]) -> Iterable[Markup]:
    """Dots with their names, which are written towards the middle of the plot."""
    for one in baselines:
        to_the_right = one.macs <= sum(plot.x.domain) / 2
        shift, anchor = ((10, -8), "start") if to_the_right else ((-10, -8), "end")
        yield plot.dot(one.macs, one.accuracy, "baseline", one.tip, 5.5)
        yield plot.note((one.macs, one.accuracy), one.name, "baseline", shift, anchor)


def _marks(plot: Frame, run: RunFiles) -> Iterable[Markup]:
    """Dots with labels for little alone, big alone and the chosen threshold."""
    little, big, routed = (run.measure[role] for role in ("little", "big", "routed"))
    for name, row, shift, anchor in (("little", little, (9, 16), "start"), ("big", big, (0, 22), "middle")):
        at = row["macs"], row["accuracy"]
        yield plot.dot(*at, name, f"{name} alone\naccuracy {percent(row['accuracy'])}\n{_sizes(row)}", 6.5)
        yield plot.note(at, name, name, shift, anchor)
    at = routed["expected_macs"], routed["accuracy"]
    tip = threshold_tip("chosen threshold ", run.tau, at[1], at[0], routed["little_share"])
    yield plot.dot(*at, "ring routed", tip, 7.5)
    # Below the curve there is room, unless the label of big stands there.
    crowded = abs(plot.x(big["macs"]) - plot.x(at[0])) < 90
    shift, anchor = ((-12, 24), "end") if crowded else ((8, 24), "start")
    yield plot.note(at, "routed", "routed", shift, anchor)
