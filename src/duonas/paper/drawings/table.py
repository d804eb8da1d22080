"""A table: a row for each variant, or for each network that its runs hold, and a column for each figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from duonas.core.errors import DuonasError, nearest
from duonas.paper.budget import FIGURES, at_budget
from duonas.paper.cells import KindName, Values, cell, heading
from duonas.paper.drawing import Drawing, Drawn, check_variants
from duonas.paper.runs import FILES, Finished, Run, look
from duonas.recipe.study import Study
from duonas.report.formatting import NOTHING
from duonas.report.table import Table

SPREAD = "Mean ± standard deviation over the finished runs, whose number each row has last; one run has no deviation."


@dataclass(frozen=True)
class Column:
    """A column: a figure of each row.

    Args:
        title: its head, without the unit.
        figure: the path to the figure from what the row is of, such as ``measure.routed.accuracy``; of several, the
            first that there is.
        kind: what it is.
        over: the name of a row: the difference from that row is shown, taken seed by seed.
        budget: expected MACs of an image: the figure is then ``accuracy``, ``little_share`` or ``macs`` on test at the
            threshold for this budget. Rows must be of whole runs.
    """

    title: str
    figure: str | tuple[str, ...]
    kind: KindName = "number"
    over: str = ""
    budget: float | None = None

    def of(self, found: Any) -> Any:
        """The figure of what a row is of."""
        if self.budget is not None:
            reached = at_budget(found, self.budget)
            return None if reached is None else reached[str(self.figure)]
        paths = (self.figure,) if isinstance(self.figure, str) else self.figure
        values = (found.find(path) if isinstance(found, Run) else look(found, path.split(".")) for path in paths)
        return next((value for value in values if value is not None), None)


@dataclass(frozen=True)
class Rows:
    """Rows of one kind.

    Args:
        of: the path to what they are of, such as ``measure.big``; a list gives a row for each of its members. By
            default a row is of the whole run, and its figures are paths such as ``measure.big.accuracy``.
        name: of the row, in which {variant} and the keys of what it is of are replaced.
        variants: whose runs are shown; by default all.
    """

    of: str = ""
    name: str = "{variant}"
    variants: tuple[str, ...] = ()

    def found(self, run: Run) -> Iterator[tuple[str, Any]]:
        """Yield the name of each row of a run, and what it is of."""
        if not self.of:
            yield self.name.format_map({"variant": run.variant}), run
            return
        value = run.find(self.of)
        for each in value if isinstance(value, list) else [] if value is None else [value]:
            yield self.name.format_map(_Words({"variant": run.variant} | each)), each


class _Words(dict[str, Any]):
    """What stands for a name that there is none of."""

    def __missing__(self, key: str) -> str:
        return NOTHING


Grid = dict[str, list[dict[int, Any]]]  # the values of each row, by column and seed


@dataclass(frozen=True)
class FigureTable(Drawing):
    """``kind = "table"``.

    Args:
        columns: the figures.
        rows: by default one for each variant.
        first: the head of the first column.
    """

    columns: tuple[Column, ...]
    rows: tuple[Rows, ...] = (Rows(),)
    first: str = "Variant"

    def wanted(self, study: Study) -> Study:
        """The variants that rows name, or all."""
        return named(self.rows, study)

    def check(self, results: Mapping[str, Finished]) -> None:
        """Check the variants that rows name, and the files of figures."""
        check_figures(self.rows, self.columns, results)

    def draw(self, results: Mapping[str, Finished]) -> Drawn:
        """A table for each study."""
        tables, notes, values = {}, [], {}
        for name, found in results.items():
            grid = self._grid(found)
            title = name if len(results) > 1 else ""
            tables[title] = self._table(grid, found)
            notes += [f"{title}: {said}" if title else said for said in [found.note()] if said]
            values[name] = {
                row: {column.title: by_seed for column, by_seed in zip(self.columns, columns, strict=True)}
                for row, columns in grid.items()
            }
            if absent := self._absent(grid):
                notes.append(f"No finished run has: {', '.join(absent)}.")
        return Drawn(tables=tables, notes=[SPREAD, *dict.fromkeys(notes)], values=values)

    def _grid(self, found: Finished) -> Grid:
        grid: Grid = {}
        for rows in self.rows:
            for variant in rows.variants or [each.name for each in found.study.variants]:
                if not rows.of:  # a variant without a finished run has its row, too
                    grid.setdefault(rows.name.format_map({"variant": variant}), [{} for _ in self.columns])
                for run in found.of_variant(variant):
                    for name, each in rows.found(run):
                        columns = grid.setdefault(name, [{} for _ in self.columns])
                        for values, column in zip(columns, self.columns, strict=True):
                            values[run.seed] = column.of(each)
        for at, column in enumerate(self.columns):
            if column.over:
                self._subtract(grid, at, column)
        return grid

    def _subtract(self, grid: Grid, at: int, column: Column) -> None:
        if column.over not in grid:
            raise DuonasError(f"column {column.title!r} is over {column.over!r}, which is no row: "
                              f"{nearest(column.over, grid)}.")  # fmt: skip
        first = dict(grid[column.over][at])
        for row, columns in grid.items():
            columns[at] = {
                seed: None if row == column.over or value is None or first.get(seed) is None else value - first[seed]
                for seed, value in columns[at].items()
            }

    def _table(self, grid: Grid, found: Finished) -> Table:
        head = [self.first, *(heading(column.title, column.kind) for column in self.columns), "Runs"]
        rows = [
            [name, *(cell(values, column.kind) for values, column in zip(columns, self.columns, strict=True)),
             f"{len(columns[0])} of {len(found.study.seeds)}"]
            for name, columns in grid.items()
        ]  # fmt: skip
        return Table(head, rows, {0: "words"})

    def _absent(self, grid: Grid) -> list[str]:
        """The titles of columns that no row has, where there are rows with runs."""
        rows = [columns for columns in grid.values() if columns[0]]
        return [
            column.title
            for at, column in enumerate(self.columns)
            if rows and not any(_known(columns[at]) for columns in rows)
        ]


def named(rows: Sequence[Rows], study: Study) -> Study:
    """The part of a study whose variants rows name; all of it where some rows are of all variants."""
    names = {name for each in rows for name in each.variants}
    return study.only(names, study.seeds) if all(each.variants for each in rows) else study


def check_figures(rows: Sequence[Rows], columns: Sequence[Column], results: Mapping[str, Finished]) -> None:
    """Check that the variants that rows name exist, and the files that figures are in.

    Raises:
        DuonasError: one of them does not.
    """
    for each in rows:
        check_variants(each.variants, results)
        for column in columns:
            if column.budget is not None and (each.of or column.figure not in FIGURES):
                raise DuonasError(
                    f"column {column.title!r} has a budget: its figure must be one of {', '.join(FIGURES)}, and its "
                    "rows of whole runs."
                )
        own = [path for column in columns if column.budget is None for path in _paths(column)]
        for path in [each.of] if each.of else own:
            name = path.partition(".")[0]
            if name not in FILES:
                raise DuonasError(f"figure {path!r} is in no file of a run: {nearest(name, FILES)}.")


def _known(values: Values) -> bool:
    return any(value is not None for value in values.values())


def _paths(column: Column) -> tuple[str, ...]:
    return (column.figure,) if isinstance(column.figure, str) else column.figure
