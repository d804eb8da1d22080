"""Test accuracy against expected MACs: the routed curve and what it is to be compared with (paper D, figure 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from duonas.core.cost import PairCost
from duonas.measure.accuracy import Outputs
from duonas.report.figure import Figure, Key, figure
from duonas.report.files import RunFiles
from duonas.report.scale import span
from duonas.report.svg import Frame, canvas, frame, join
from duonas.report.words import count, number, percent, points, tick_count, tick_percent
from duonas.routing.metrics import oracle_curve
from duonas.routing.threshold import Curve, sweep


def thin(values: np.ndarray, most: int) -> np.ndarray:
    """At most ``most`` indices into rising ``values``, about evenly spaced in value, both ends included."""
    if not len(values):
        return np.empty(0, dtype=int)
    wanted = np.searchsorted(values, np.linspace(values[0], values[-1], most))
    return np.unique(np.concatenate([[0], np.minimum(wanted, len(values) - 1), [len(values) - 1]]))


REACH = 3  # times the pair's peak: a baseline that costs more is named, not drawn, or it would squash the curve


@dataclass(frozen=True)
class Line:
    """A line of the figure: expected MACs, accuracy, little share and tau, each (T,)."""

    macs: np.ndarray
    accuracy: np.ndarray
    share: np.ndarray
    tau: np.ndarray


def as_line(curve: Curve, cost: PairCost, rows: int = 400) -> Line:
    """A trade-off curve by rising MACs, thinned to what a screen can show."""
    index = curve.thinned(rows)[::-1]
    share = curve.little_share[index]
    return Line(np.asarray(cost.expected(share), dtype=float), curve.accuracy[index], share, curve.tau[index])


def tradeoff(run: RunFiles, outputs: Outputs, cost: PairCost) -> Figure:
    """The most important figure of the report."""
    routed = as_line(sweep(outputs.score, outputs.little_right, outputs.big_right), cost)
    oracle = as_line(oracle_curve(outputs.little_right, outputs.big_right), cost)
    ends = [float(outputs.little_right.mean()), float(outputs.big_right.mean())]
    statics = _statics(run)
    near, far = _baselines(run, REACH * cost.peak)
    low, high = min(ends), float(oracle.accuracy.max())
    x = span([cost.least, cost.peak, run.measure["big"]["macs"], *(one.macs for one in near)], pad=0.08, floor=0)
    y = span([low - 0.35 * (high - low), high, *(one.accuracy for one in near)], pad=0.12, floor=0, ceiling=1)
    inside = np.array([x[0] <= row.macs <= x[1] and y[0] <= row.accuracy <= y[1] for row in statics], dtype=bool)

    shown = [statics[i] for i in every(inside, 400)]

    def draw(width: int) -> Markup:
        plot = frame(width, 460 if width > 500 else 360, x, y)
        return canvas(
            plot.width, plot.height, "Test accuracy against expected MACs",
            plot.axes("Expected MACs per image", "Accuracy (%)", tick_count, tick_percent),
            plot.line([cost.expected(1), cost.expected(0)], ends, "random"),
            plot.line(oracle.macs, oracle.accuracy, "oracle"),
            plot.line(routed.macs, routed.accuracy, "routed"), _hover(plot, routed),
            join(plot.dot(one.macs, one.accuracy, "static", one.tip, 3.5) for one in shown),
            join(_named(plot, one) for one in near), _marks(plot, run),
        )  # fmt: skip

    left_out = int((~inside).sum())
    measured = run.measure["routed"]
    caption = (
        f"At the chosen threshold the pair reaches {percent(measured['accuracy'])} for "
        f"{count(measured['expected_macs'])} MACs an image, "
        f"{points(measured['accuracy'] - run.measure['random']['accuracy'])} against routing at random with the "
        "same little share "
        f"and {points(measured['accuracy'] - run.measure['oracle']['accuracy'])} against an oracle."
    )
    if left_out:
        caption += f" {left_out} of {len(statics)} static subnets lie outside the picture."
    for one in far:
        caption += f" Beyond the picture: {one.name} with {percent(one.accuracy)} for {count(one.macs, 'MACs')}."
    keys = [
        Key("line", "routed", "routed, every threshold"), Key("ring", "routed", "chosen threshold"),
        Key("dot", "little", "little alone"),
        Key("dot", "big", "big alone"), Key("dash", "oracle", "oracle"), Key("dash", "random", "random"),
    ]  # fmt: skip
    if statics:
        keys.append(Key("dot", "static", "static subnets (val accuracy)"))
    if near:
        keys.append(Key("dot", "baseline", "static baselines"))
    return figure("Accuracy against work", draw, caption, tuple(keys))


def every(mask: np.ndarray, most: int) -> list[int]:
    """At most ``most`` of the indices where ``mask`` holds, evenly picked."""
    held = np.flatnonzero(mask)
    return [int(i) for i in held[:: max(1, -(-len(held) // most))]]


@dataclass(frozen=True)
class Static:
    """A network on its own: a subnet with its val accuracy, or a baseline with its test accuracy."""

    name: str
    macs: float
    accuracy: float
    tip: str


def _baselines(run: RunFiles, most: float) -> tuple[list[Static], list[Static]]:
    """The static networks that cost at most so many MACs, and the others."""
    found = (run["baselines.json"] or {}).get("networks", ())
    rows = [Static(row["name"], row["macs"], row["accuracy"], _baseline_tip(row)) for row in found]
    return [row for row in rows if row.macs <= most], [row for row in rows if row.macs > most]


def _baseline_tip(row: dict[str, Any]) -> str:
    size = f"{count(row['macs'], 'MACs')}\n{count(row['params'], 'params')}"
    return f"{row['name']}, static\naccuracy {percent(row['accuracy'])}\n{size}\n{row['epochs']} epochs"


def _named(plot: Frame, one: Static) -> Markup:
    """A dot with its name, written towards the middle of the plot."""
    low, high = plot.x.domain
    dx, anchor = (-10, "end") if one.macs > (low + high) / 2 else (10, "start")
    dot = plot.dot(one.macs, one.accuracy, "baseline", one.tip, 5.5)
    return join([dot, plot.note(one.macs, one.accuracy, one.name, "baseline", anchor, dx, -8)])


def _statics(run: RunFiles) -> list[Static]:
    table = run["archs.parquet"] or {"arch": [], "macs": [], "params": [], "accuracy": []}
    rows = zip(table["arch"], table["macs"], table["params"], table["accuracy"], strict=True)
    return [
        Static(
            arch,
            macs,
            accuracy,
            f"static subnet {arch}\nval accuracy {percent(accuracy)}\n{count(macs, 'MACs')}\n{count(params, 'params')}",
        )
        for arch, macs, params, accuracy in rows
    ]


def _hover(plot: Frame, line: Line) -> Markup:
    chosen = thin(line.macs, 140)
    tips = [
        f"routed at τ = {number(line.tau[i])}\naccuracy {percent(line.accuracy[i])}\n"
        f"{count(line.macs[i], 'MACs')} expected\nlittle share {percent(line.share[i])}"
        for i in chosen
    ]
    return plot.strips([line.macs[i] for i in chosen], [[(line.accuracy[i], "routed")] for i in chosen], tips)


def _marks(plot: Frame, run: RunFiles) -> Markup:
    measured = run.measure
    little, big, routed = measured["little"], measured["big"], measured["routed"]
    parts = []
    for name, entry, dx, dy, anchor in (("little", little, 9, 16, "start"), ("big", big, 0, 22, "middle")):
        size = f"{count(entry['macs'], 'MACs')}\n{count(entry['params'], 'params')}"
        tip = f"{name} alone\naccuracy {percent(entry['accuracy'])}\n{size}"
        parts.append(plot.dot(entry["macs"], entry["accuracy"], name, tip, 6.5))
        parts.append(plot.note(entry["macs"], entry["accuracy"], name, name, anchor, dx, dy))
    tip = (
        f"chosen threshold τ = {number(run.tau)}\naccuracy {percent(routed['accuracy'])}\n"
        f"{count(routed['expected_macs'], 'MACs')} expected\nlittle share {percent(routed['little_share'])}"
    )
    parts.append(plot.dot(routed["expected_macs"], routed["accuracy"], "ring routed", tip, 7.5))
    # Below the curve there is room, unless big's own label stands there.
    crowded = abs(plot.x(big["macs"]) - plot.x(routed["expected_macs"])) < 90
    dx, anchor = (-12, "end") if crowded else (8, "start")
    parts.append(plot.note(routed["expected_macs"], routed["accuracy"], "routed", "routed", anchor, dx, 24))
    return join(parts)
