"""What a chart shows of its rows: one list of fields makes the text that hovering shows and the table behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from duonas.report.formatting import NOTHING, count, number, percent, plural, points, whole
from duonas.report.table import Table

Row = Mapping[str, Any]
MOST = 40  # rows of a table behind a chart; a longer one is thinned evenly and says so
# For each kind of value: how d3 writes it in a chart, and how a table does.
KINDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "text": ("", str), "share": (".1%", percent), "points": ("+.1%", points), "count": (".3~s", count),
    "number": (".3~r", number), "whole": (",.0f", whole),
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """A value of each row: its key, its title, and what kind of value it is (a key of ``KINDS``)."""

    name: str
    title: str
    kind: str = "number"

    @property
    def tooltip(self) -> alt.Tooltip:
        """What hovering shows of it."""
        if self.kind == "text":
            return alt.Tooltip(self.name, type="nominal", title=self.title)
        return alt.Tooltip(self.name, type="quantitative", title=self.title, format=KINDS[self.kind][0])

    def text(self, row: Row) -> str:
        """Its cell in a table; a dash where the row does not have it."""
        value = row.get(self.name)
        return NOTHING if value is None else KINDS[self.kind][1](value)


def tooltips(fields: Sequence[Field]) -> list[alt.Tooltip]:
    """What hovering over a mark shows."""
    return [field.tooltip for field in fields]


def table(rows: Sequence[Row], fields: Sequence[Field]) -> Table:
    """The table behind a chart: all rows, or as many evenly picked ones as a page can bear."""
    every = max(1, -(-len(rows) // MOST))
    shown = rows[::every]
    note = f"{plural(len(shown), 'row')} of {whole(len(rows))}, evenly picked." if every > 1 else ""
    words = {place: "words" for place, field in enumerate(fields) if field.kind == "text"}
    return Table(
        [field.title for field in fields], [[field.text(row) for field in fields] for row in shown], words, note
    )
