"""One figure of many networks or pairs against another, and how well the one orders the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from scipy.stats import kendalltau, spearmanr

from duonas.paper.cells import heading
from duonas.paper.drawing import Drawing, Drawn
from duonas.paper.drawings.curve import PALETTE
from duonas.paper.drawings.table import Column, Rows, check_figures, named
from duonas.paper.runs import Finished
from duonas.recipe.study import Study
from duonas.report.charts import COUNT, FILTERED, SHARE, chart, colours, of, x, y
from duonas.report.fields import KINDS, Field, Row, table, tooltips
from duonas.report.figure import Figure
from duonas.report.formatting import coefficient, plural

FORMATS = {"percent": (SHARE, "share"), "count": (COUNT, "count"), "bytes": (COUNT, "count")}


@dataclass(frozen=True)
class Scatter(Drawing):
    """``kind = "scatter"``.

    Args:
        x: what is drawn to the right.
        y: what is drawn upwards.
        rows: of what each point is, as in a table.
        log: whether both axes are logarithmic.
    """

    x: tuple[Column, ...]
    y: tuple[Column, ...]
    rows: tuple[Rows, ...] = (Rows(),)
    log: bool = False

    def wanted(self, study: Study) -> Study:
        """The variants that rows name, or all."""
        return named(self.rows, study)

    def check(self, results: Mapping[str, Finished]) -> None:
        """Check the variants that rows name, and the files of figures."""
        check_figures(self.rows, (*self.x, *self.y), results)

    def draw(self, results: Mapping[str, Finished]) -> Drawn:
        """A chart for each study, with a point for each row of each run, and a correlation."""
        figures, notes, values = {}, [], {}
        for name, found in results.items():
            notes += [f"{name}: {said}" for said in [found.note()] if said]
            stem = "".join(each if each.isalnum() else "-" for each in name.lower()) if len(results) > 1 else ""
            for number, (right, up) in enumerate(zip(self.x, self.y, strict=False), 1):
                points = self._points(found, right, up)
                if len(points) < 2:
                    notes.append(f"{name}: no two finished runs have {up.title} and {right.title}.")
                    continue
                key = "-".join(filter(None, [stem, str(number) if len(self.x) > 1 else ""]))
                said = related([point["x"] for point in points], [point["y"] for point in points])
                figures[key] = self._figure(f"{name}: {said}", points, right, up)
                values[key or name] = points
        return Drawn(figures=figures, notes=notes, values=values)

    def _points(self, found: Finished, right: Column, up: Column) -> list[dict[str, Any]]:
        points = []
        for rows in self.rows:
            for variant in rows.variants_of(found):
                for run in found.of_variant(variant):
                    for name, each in rows.found(run):
                        pair = right.of(each), up.of(each)
                        if all(isinstance(value, int | float) and math.isfinite(value) for value in pair):
                            points.append({"series": name, "seed": str(run.seed), "x": pair[0], "y": pair[1]})
        return points

    def _figure(self, caption: str, points: Sequence[Row], right: Column, up: Column) -> Figure:
        kinds = {each.title: FORMATS.get(each.kind, ("", "number")) for each in (right, up)}
        fields = [
            Field("series", "Of", "text"), Field("seed", "Seed", "text"),
            *(Field(key, heading(each.title, each.kind if each.kind != "percent" else "text"), kinds[each.title][1])
              for key, each in (("x", right), ("y", up))),
        ]  # fmt: skip
        assert all(field.kind in KINDS for field in fields)
        names = list(dict.fromkeys(point["series"] for point in points))
        several = 1 < len(names) <= len(PALETTE)
        shown = points if several else [dict(point) | {"series": "each"} for point in points]
        scale: dict[str, Any] = {"type": "log"} if self.log else {}
        place = {
            "x": x("x", fields[2].title, kinds[right.title][0], **scale),
            "y": y("y", fields[3].title, kinds[up.title][0], **scale),
            "color": colours(dict(zip(names if several else ["each"], cycle(PALETTE)))),
            "opacity": FILTERED,
        }
        spec = chart(
            f"{up.title} against {right.title}", {"points": shown},
            [of("points").mark_circle(size=55, clip=True).encode(**place, tooltip=tooltips(fields))],
            360, zoom="xy", filtered=True,
        )  # fmt: skip
        return Figure(f"{up.title} against {right.title}", [spec], caption, table(points, fields))


def related(ours: list[float], theirs: list[float]) -> str:
    """How one figure is related to another, in words."""
    if len(set(ours)) < 2 or len(set(theirs)) < 2:
        return f"{plural(len(ours), 'point')}, all alike in one of both."
    tau, rho = kendalltau(ours, theirs).statistic, spearmanr(ours, theirs).statistic
    both = f"Kendall's tau {coefficient(float(tau))}, Spearman's rho {coefficient(float(rho))}"
    return f"{plural(len(ours), 'point')}, {both}."
