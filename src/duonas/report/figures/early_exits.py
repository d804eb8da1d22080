"""Accuracy of the pair, networks with early exits and the OFA pair against mean cost and time (paper D, figure 1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from duonas.report.charts import COUNT, FILTERED, SHARE, Spec, chart, colours, of, x, y
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import Figure
from duonas.report.files import RunFiles
from duonas.report.ranges import span
from duonas.report.theme import colour
from duonas.report.thresholds import Thresholds

REACH = 3  # times the dearest of the pair: what is beyond would squash the curves
PAIR, SLIDER, STATIC = "routed pair", "at the slider", "static baselines"
ALONE = {"little": "little alone", "big": "big alone"}
NETWORKS = ("wrong", "right", "ramp-end", "static", "oracle", "ramp-start")  # colours of networks with early exits
AXES = {"macs": ("Mean MACs of an image", COUNT), "ms": ("Mean time of an image (ms)", "")}
FIELDS = [
    Field("series", "Network", "text"), Field("accuracy", "Accuracy", "share"), Field("macs", "Mean MACs", "count"),
    Field("ms", "Mean time (ms)"),
]  # fmt: skip


def early_exits(run: RunFiles) -> Figure | None:
    """A chart against mean cost, and one against mean time where that is known; ``None`` without such networks."""
    found: dict[str, Any] = run["baselines.json"]
    networks = [*found.get("exits", ()), *filter(None, [found.get("ofa_pair")])]
    if not networks:
        return None
    timed = (found.get("beside") or {}).get("times_ms")
    steps = run.thresholds
    pair = _pair(steps, timed)
    others = [_row(each["name"], point) for each in networks for point in each.get("budgeted") or each["points"]]
    lines = [*pair, *others]
    dots = list(_alone(run.measure, found, timed))
    names = list(dict.fromkeys(each["name"] for each in networks))
    palette = {PAIR: "routed", SLIDER: "routed"}
    palette |= {name: NETWORKS[place % len(NETWORKS)] for place, name in enumerate(names)}
    palette |= {ALONE[role]: role for role in ALONE} | ({STATIC: "static"} if found["networks"] else {})
    axes = [axis for axis in AXES if axis == "macs" or timed]
    charts = [plot(axis, (lines, dots, pair), palette, steps) for axis in axes]
    said = (row[key]["sentence"] for row in networks for key in ("against_pair", "against_pair_in_time") if key in row)
    caption = " ".join(["Lines go through thresholds that were chosen on calib; dots are networks alone.", *said])
    shown = table([*dots, *pair[:: max(1, len(pair) // 15)], *others], FIELDS)
    return Figure("Other dynamic networks", charts, caption, shown, columns=True)


def plot(
    axis: str, rows: tuple[Sequence[Row], Sequence[Row], Sequence[Row]], palette: dict[str, str], steps: Thresholds
) -> Spec:
    """Draw lines and dots by their ``series``, ``accuracy`` and one of ``macs`` and ``ms``.

    Args:
        axis: what they are drawn against.
        rows: lines by rising cost, dots, and the pair at each threshold of the slider.
        palette: the colour of each series.
        steps: the thresholds of the slider.
    """
    title, form = AXES[axis]
    lines, dots, pair = ([row for row in each if axis in row] for each in rows)
    dearest = REACH * max(row[axis] for row in pair)
    near = [row for row in (*lines, *dots) if row[axis] <= dearest]
    across = x(axis, title, form, domain=list(span([row[axis] for row in near], pad=0.08, floor=0)))
    up = span([row["accuracy"] for row in near], pad=0.12, floor=0, ceiling=1)
    shown = [field for field in FIELDS if field.name in ("series", "accuracy", axis)]
    place: dict[str, Any] = {
        "x": across, "y": y("accuracy", "Accuracy", SHARE, domain=list(up)), "color": colours(palette),
        "opacity": FILTERED, "tooltip": tooltips(shown),
    }  # fmt: skip
    moved = [{**row, "series": SLIDER, "step": step} for step, row in enumerate(pair)]
    return chart(
        f"Test accuracy against {title[0].lower()}{title[1:]}: the routed pair, other dynamic networks, and "
        "networks alone",
        {"lines": lines, "dots": dots, "moved": moved},
        [
            of("lines").mark_line(clip=True, point={"size": 25}).encode(**place),
            of("dots").mark_circle(size=110, clip=True, stroke=colour("page")).encode(**place),
            of("moved").transform_filter("datum.step == step").mark_circle(size=140, stroke=colour("page"))
            .encode(**place),
        ],
        380, zoom="xy", filtered=True, thresholds=steps,
    )  # fmt: skip


def _pair(steps: Thresholds, timed: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The pair at each threshold of the slider, by the times that were measured in turns with the other networks."""
    stays, asks = (timed[way]["mean"] if timed else None for way in ("stays_little", "asks_big"))
    rows = []
    for macs, accuracy, share in zip(steps.macs, steps.accuracy, steps.little_share, strict=True):
        ms = {} if timed is None else {"ms": share * stays + (1 - share) * asks}
        rows.append(_row(PAIR, {"macs": macs, "accuracy": accuracy, **ms}))
    return rows


def _alone(measured: dict[str, Any], found: dict[str, Any], timed: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Little, big and the static baselines."""
    for role, series in ALONE.items():
        ms = {"ms": timed[role]["mean"]} if timed else {}
        yield _row(series, measured[role] | ms)
    for row in found["networks"]:
        ms = {"ms": row["times_ms"]["1"]["mean"]} if "times_ms" in row else {}
        yield _row(STATIC, row | ms)


def _row(series: str, figures: Row) -> dict[str, Any]:
    ms = {"ms": round(float(figures["ms"]), 5)} if "ms" in figures else {}
    return {
        "series": series,
        "macs": round(float(figures["macs"])),
        "accuracy": round(float(figures["accuracy"]), 5),
    } | ms
