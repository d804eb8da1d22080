"""What the search found: all trials, and the front of those that no other one beats."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from duonas.costs.calibration import error_in_words
from duonas.report.figure import Figure, Key, figure, is_wide
from duonas.report.files import Row
from duonas.report.formatting import THIN, count, number, percent, plural, size, tick, tick_count, tick_percent, whole
from duonas.report.scale import pick, shade, span
from duonas.report.svg import Frame, canvas, frame


def front(found: dict[str, Any], trials: list[Row] | None) -> Figure | None:
    """Val accuracy against the expected cost of all trials and of the front, which is shaded by the peak cost.

    The cost is what the search minimised: time, energy or MACs. ``None`` where the pair was chosen without accuracies.

    Args:
        found: the content of ``front.json``.
        trials: the rows of ``trials.parquet``; those without a feasible pair are left out.
    """
    points, chosen, cost = found["points"], found["points"][found["chosen"]], _cost(found)
    if chosen["accuracy"] is None:
        return None
    tried = [row for row in trials or () if _is_feasible(row, cost)]
    accuracies = [point["accuracy"] for point in points]
    best, worst = max(accuracies), min(accuracies)
    near = [row for row in tried if row["accuracy"] >= worst - 0.6 * (best - worst)]
    x = span([row[cost.expected] for row in (*points, *near)], floor=0)
    y = span([row["accuracy"] for row in (*points, *near)], ceiling=1)
    shown = [near[i] for i in pick(np.ones(len(near), dtype=bool), 600)]

    def draw(width: int) -> Markup:
        plot = frame(width, 420 if is_wide(width) else 340, x, y)
        return canvas(
            plot.width, plot.height, f"Search front: val accuracy against expected {cost.noun}",
            plot.axes(f"Expected {cost.noun} per image{cost.of}", "Val accuracy (%)", cost.tick, tick_percent),
            (plot.dot(row[cost.expected], row["accuracy"], "static", _trial_tip(row, cost), 3) for row in shown),
            _front_dots(plot, points, chosen, cost),
        )  # fmt: skip

    peaks = [point[cost.peak] for point in points]
    keys = [
        Key("ring", "routed", "chosen"),
        *([Key("dot", "static", f"trials ({len(tried)})")] if tried else ()),
        Key("ramp", "seq", f"peak {cost.noun} {cost.text(min(peaks))} to {cost.text(max(peaks))}"),
    ]
    return figure("The front", draw, _caption(found, chosen), keys)


def reached(found: dict[str, Any]) -> Figure | None:
    """The hypervolume of what was tried, over the evaluated pairs; ``None`` where that is not known or one point.

    Args:
        found: the content of ``front.json``.
    """
    steps = [(float(tried), float(volume)) for tried, volume in found.get("reached", ())]
    if len(steps) < 2:
        return None
    tried, volumes = (np.array(each) for each in zip(*steps, strict=True))
    x, y = span(tried, pad=0), span(volumes, floor=0, ceiling=1)

    def draw(width: int) -> Markup:
        plot = frame(width, 300, x, y)
        tips = [f"{whole(count)} pairs evaluated\nhypervolume {number(volume)}" for count, volume in steps]
        return canvas(
            width, 300, "Hypervolume over evaluations",
            plot.axes("Evaluated pairs", "Hypervolume", tick, tick),
            plot.line(tried, volumes, "routed"),
            (plot.dot(count, volume, "routed", tip, 3) for (count, volume), tip in zip(steps, tips, strict=True)),
        )  # fmt: skip

    caption = (
        f"After {whole(tried[-1])} evaluated pairs these alone reach a hypervolume of {number(float(volumes[-1]))}, "
        f"where 1 is a perfect pair without cost; the front has {number(float(found['hypervolume']))}, made of all "
        "pairs of their archs that no single network beats. Where it is level, more evaluations would hardly help."
    )
    return figure("Hypervolume over evaluations", draw, caption, [Key("line", "routed", "pairs evaluated so far")])


class _Cost(NamedTuple):
    """The cost that a search minimised: its noun, its unit on an axis and behind a figure, how figures are written."""

    expected: str
    peak: str
    noun: str
    of: str
    unit: str
    text: Callable[[float], str]
    tick: Callable[[float], str]


def _cost(found: dict[str, Any]) -> _Cost:
    """The first of time, energy and MACs whose expected and peak figures the points have and the search minimised."""
    for what, noun, unit in (("latency_ms", "time", "ms"), ("energy_mj", "energy", "mJ")):
        if f"expected_{what}" in found["objectives"]:

            def text(value: float, unit: str = unit) -> str:
                return f"{number(value)}{THIN}{unit}"

            return _Cost(f"expected_{what}", f"peak_{what}", noun, f" ({unit})", "", text, tick)
    return _Cost("expected_macs", "peak_macs", "MACs", "", " MACs", count, tick_count)


def _is_feasible(row: Row, cost: _Cost) -> bool:
    return row["accuracy"] is not None and bool(np.isfinite(row["accuracy"]) and np.isfinite(row[cost.expected]))


def _caption(found: dict[str, Any], chosen: Row) -> str:
    caption = (
        f"Out of {whole(found['scored_pairs'])} pairs built from {whole(found['evaluated_archs'])} subnets the "
        f"front holds {plural(len(found['points']), 'point')}; the chosen one reaches {percent(chosen['accuracy'])} on "
        f"val at {count(chosen['expected_macs'])} expected and {count(chosen['peak_macs'])} peak MACs."
    )
    if measured := _device_costs(chosen):
        device, figures = found["device"], ", ".join(measured)
        if "given" in device:  # networks, of which each was timed
            caption += f" By the times of the networks on this machine, that is {figures}."
            return caption + _beside(found)
        known = (
            f"{whole(device['blocks'])} blocks"
            if "blocks" in device
            else f"{whole(device['known_archs'])} of {whole(device['archs'])} archs"
        )
        caption += f" By the device table, which lists {known}, that is {figures}. {error_in_words(device)}"
    return caption.rstrip() + _beside(found)


def _beside(found: dict[str, Any]) -> str:
    """What the best single network at no more cost reaches."""
    plain, said = found.get("plain"), _alike(found)
    if plain is None:
        return said
    return (
        f"{said} The best single network that costs no more reaches {percent(plain['accuracy'])}"
        f"{': a single network beats every pair on val' if found.get('beaten') else ''}."
    )


def _alike(found: dict[str, Any]) -> str:
    """Which point is as accurate as the chosen one within chance, and costs clearly less."""
    if found.get("alike") is None:
        return ""
    cost = _cost(found)
    one, chosen = (found["points"][index][cost.expected] for index in (found["alike"], found["chosen"]))
    return (
        f" Within the chance of {whole(found['val_images'])} val images a pair at {percent(one / chosen, 0)} of its "
        f"{cost.noun} is as good."
    )


def _front_dots(plot: Frame, points: list[Row], chosen: Row, cost: _Cost) -> Iterable[Markup]:
    peaks = [point[cost.peak] for point in points]
    reach = float(max(peaks) - min(peaks)) or 1.0
    for point in sorted(points, key=lambda point: point is chosen):  # the chosen one is drawn last, on top
        colour = f"seq{shade((point[cost.peak] - min(peaks)) / reach)}"
        mark, radius, title = (" ring", 8.0, "chosen pair") if point is chosen else ("", 4.5, "pair on the front")
        yield plot.dot(point[cost.expected], point["accuracy"], colour + mark, _point_tip(title, point), radius)


def _point_tip(title: str, point: Row) -> str:
    memory = point.get("peak_memory_bytes")
    lines = [
        title, f"val accuracy {percent(point['accuracy'])}", f"{count(point['expected_macs'], 'MACs')} expected",
        f"{count(point['peak_macs'], 'MACs')} peak",
        f"little share {percent(point['little_share'])} at τ = {number(float(point['tau']))}",
        f"{count(point['params'], 'params')}", *([f"{size(memory)} peak memory"] if memory else ()),
    ]  # fmt: skip
    return "\n".join(lines + _device_costs(point))


def _trial_tip(row: Row, cost: _Cost) -> str:
    return (
        f"trial {row['number']}\nlittle {row['little']}, big {row['big']}\n"
        f"best val accuracy {percent(row['accuracy'])}\n{cost.text(row[cost.expected])}{cost.unit} expected"
    )


def _device_costs(point: Row) -> list[str]:
    """Latency and energy of a pair by the device table that it was searched with, if there was one."""
    return [
        f"{number(point[name])}{THIN}{unit} {when} {what}"
        for what, unit in (("latency", "ms"), ("energy", "mJ"))
        for when in ("expected", "peak")
        if (name := f"{when}_{what}_{unit.lower()}") in point
    ]
