"""Many subnets of one supernet against networks trained from scratch (paper T, figures 6 and 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from duonas.report.charts import COUNT, FILTERED, SHARE, chart, colours, diagonal, of, ramp, x, y
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import Figure
from duonas.report.formatting import coefficient, percent, plural, points_apart, whole
from duonas.report.ranges import pick, span
from duonas.report.theme import colour

BINS, PARTS, DRAWN = 40, 20, 600
FENCE = 3.0  # interquartile ranges: cells that connect nothing answer by chance, and would squash all others
SUPERNET, SCRATCH = "from the supernet", "from scratch"


@dataclass(frozen=True)
class Ranked:
    """The archs of a ranking, (N,) each; accuracies are in [0, 1].

    Args:
        names: cells where the archs have one.
        accuracy: with the weights of the supernet.
        table: trained from scratch, by the benchmark's table; ``None`` without a table.
        params: of each arch.
        macs: of each arch.
        split: that the accuracies were measured on.
    """

    names: list[str]
    accuracy: np.ndarray
    table: np.ndarray | None
    params: np.ndarray
    macs: np.ndarray
    split: str


def ranked(archs: list[dict[str, Any]], found: dict[str, Any]) -> Ranked:
    """The content of ``archs.parquet`` and ``ranking.json``."""
    accuracy, params, macs = (np.array([row[name] for row in archs], float) for name in ("accuracy", "params", "macs"))
    table = np.array([row["table"] for row in archs]) if found["table"] and "table" in archs[0] else None
    return Ranked([row["cell"] or row["arch"] for row in archs], accuracy, table, params, macs, found["split"])


def distribution(rows: Ranked) -> Figure:
    """How many archs reach which accuracy: bars from scratch and a line from the supernet, or bars for that alone."""
    samples = {SUPERNET: rows.accuracy} | ({} if rows.table is None else {SCRATCH: rows.table})
    low = min(float(_upper(values).min()) for values in samples.values())
    high = max(float(values.max()) for values in samples.values())
    edges = np.linspace(low, high if high > low else low + 0.01, BINS + 1)
    counts = {name: np.histogram(np.clip(each, edges[0], edges[-1]), edges)[0] for name, each in samples.items()}
    below = any(float(values.min()) < low for values in samples.values())
    bins = [
        {"from": float(edges[at]), "to": float(edges[at + 1])} | {name: int(each[at]) for name, each in counts.items()}
        for at in range(BINS)
    ]
    reach = "reaches" if len(rows.names) == 1 else "reach"
    caption = f"From the supernet {plural(len(rows.names), 'arch')} {reach} {_mean_and_best(rows.accuracy)}"
    caption += (
        "." if rows.table is None else f"; trained from scratch the same ones reach {_mean_and_best(rows.table)}."
    )
    caption += f" The first bin also holds all archs below {percent(float(edges[1]))}." if below else ""
    caption += f" Accuracies from the supernet are those on the {rows.split} split."
    fields = [Field("from", "Accuracy from", "share"), Field("to", "to", "share"),
              *(Field(name, f"Archs {name}", "whole") for name in counts)]  # fmt: skip
    return Figure("Accuracies", [bars(bins, fields)], caption, table(bins, fields))


def bars(rows: Sequence[Row], fields: Sequence[Field]) -> dict[str, Any]:
    """A histogram of each sample.

    Args:
        rows: ``from`` and ``to`` of each bin, and how many archs of each sample are in it.
        fields: what hovering shows.
    """
    samples = [name for name in (SUPERNET, SCRATCH) if name in rows[0]]
    long = [
        {"series": name, "from": row["from"], "to": row["to"], "archs": row[name]} for name in samples for row in rows
    ]
    along, up = x("from", "Accuracy", SHARE, bars=True, nice=False), y("archs", "Archs", COUNT, zero=True)
    names = colours({name: {SUPERNET: "routed", SCRATCH: "static"}[name] for name in samples})
    last = f"datum.series == '{samples[-1]}'"
    filled = of("long").transform_filter(last).mark_bar(binSpacing=1).encode(
        x=along, x2="to:Q", y=up, color=names, opacity=FILTERED
    )  # fmt: skip
    outline = of("long").transform_filter(f"!({last})").mark_line(interpolate="step-after").encode(
        x=x("from", "Accuracy", SHARE, nice=False), y=up, color=names, opacity=FILTERED
    )  # fmt: skip
    column = of("rows").mark_rule(opacity=0, strokeWidth=14).encode(x="from:Q", tooltip=tooltips(fields))
    return chart(
        "How many archs reach which accuracy", {"long": long, "rows": rows}, [filled, outline, column], filtered=True
    )


def _mean_and_best(accuracy: np.ndarray) -> str:
    return f"{percent(float(accuracy.mean()))} on average and {percent(float(accuracy.max()))} at best"


def scatter(rows: Ranked, found: dict[str, Any]) -> Figure:
    """A dot for each arch, shaded by its params: accuracy from the supernet over that from scratch, or over MACs."""
    xs = rows.macs if rows.table is None else rows.table
    top = int(rows.accuracy.argmax())  # the picture always includes it, however low the table ranks it
    domain = {
        "x": span([*_upper(xs), xs[top]], floor=0, ceiling=np.inf if rows.table is None else 1),
        "y": span(_upper(rows.accuracy), floor=0, ceiling=1),
    }
    (left, right), (low, high) = domain.values()
    inside = (xs >= left) & (xs <= right) & (rows.accuracy >= low) & (rows.accuracy <= high)
    shown = pick(inside, DRAWN)
    dots = [
        {"name": rows.names[i], "accuracy": round(float(rows.accuracy[i]), 5), "x": round(float(xs[i]), 5),
         "macs": rows.macs[i], "params": rows.params[i], "top": bool(i == top)}
        for i in dict.fromkeys([*shown, top])
    ]  # fmt: skip
    caption = _correlations(found)
    if left_out := len(xs) - int(inside.sum()):
        caption += f" {plural(left_out, 'arch')} {'lies' if left_out == 1 else 'lie'} outside the picture."
    if len(shown) < inside.sum():
        caption += f" Of the others {whole(len(shown))} are drawn."
    fields = [Field("name", "Arch", "text"), Field("accuracy", "From the supernet", "share"),
              *([Field("x", "From scratch", "share")] if rows.table is not None else ()),
              Field("macs", "MACs", "count"), Field("params", "Params", "count")]  # fmt: skip
    spec = dots_of(dots, fields, domain, scratch=rows.table is not None)
    best = sorted(dots, key=lambda dot: -dot["accuracy"])
    return Figure("Arch by arch", [spec], caption, table(best, fields), half=rows.table is not None)


def dots_of(
    rows: Sequence[Row], fields: Sequence[Field], domain: dict[str, tuple[float, float]], *, scratch: bool
) -> dict[str, Any]:
    """A dot for each arch, and a ring around the top-ranked one.

    Args:
        rows: ``x``, ``accuracy``, ``params`` and ``top`` of each arch.
        fields: what hovering shows.
        domain: what the axes show.
        scratch: whether ``x`` is the accuracy from scratch, else MACs.
    """
    title = "From scratch" if scratch else "MACs"
    place: dict[str, Any] = {
        "x": x("x", title, SHARE if scratch else COUNT, domain=list(domain["x"])),
        "y": y("accuracy", "From the supernet", SHARE, domain=list(domain["y"])),
    }
    dots, top = of("rows"), of("rows").transform_filter("datum.top")
    return chart(
        f"Accuracy from the supernet against {'that from scratch' if scratch else 'MACs'}, arch by arch",
        {"rows": rows},
        [
            *([diagonal()] if scratch else ()),
            dots.mark_circle(size=40, opacity=0.9, clip=True)
            .encode(**place, color=ramp("params", "Params", COUNT), tooltip=tooltips(fields)),
            top.mark_point(size=200, strokeWidth=3, color=colour("routed"), clip=True)
            .encode(**place, tooltip=tooltips(fields)),
            top.mark_text(dy=16, fontSize=13, fontWeight=600, color=colour("routed"), clip=True)
            .encode(**place, text=alt.TextValue("top-ranked")),
        ],
        360, zoom="xy",
    )  # fmt: skip


def _upper(values: np.ndarray) -> np.ndarray:
    """All but what lies far below the rest (Tukey's outer fence)."""
    first, third = np.percentile(values, (25, 75))
    return values[values >= first - FENCE * (third - first)]


NAMES = {"params": "number of params", "macs": "MACs", "layers": "number of layers"}


def _correlations(found: dict[str, Any]) -> str:
    taus = {name: coefficient(row["kendall"]) for name, row in found["agreement"].items()}
    over = f"over {plural(found['archs'], 'arch')}"
    others = ", ".join(f"{NAMES.get(name, name)} {tau}" for name, tau in taus.items() if name != "accuracy")
    if "accuracy" in taus:
        return f"Kendall's τ with the table is {taus['accuracy']} {over}; for trivial predictors: {others}."
    return f"Kendall's τ of the accuracy with trivial predictors {over}: {others}."


def differences(rows: Ranked) -> Figure | None:
    """Accuracy from the supernet minus that from scratch, by rank from scratch; ``None`` without a table."""
    if rows.table is None:
        return None
    order = np.argsort(-rows.table, kind="stable")
    parts = np.array_split(order, min(PARTS, len(order)))
    ends = np.cumsum([0, *(len(part) for part in parts)])
    groups = [
        {"from": int(ends[at]) + 1, "to": int(ends[at + 1]), "supernet": float(rows.accuracy[part].mean()),
         "scratch": float(rows.table[part].mean()), "difference": float((rows.accuracy - rows.table)[part].mean())}
        for at, part in enumerate(parts)
    ]  # fmt: skip
    best = "twentieth" if len(parts) == PARTS else "arch"
    caption = (
        f"With the weights of the supernet, the best {best} from scratch {_change(groups[0]['difference'])} on "
        f"average, and the worst {_change(groups[-1]['difference'])}."
    )
    fields = [Field("from", "Rank from", "whole"), Field("to", "to", "whole"), Field("supernet", SUPERNET, "share"),
              Field("scratch", SCRATCH, "share"), Field("difference", "Difference", "points")]  # fmt: skip
    spec = bars_by_rank(groups, fields)
    return Figure("What sharing weights costs", [spec], caption, table(groups, fields), half=True)


def bars_by_rank(rows: Sequence[Row], fields: Sequence[Field]) -> dict[str, Any]:
    """A bar up or down for the ``difference`` of each group of ranks ``from`` and ``to``."""
    sign = alt.ColorValue(colour("little"), condition={"test": "datum.difference < 0", "value": colour("wrong")})
    along = x("start", "Rank from scratch (best first)", COUNT, bars=True, nice=False)
    bar = of("rows").transform_calculate(start="datum.from - 1").mark_bar(binSpacing=1).encode(
        x=along, x2="to:Q", y=y("difference", "Supernet minus from scratch", SHARE, zero=True), color=sign,
        tooltip=tooltips(fields),
    )  # fmt: skip
    level = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=colour("muted")).encode(y="zero:Q")
    return chart("Difference to from-scratch accuracy by rank", {"rows": rows}, [bar, level], 360)


def _change(difference: float) -> str:
    return f"{'gains' if difference >= 0 else 'loses'} {points_apart(difference)}"
