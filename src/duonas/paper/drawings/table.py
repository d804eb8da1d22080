"""A table: a row for each variant, or for each network that its runs hold, and a column for each figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from duonas.core.errors import DuonasError, nearest
from duonas.core.text import listed
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

    def shown(self, found: Any) -> Any:
        """The figure of what a row is of, as a table shows it.

        Raises:
            DuonasError: it is no number, and the column's kind is not ``text``.
        """
        value = self.of(found)
        if self.kind != "text" and not isinstance(value, int | float | None):
            raise DuonasError(
                f"column {self.title!r}: {self.figure!r} is no number but {str(value)!r:.60}: name a key of it that is "
                'one, or give the column kind = "text".'
            )
        return value

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
        """Yield the name of each row of a run, and what it is of.

        Raises:
            DuonasError: ``of`` does not lead to what has keys, or ``name`` cannot be filled in.
        """
        if not self.of:
            yield self.whole(run.variant), run
            return
        value = run.find(self.of)
        for each in value if isinstance(value, list) else [] if value is None else [value]:
            if not isinstance(each, Mapping):
                raise DuonasError(
                    f"rows of {self.of!r}: {str(each)!r:.60} has no keys, which the figures of a row are."
                )
            yield self._filled(_Words({"variant": run.variant} | dict(each))), each

    def variants_of(self, found: Finished) -> Sequence[str]:
        """The variants of a study whose runs are shown."""
        return self.variants or [each.name for each in found.study.variants]

    def whole(self, variant: str) -> str:
        """The name of the row of whole runs of a variant.

        Raises:
            DuonasError: ``name`` cannot be filled in.
        """
        return self._filled({"variant": variant})

    def check_name(self) -> None:
        """Check ``name`` as far as that can be without a run.

        Raises:
            DuonasError: ``name`` cannot be filled in.
        """
        if not self.of:
            self.whole("")
            return
        try:
            list(Formatter().parse(self.name))
        except ValueError as error:
            raise self._wrong(error) from error

    def _filled(self, words: Mapping[str, Any]) -> str:
        try:
            return self.name.format_map(words)
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            raise self._wrong(error) from error

    def _wrong(self, error: Exception) -> DuonasError:
        if isinstance(error, KeyError) and not self.of:
            return DuonasError(
                f"rows with name = {self.name!r}: rows of whole runs have {{variant}} alone; name by of = what has "
                f"the key {error}."
            )
        return DuonasError(f"rows with name = {self.name!r}: {str(error)[:1].lower()}{str(error)[1:]}.")


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
        """Check the variants and names of rows, the files of figures, and the rows that differences are taken from."""
        check_figures(self.rows, self.columns, results)
        for column in filter(lambda column: column.over, self.columns):
            if column.kind == "text":
                raise DuonasError(f"column {column.title!r} is over {column.over!r}: text has no differences.")
            for found in results.values():
                self._check_over(column, found)

    def _check_over(self, column: Column, found: Finished) -> None:
        """Check that there will be the row; which rows ``of`` gives is known by the runs alone."""
        names = [rows.whole(variant) for rows in self.rows if not rows.of for variant in rows.variants_of(found)]
        if column.over not in names and not any(rows.of for rows in self.rows):
            raise DuonasError(
                f"column {column.title!r} is over {column.over!r}, which is no row of {found.study.name}: "
                f"{nearest(column.over, names)}."
            )

    def draw(self, results: Mapping[str, Finished]) -> Drawn:
        """A table for each study."""
        tables, notes, values = {}, [], {}
        for name, found in results.items():
            grid = self._grid(found)
            title = name if len(results) > 1 else ""
            tables[title] = self._table(grid, found)
            said = [*filter(None, [found.note()]), *self._fewer(grid), *self._not_over(grid)]
            notes += [f"{title}: {each}" if title else each for each in said]
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
            for variant in rows.variants_of(found):
                if not rows.of:  # a variant without a finished run has its row, too
                    grid.setdefault(rows.whole(variant), [{} for _ in self.columns])
                for run in found.of_variant(variant):
                    for name, each in rows.found(run):
                        columns = grid.setdefault(name, [{} for _ in self.columns])
                        for values, column in zip(columns, self.columns, strict=True):
                            values[run.seed] = column.shown(each)
        for at, column in enumerate(self.columns):
            if column.over:
                self._subtract(grid, at, column)
        return grid

    def _subtract(self, grid: Grid, at: int, column: Column) -> None:
        first = dict(grid[column.over][at]) if column.over in grid else {}
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

    def _fewer(self, grid: Grid) -> Iterator[str]:
        """Yield a sentence on each column that fewer runs of a row have than the last column counts."""
        for at, column in enumerate(self.columns):
            short = [f"{row} ({number} of {len(columns[at])})" for row, columns in grid.items()
                     if 0 < (number := len(_known(columns[at]))) < len(columns[at])]  # fmt: skip
            if short:
                yield f"Not all finished runs have {column.title}: {listed(short, 6)}."

    def _not_over(self, grid: Grid) -> Iterator[str]:
        """Yield a sentence on each column of differences from a row that no run has yet."""
        for column in self.columns:
            if column.over and column.over not in grid:
                yield f"{column.title} is unknown: no finished run has a row {column.over!r}."

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
    """Check that the variants that rows name exist, the names of rows, and the files that figures are in.

    Raises:
        DuonasError: one of them does not.
    """
    for each in rows:
        check_variants(each.variants, results)
        each.check_name()
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


def _known(values: Values) -> list[Any]:
    return [value for value in values.values() if value is not None]


def _paths(column: Column) -> tuple[str, ...]:
    return (column.figure,) if isinstance(column.figure, str) else column.figure
