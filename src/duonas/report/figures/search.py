"""What the search found: all trials, and the front of those that no other one beats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from markupsafe import Markup

from duonas.costs.calibration import error_in_words
from duonas.report.figure import Figure, Key, figure, is_wide
from duonas.report.files import Row
from duonas.report.formatting import THIN, count, number, percent, plural, size, tick_count, tick_percent, whole
from duonas.report.scale import pick, shade, span
from duonas.report.svg import Frame, canvas, frame


def front(found: dict[str, Any], trials: list[Row] | None) -> Figure:
    """Val accuracy against expected MACs of all trials and of the front, which is shaded by peak MACs.

    Args:
        found: the content of ``front.json``.
        trials: the rows of ``trials.parquet``; those without a feasible pair are left out.
    """
    points, chosen = found["points"], found["points"][found["chosen"]]
    tried = [row for row in trials or () if _is_feasible(row)]
    accuracies = [point["accuracy"] for point in points]
    best, worst = max(accuracies), min(accuracies)
    near = [row for row in tried if row["accuracy"] >= worst - 0.6 * (best - worst)]
    x = span([row["expected_macs"] for row in (*points, *near)], floor=0)
    y = span([row["accuracy"] for row in (*points, *near)], ceiling=1)
    shown = [near[i] for i in pick(np.ones(len(near), dtype=bool), 600)]

    def draw(width: int) -> Markup:
        plot = frame(width, 420 if is_wide(width) else 340, x, y)
        return canvas(
            plot.width, plot.height, "Search front: val accuracy against expected MACs",
            plot.axes("Expected MACs per image", "Val accuracy (%)", tick_count, tick_percent),
            (plot.dot(row["expected_macs"], row["accuracy"], "static", _trial_tip(row), 3) for row in shown),
            _front_dots(plot, points, chosen),
        )  # fmt: skip

    peaks = [point["peak_macs"] for point in points]
    keys = [
        Key("ring", "routed", "chosen"),
        *([Key("dot", "static", f"trials ({len(tried)})")] if tried else ()),
        Key("ramp", "seq", f"peak MACs {count(min(peaks))} to {count(max(peaks))}"),
    ]
    return figure("The front", draw, _caption(found, chosen), keys)


def _is_feasible(row: Row) -> bool:
    return row["accuracy"] is not None and bool(np.isfinite(row["accuracy"]) and np.isfinite(row["expected_macs"]))


def _caption(found: dict[str, Any], chosen: Row) -> str:
    caption = (
        f"Out of {whole(found['scored_pairs'])} pairs built from {whole(found['evaluated_archs'])} subnets the "
        f"front holds {plural(len(found['points']), 'point')}; the chosen one reaches {percent(chosen['accuracy'])} on "
        f"val at {count(chosen['expected_macs'])} expected and {count(chosen['peak_macs'])} peak MACs."
    )
    if measured := _device_costs(chosen):
        device = found["device"]
        known = (
            f"{whole(device['blocks'])} blocks"
            if "blocks" in device
            else f"{whole(device['known_archs'])} of {whole(device['archs'])} archs"
        )
        caption += f" By the device table, which lists {known}, that is {', '.join(measured)}. {error_in_words(device)}"
    return caption.rstrip()


def _front_dots(plot: Frame, points: list[Row], chosen: Row) -> Iterable[Markup]:
    peaks = [point["peak_macs"] for point in points]
    reach = float(max(peaks) - min(peaks)) or 1.0
    for point in sorted(points, key=lambda point: point is chosen):  # the chosen one is drawn last, on top
        colour = f"seq{shade((point['peak_macs'] - min(peaks)) / reach)}"
        mark, radius, title = (" ring", 8.0, "chosen pair") if point is chosen else ("", 4.5, "pair on the front")
        yield plot.dot(point["expected_macs"], point["accuracy"], colour + mark, _point_tip(title, point), radius)


def _point_tip(title: str, point: Row) -> str:
    memory = point.get("peak_memory_bytes")
    lines = [
        title, f"val accuracy {percent(point['accuracy'])}", f"{count(point['expected_macs'], 'MACs')} expected",
        f"{count(point['peak_macs'], 'MACs')} peak",
        f"little share {percent(point['little_share'])} at τ = {number(float(point['tau']))}",
        f"{count(point['params'], 'params')}", *([f"{size(memory)} peak memory"] if memory else ()),
    ]  # fmt: skip
    return "\n".join(lines + _device_costs(point))


def _trial_tip(row: Row) -> str:
    return (
        f"trial {row['number']}\nlittle {row['little']}, big {row['big']}\n"
        f"best val accuracy {percent(row['accuracy'])}\n{count(row['expected_macs'], 'MACs')} expected"
    )


def _device_costs(point: Row) -> list[str]:
    """Latency and energy of a pair by the device table that it was searched with, if there was one."""
    return [
        f"{number(point[name])}{THIN}{unit} {when} {what}"
        for what, unit in (("latency", "ms"), ("energy", "mJ"))
        for when in ("expected", "peak")
        if (name := f"{when}_{what}_{unit.lower()}") in point
    ]
