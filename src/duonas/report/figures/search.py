"""What the search found: all trials, and the front of those that no other one beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import numpy as np

from duonas.costs.calibration import error_in_words
from duonas.report.charts import COUNT, SHARE, chart, of, ramp, x, y
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import Figure
from duonas.report.formatting import THIN, count, number, percent, plural, whole
from duonas.report.ranges import pick, span
from duonas.report.theme import colour

POINT = [
    Field("accuracy", "Val accuracy", "share"), Field("expected_macs", "Expected MACs", "count"),
    Field("peak_macs", "Peak MACs", "count"), Field("little_share", "Little share", "share"),
    Field("tau", "τ", "text"), Field("params", "Params", "count"),
]  # fmt: skip
DEVICE = [  # what a point may have, too
    Field("peak_memory_bytes", "Peak memory (bytes)", "count"),
    *(Field(f"{when}_{what}", f"{when.capitalize()} {text}")
      for what, text in (("latency_ms", "latency (ms)"), ("energy_mj", "energy (mJ)"))
      for when in ("expected", "peak")),
]  # fmt: skip
TRIAL = [Field("number", "Trial", "whole"), Field("little", "Little", "text"), Field("big", "Big", "text")]


def front(found: dict[str, Any], trials: list[dict[str, Any]] | None) -> Figure | None:
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
    best, worst = (extreme(point["accuracy"] for point in points) for extreme in (max, min))
    near = [row for row in tried if row["accuracy"] >= worst - 0.6 * (best - worst)]
    shown = [near[i] for i in pick(np.ones(len(near), dtype=bool), 600)]
    fields = [*POINT, *(field for field in DEVICE if all(point.get(field.name) for point in points))]
    on_front = [
        {key.name: point[key.name] for key in fields} | {"tau": number(float(point["tau"]))}
        | {"series": "chosen pair" if point is chosen else "pairs on the front"}
        for point in points
    ]  # fmt: skip
    dots = [{key: row[key] for key in (*(each.name for each in TRIAL), "accuracy", cost.expected)}
            | {"series": "trials"} for row in shown]  # fmt: skip
    caption = _caption(found, chosen) + (f" Grey dots are the trials ({whole(len(tried))})." if tried else "")
    return Figure("The front", [plot(on_front, dots, fields, cost)], caption, table(on_front, fields))


def plot(points: Sequence[Row], trials: Sequence[Row], fields: Sequence[Field], cost: Cost) -> dict[str, Any]:
    """Draw the front over the trials.

    Args:
        points: of the front, with ``series``, ``accuracy`` and the cost.
        trials: the same of what was tried.
        fields: what hovering over a point shows.
        cost: what the search minimised.
    """
    both = [*points, *trials]
    place: dict[str, Any] = {
        "x": x(cost.expected, f"Expected {cost.noun} per image{cost.unit}", cost.format,
               domain=list(span([row[cost.expected] for row in both], floor=0))),
        "y": y("accuracy", "Val accuracy", SHARE, domain=list(span([row["accuracy"] for row in both], ceiling=1))),
    }  # fmt: skip
    peak: Any = alt.value(colour("routed"))
    if len({row[cost.peak] for row in points}) > 1:  # else there is nothing for shades to show
        peak = ramp(cost.peak, f"Peak {cost.noun}{cost.unit}", cost.format)
    chosen = "datum.series == 'chosen pair'"
    expected = Field(cost.expected, f"Expected {cost.noun}{cost.unit}", "count" if cost.format else "number")
    about = [*TRIAL, Field("accuracy", "Best val accuracy", "share"), expected]
    front_ = of("points")
    return chart(
        f"Search front: val accuracy against expected {cost.noun}",
        {"points": points, "trials": trials},
        [
            of("trials").mark_circle(size=28, color=colour("static"), opacity=0.75, clip=True)
            .encode(**place, tooltip=tooltips(about)),
            front_.mark_circle(size=75, opacity=1, stroke=colour("page"), strokeWidth=1, clip=True)
            .encode(**place, color=peak, tooltip=tooltips(fields)),
            front_.transform_filter(chosen).mark_point(size=260, strokeWidth=3, clip=True, color=colour("routed"))
            .encode(**place, tooltip=tooltips(fields)),
            front_.transform_filter(chosen).mark_text(dy=-16, fontSize=13, fontWeight=600, color=colour("routed"))
            .encode(**place, text=alt.TextValue("chosen")),
        ],
        400, zoom="xy",
    )  # fmt: skip


def reached(found: dict[str, Any]) -> Figure | None:
    """The hypervolume of what was tried, over the evaluated pairs; ``None`` where that is not known or one point.

    Args:
        found: the content of ``front.json``.
    """
    rows = [{"tried": float(tried), "volume": float(volume)} for tried, volume in found.get("reached", ())]
    if len(rows) < 2:
        return None
    fields = [Field("tried", "Evaluated pairs", "whole"), Field("volume", "Hypervolume")]
    caption = (
        f"After {whole(rows[-1]['tried'])} evaluated pairs these alone reach a hypervolume of "
        f"{number(rows[-1]['volume'])}, where 1 is a perfect pair without cost; the front has "
        f"{number(float(found['hypervolume']))}, made of all pairs of their archs that no single network beats. Where "
        "it is level, more evaluations would hardly help."
    )
    line = of("rows").mark_line(color=colour("routed"), point={"color": colour("routed"), "size": 40}).encode(
        x=x("tried", "Evaluated pairs", nice=False), y=y("volume", "Hypervolume"), tooltip=tooltips(fields)
    )  # fmt: skip
    spec = chart("Hypervolume over the evaluated pairs", {"rows": rows}, [line], 260)
    return Figure("Hypervolume over evaluations", [spec], caption, table(rows, fields))


class Cost(NamedTuple):
    """The cost that a search minimised: its keys, its noun, its unit behind the title of an axis, its format there."""

    expected: str
    peak: str
    noun: str
    unit: str
    format: str


def _cost(found: dict[str, Any]) -> Cost:
    """The first of time, energy and MACs whose expected and peak figures the points have and the search minimised."""
    for what, noun, unit in (("latency_ms", "time", "ms"), ("energy_mj", "energy", "mJ")):
        if f"expected_{what}" in found["objectives"]:
            return Cost(f"expected_{what}", f"peak_{what}", noun, f" ({unit})", "")
    return Cost("expected_macs", "peak_macs", "MACs", "", COUNT)


def _is_feasible(row: Row, cost: Cost) -> bool:
    return row["accuracy"] is not None and bool(np.isfinite(row["accuracy"]) and np.isfinite(row[cost.expected]))


def _caption(found: dict[str, Any], chosen: dict[str, Any]) -> str:
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


def _device_costs(point: dict[str, Any]) -> list[str]:
    """Latency and energy of a pair by the device table that it was searched with, if there was one."""
    return [
        f"{number(point[name])}{THIN}{unit} {when} {what}"
        for what, unit in (("latency", "ms"), ("energy", "mJ"))
        for when in ("expected", "peak")
        if (name := f"{when}_{what}_{unit.lower()}") in point
    ]
