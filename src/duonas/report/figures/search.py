"""What the search found: all trials, and the front they leave."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from duonas.report.figure import Figure, Key, figure
from duonas.report.figures.tradeoff import every
from duonas.report.scale import span
from duonas.report.svg import Frame, canvas, frame, join
from duonas.report.words import THIN, count, number, percent, size, tick_count, tick_percent, whole

SHADES = 6


def front(found: dict[str, Any], trials: dict[str, list[Any]] | None) -> Figure:
    """The front's points in val accuracy and expected MACs, shaded by peak MACs, the chosen one ringed."""
    points = found["points"]
    chosen = points[found["chosen"]]
    tried = _tried(trials)
    macs = [point["expected_macs"] for point in points]
    accuracy = [point["accuracy"] for point in points]
    x = span([*macs, *tried[0]], floor=0)
    lowest = min(accuracy)
    y = span([*accuracy, *tried[1][tried[1] >= lowest - 0.6 * (max(accuracy) - lowest)]], ceiling=1)
    peaks = np.array([point["peak_macs"] for point in points], dtype=float)

    def draw(width: int) -> Markup:
        plot = frame(width, 420 if width > 500 else 340, x, y)
        inside = np.array([plot.y.holds(value) for value in tried[1]], dtype=bool)
        grey = join(plot.dot(tried[0][i], tried[1][i], "static", tried[2][i], 3) for i in every(inside, 600))
        return canvas(
            plot.width, plot.height, "Search front: val accuracy against expected MACs",
            plot.axes("Expected MACs per image", "Val accuracy (%)", tick_count, tick_percent),
            grey, _front_marks(plot, points, peaks, found["chosen"]),
        )  # fmt: skip

    caption = (
        f"Out of {whole(found['scored_pairs'])} pairs built from {whole(found['evaluated_archs'])} subnets the "
        "front keeps "
        f"{len(points)} points; the chosen one reaches {percent(chosen['accuracy'])} on val at "
        f"{count(chosen['expected_macs'])} expected and {count(chosen['peak_macs'])} peak MACs."
    )
    if measured := _measured(chosen):
        known = f"{whole(found['device']['known_archs'])} of {whole(found['device']['archs'])}"
        caption += f" By the device table, which knows {known} archs, that is {', '.join(measured)}."
    keys = [
        Key("ring", "routed", "chosen"),
        Key("ramp", "seq", f"peak MACs {count(peaks.min())} to {count(peaks.max())}"),
    ]
    if len(tried[0]):
        keys.insert(1, Key("dot", "static", f"trials ({len(tried[0])})"))
    return figure("The front", draw, caption, tuple(keys))


def _front_marks(plot: Frame, points: list[dict[str, Any]], peaks: np.ndarray, chosen: int) -> Markup:
    reach = float(peaks.max() - peaks.min()) or 1.0
    parts = []
    for index in sorted(range(len(points)), key=lambda i: i == chosen):  # the chosen one is drawn last, on top
        point = points[index]
        shade = min(int((peaks[index] - peaks.min()) / reach * SHADES), SHADES - 1)
        ring = " ring" if index == chosen else ""
        radius = 8.0 if index == chosen else 4.5
        parts.append(
            plot.dot(
                point["expected_macs"], point["accuracy"], f"seq{shade}{ring}", _point_tip(point, bool(ring)), radius
            )
        )
    return join(parts)


def _point_tip(point: dict[str, Any], chosen: bool) -> str:
    memory = point.get("peak_memory_bytes")
    lines = [
        "chosen pair" if chosen else "pair on the front",
        f"val accuracy {percent(point['accuracy'])}",
        f"{count(point['expected_macs'], 'MACs')} expected",
        f"{count(point['peak_macs'], 'MACs')} peak",
        f"little share {percent(point['little_share'])} at τ = {number(float(point['tau']))}",
        f"{count(point['params'], 'params')}",
    ]
    return "\n".join(lines + ([f"{size(memory)} peak memory"] if memory else []) + _measured(point))


def _measured(point: dict[str, Any]) -> list[str]:
    """What a pair takes by the device table that it was searched with, where there was one."""
    return [
        f"{number(point[name])}{THIN}{unit} {when} {what}"
        for what, unit in (("latency", "ms"), ("energy", "mJ"))
        for when in ("expected", "peak")
        if (name := f"{when}_{what}_{unit.lower()}") in point
    ]


def _tried(trials: dict[str, list[Any]] | None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Expected MACs, accuracy and hover text of the trials that have a feasible point."""
    if not trials:
        return np.empty(0), np.empty(0), []
    rows = [dict(zip(trials, row, strict=True)) for row in zip(*trials.values(), strict=True)]
    rows = [
        row
        for row in rows
        if row["accuracy"] is not None and np.isfinite(row["accuracy"]) and np.isfinite(row["expected_macs"])
    ]
    tips = [
        f"trial {row['number']}\nlittle {row['little']}, big {row['big']}\nbest val accuracy "
        f"{percent(row['accuracy'])}\n"
        f"{count(row['expected_macs'], 'MACs')} expected"
        for row in rows
    ]
    return (
        np.array([row["expected_macs"] for row in rows], dtype=float),
        np.array([row["accuracy"] for row in rows], dtype=float),
        tips,
    )
