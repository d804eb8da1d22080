"""What the charts have in common: axes, colours, hovering, zoom, a legend that filters, and the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from duonas.report.fields import Field, Row, tooltips
from duonas.report.theme import SHADES, colour
from duonas.report.thresholds import Thresholds

Spec = dict[str, Any]  # of Vega-Lite
SHARE, COUNT = ".1~%", "~s"  # how axes write fractions and large counts
SHOWN = alt.selection_point(name="shown", fields=["series"], bind="legend")
# What the legend does not select becomes pale. (Of ``alt.condition`` the library makes a dict, which is slow to read.)
FILTERED = alt.OpacityValue(0.1, condition={"param": "shown", "value": 1.0})


def of(name: str) -> alt.Chart:
    """A chart without marks of the rows that ``chart`` gets under a name."""
    return alt.Chart(alt.NamedData(name))


def x(name: str, title: str | None, format: str = "", *, bars: bool = False, **scale: Any) -> alt.X:
    """A quantitative x axis, whose domain need not hold zero; of ``bars`` it is where they begin."""
    more: dict[str, Any] = {"bin": "binned"} if bars else {}
    return alt.X(name, type="quantitative", title=title, axis=_axis(format), scale=_scale(scale), **more)


def y(name: str, title: str | None, format: str = "", **scale: Any) -> alt.Y:
    """A quantitative y axis, whose domain need not hold zero."""
    return alt.Y(name, type="quantitative", title=title, axis=_axis(format), scale=_scale(scale))


def colours(names: Mapping[str, str], *, title: str = "series") -> alt.Color:
    """The colours of the values of ``series`` in the order of the legend, which has as many columns as there is room.

    Args:
        names: the colour of each value.
        title: the field that holds it.
    """
    scale = alt.Scale(domain=list(names), range=[colour(each) for each in names.values()])
    legend = alt.Legend(columns=alt.ExprRef("max(1, floor(width / 200))"))
    return alt.Color(title, type="nominal", scale=scale, legend=legend)


def ramp(name: str, title: str, format: str, **scale_of: Any) -> alt.Color:
    """Shades from pale to full for a quantity."""
    scale = alt.Scale(type="quantize", range=[colour(f"seq{number}") for number in range(SHADES)], **scale_of)
    return alt.Color(name, type="quantitative", scale=scale, legend=alt.Legend(title=title, format=format))


def crosshair(chart: alt.Chart, along: alt.X, fields: Sequence[Field]) -> alt.Chart:
    """An upright line at the nearest row, wherever the pointer is, with the values of the row."""
    near = alt.selection_point(
        name="near", nearest=True, on="pointerover", clear="pointerout", encodings=["x"], empty=False
    )
    seen = alt.OpacityValue(0.0, condition={"param": "near", "empty": False, "value": 0.6})
    rule = chart.mark_rule(color=colour("muted"), strokeWidth=1.5)
    return rule.encode(x=along, opacity=seen, tooltip=tooltips(fields)).add_params(near)


def at_tau() -> alt.Chart:
    """An upright line at the threshold of the slider."""
    line = (
        alt.Chart(alt.InlineData(values=[{}]))
        .transform_calculate(at="tau")
        .mark_rule(color=colour("routed"), strokeWidth=2, clip=True)
    )
    return line.encode(x="at:Q")


def diagonal() -> alt.Chart:
    """The dashed line on which x and y, fractions in [0, 1], are equal."""
    line = alt.Chart(alt.InlineData(values=[{"at": 0}, {"at": 1}]))
    return line.mark_line(strokeDash=[6, 5], strokeWidth=1.75, color=colour("muted"), clip=True).encode(
        x="at:Q", y="at:Q"
    )


def at_step(chart: alt.Chart, *names: str) -> alt.Chart:
    """The rows with the values of some fields at the threshold of the slider, of which they hold a list each."""
    return chart.transform_calculate(**{name: f"datum.{name}s[step]" for name in names})


def chart(
    description: str, rows: Mapping[str, Sequence[Row]], layers: Sequence[alt.Chart], height: int = 320, *,
    zoom: str = "", filtered: bool = False, thresholds: Thresholds | None = None,
) -> Spec:  # fmt: skip
    """Put layers together, the lowest first.

    Args:
        description: what screen readers say.
        rows: the tables that are drawn, by the names that ``of`` takes; the library does not see them, as it would copy
            them.
        layers: the marks.
        height: in pixels.
        zoom: which of the axes x and y are moved by dragging and zoomed by the wheel with the control key held.
        filtered: whether the rows have a ``series`` that the legend selects.
        thresholds: of a chart that moves with the slider: it may read ``step``, the number of a threshold, and ``tau``.
    """
    selections = [SHOWN] if filtered else []
    if zoom:
        wheel = "wheel![event.ctrlKey || event.metaKey]"
        axes: list[Any] = list(zoom)
        selections.append(alt.selection_interval(name="view", bind="scales", zoom=wheel, encodings=axes))
    state = {}
    if thresholds is not None:
        state = {"step": thresholds.chosen, "tau": float(thresholds.tau[thresholds.chosen])}
    # Put together by hand: the library's own function copies and checks every layer several times over.
    datasets = {name: list(each) for name, each in rows.items()}
    parts = [layer.to_dict(validate=False, context={"top_level": False, "datasets": datasets}) for layer in layers]
    host = next((part for part in parts if "color" in part["encoding"]), parts[0])
    host.setdefault("params", []).extend(_plain(each) for each in selections)
    return {
        "description": description, "width": "container", "height": height, "layer": parts, "datasets": datasets,
        "params": [{"name": name, "value": value} for name, value in state.items()],
    }  # fmt: skip


def _plain(selection: alt.Parameter) -> dict[str, Any]:
    param: Any = selection.param
    found: dict[str, Any] = param.to_dict()
    return found


def _axis(format: str) -> alt.Axis:
    return alt.Axis(tickCount=6, format=format) if format else alt.Axis(tickCount=6)


def _scale(options: Mapping[str, Any]) -> alt.Scale:
    return alt.Scale(**({"zero": False} | dict(options)))
