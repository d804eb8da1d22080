"""Test accuracy against expected MACs: the routed curve and what to compare it with (paper D, figure 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from duonas.core.cost import PairCost
from duonas.report.charts import COUNT, FILTERED, SHARE, chart, colours, of, x, y
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import Figure
from duonas.report.files import RunFiles
from duonas.report.formatting import count, number, percent, points
from duonas.report.ranges import pick, span
from duonas.report.theme import colour
from duonas.report.thresholds import Thresholds
from duonas.routing.metrics import oracle_curve
from duonas.routing.threshold import Curve, sweep

REACH = 3  # times the pair's peak: a dearer baseline is only named, since drawing it would squash the curve
COLOURS = {
    "routed, every threshold": "routed", "chosen threshold": "ink", "at the slider": "routed",
    "little alone": "little", "big alone": "big", "oracle": "oracle", "random": "muted",
    "static subnets, on val": "static", "static baselines": "oracle",
}  # fmt: skip
PLACE = [Field("series", "Network", "text"), Field("accuracy", "Accuracy", "share"), Field("macs", "MACs", "count")]
DECISION = [Field("tau", "τ", "text"), Field("share", "Little share", "share")]
NETWORK = [Field("name", "Name", "text"), Field("params", "Params", "count")]


LABELS: dict[str, dict[str, Any]] = {
    "alone": {"dy": 19},
    "baseline": {"align": "right", "dx": -9, "dy": -8},
}  # which dots have their name, where


def tradeoff(run: RunFiles) -> Figure:
    """The most important figure of the report."""
    outputs, cost = run.outputs, run.cost
    routed = line(sweep(outputs.score, outputs.little_right, outputs.big_right), cost, "routed, every threshold")
    oracle = line(oracle_curve(outputs.little_right, outputs.big_right), cost, "oracle", rows=60)
    ends = [_row("random", cost.expected(1 - at), getattr(outputs, f"{role}_right").mean())
            for at, role in enumerate(("little", "big"))]  # fmt: skip
    subnets, baselines = _subnets(run), _baselines(run)
    near = [one for one in baselines if one["macs"] <= REACH * cost.peak]
    low, high = min(row["accuracy"] for row in ends), max(row["accuracy"] for row in oracle)
    right = [cost.least, cost.peak, run.measure["big"]["macs"], *(one["macs"] for one in near)]
    domain = {
        "x": span(right, pad=0.08, floor=0),
        "y": span([low - 0.35 * (high - low), high, *(one["accuracy"] for one in near)], pad=0.12, floor=0, ceiling=1),
    }
    (left, end), (bottom, top) = domain.values()
    inside = [left <= one["macs"] <= end and bottom <= one["accuracy"] <= top for one in subnets]
    shown = [subnets[at] for at in pick(np.array(inside, dtype=bool), 400)]
    alone = [_alone(run, role) for role in ("little", "big")]
    spec = plot([*routed, *oracle, *ends], [*shown, *near, *alone], _chosen(run), domain, run.thresholds)
    caption = " ".join(filter(None, [_caption(run), _of_subnets(subnets, sum(inside))]))
    for one in baselines:
        if one not in near:
            name, reached = one["name"], percent(one["accuracy"])
            caption += f" Beyond the picture: {name} with {reached} for {count(one['macs'], 'MACs')}."
    listed = [*alone, _chosen(run), *near, *routed[:: max(1, len(routed) // 20)]]
    return Figure("Accuracy against work", [spec], caption, table(listed, [*PLACE, *DECISION, *NETWORK]))


def plot(
    lines: Sequence[Row], dots: Sequence[Row], chosen: Row, domain: dict[str, tuple[float, float]], steps: Thresholds
) -> dict[str, Any]:
    """Draw lines and dots by their ``series``, ``macs`` and ``accuracy``, and the threshold that was chosen.

    Args:
        lines: rows by rising MACs.
        dots: networks without routing, with ``name`` and ``params``.
        chosen: the threshold that was measured.
        domain: what the axes show.
        steps: the thresholds of the slider.
    """
    there = {row["series"] for row in (*lines, *dots, chosen)} | {"at the slider"}
    place: dict[str, Any] = {
        "x": x("macs", "Expected MACs per image", COUNT, domain=list(domain["x"])),
        "y": y("accuracy", "Accuracy", SHARE, domain=list(domain["y"])),
        "color": colours({name: each for name, each in COLOURS.items() if name in there}),
        "opacity": FILTERED,
    }
    moved = [
        _row("at the slider", macs, accuracy, tau, share) | {"step": step}
        for step, (macs, accuracy, tau, share) in enumerate(
            zip(steps.macs, steps.accuracy, steps.tau, steps.little_share, strict=True)
        )
    ]
    dashed = "datum.series == 'oracle' || datum.series == 'random'"
    curve, thin = of("lines"), of("dots")
    every, network = [*PLACE, *DECISION], [*PLACE, *NETWORK]
    return chart(
        "Test accuracy against expected MACs: the routed pair at every threshold, an oracle, random routing, and "
        "networks without routing",
        {"lines": lines, "dots": dots, "chosen": [chosen], "moved": moved},
        [
            curve.transform_filter(dashed)
            .mark_line(strokeDash=[6, 5], strokeWidth=1.75, clip=True).encode(**place),
            curve.transform_filter(f"!({dashed})")
            .mark_line(clip=True).encode(**place),
            curve.transform_filter("isValid(datum.tau)").mark_circle(size=150, opacity=0, clip=True)
            .encode(**place | {"opacity": alt.OpacityValue(0), "tooltip": tooltips(every)}),
            thin.transform_filter("!datum.alone")
            .mark_circle(size=50, clip=True, stroke=colour("page"), strokeWidth=0.75)
            .encode(**place, tooltip=tooltips(network)),
            thin.transform_filter("datum.alone").mark_circle(size=130, stroke=colour("page"))
            .encode(**place, tooltip=tooltips(network)),
            *(thin.transform_filter(f"datum.{kind}").mark_text(fontSize=13, fontWeight=600, **shift)
              .encode(**place, text="name:N") for kind, shift in LABELS.items()),
            of("chosen").mark_point(size=190, strokeWidth=2.5).encode(**place, tooltip=tooltips(every)),
            of("moved").transform_filter("datum.step == step").mark_circle(size=120, stroke=colour("page"))
            .encode(**place, tooltip=tooltips(every)),
        ],
        440, zoom="xy", filtered=True, thresholds=steps,
    )  # fmt: skip


def line(curve: Curve, cost: PairCost, series: str, rows: int = 140) -> list[dict[str, Any]]:
    """A trade-off curve by rising MACs, thinned to what a screen can show."""
    index = curve.thinned(rows)[::-1]
    macs = cost.expected(curve.little_share[index])
    columns = (macs, curve.accuracy[index], curve.tau[index], curve.little_share[index])
    return [_row(series, *figures) for figures in zip(*columns, strict=True)]


def _row(
    series: str, macs: float, accuracy: float, tau: float | None = None, share: float | None = None
) -> dict[str, Any]:
    decision = {} if tau is None or share is None else {"tau": number(tau), "share": round(float(share), 5)}
    return {"series": series, "macs": round(float(macs)), "accuracy": round(float(accuracy), 5)} | decision


def _chosen(run: RunFiles) -> dict[str, Any]:
    routed = run.measure["routed"]
    return _row("chosen threshold", routed["expected_macs"], routed["accuracy"], run.tau, routed["little_share"])


def _alone(run: RunFiles, role: str) -> dict[str, Any]:
    row = run.measure[role]
    return _row(f"{role} alone", row["macs"], row["accuracy"]) | {"name": role, "params": row["params"], "alone": True}


def _caption(run: RunFiles) -> str:
    routed, random, oracle = (run.measure[name] for name in ("routed", "random", "oracle"))
    return (
        f"At the chosen threshold the pair reaches {percent(routed['accuracy'])} for "
        f"{count(routed['expected_macs'])} MACs an image, {points(routed['accuracy'] - random['accuracy'])} against "
        f"routing at random with the same little share and {points(routed['accuracy'] - oracle['accuracy'])} against "
        "an oracle."
    )


def _of_subnets(subnets: Sequence[Row], inside: int) -> str:
    """What is said of the subnets of the search, of which so many are in the picture."""
    if not subnets:
        return ""
    if not inside:
        low, high = (percent(end(one["accuracy"] for one in subnets)) for end in (min, max))
        return (
            f"The {len(subnets)} static subnets of the search lie outside the picture: they have {low} to {high} on "
            "val with the weights of the supernet."
        )
    said = "Grey dots are static subnets of the search with their accuracy on val; all else is on test."
    left_out = len(subnets) - inside
    return f"{said} {left_out} of {len(subnets)} lie outside the picture." if left_out else said


def _subnets(run: RunFiles) -> list[dict[str, Any]]:
    known = (row for row in run["archs.parquet"] or () if row["accuracy"] is not None)  # none if it was not trained
    return [_static("static subnets, on val", row["arch"], row) for row in known]


def _baselines(run: RunFiles) -> list[dict[str, Any]]:
    rows = (run["baselines.json"] or {}).get("networks", ())
    return [_static("static baselines", row["name"], row) | {"baseline": True} for row in rows]


def _static(series: str, name: str, row: Row) -> dict[str, Any]:
    return _row(series, row["macs"], row["accuracy"]) | {"name": name, "params": row["params"]}
