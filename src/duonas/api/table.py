"""A table of dictionaries that pandas, polars and pyarrow take as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, overload

import pyarrow
from rich.table import Table as Grid

from duonas.api.text import as_text
from duonas.core.errors import DuonasError, nearest
from duonas.core.text import plural

if TYPE_CHECKING:
    import pandas

ROWS, COLUMNS = 10, 8  # that are shown of a large table
LONGEST = 24  # characters of a cell that is shown

Row = dict[str, Any]


class Table(Sequence[Row]):
    """Rows as dictionaries: ``table[0]`` is a row, ``table["accuracy"]`` a column.

    ``to_pandas()`` makes a data frame; ``polars.DataFrame(table)`` and ``pyarrow.table(table)`` take it as it is.

    Args:
        rows: the rows; a column that a row lacks is ``None`` there.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        given = [dict(row) for row in rows]
        self.columns: tuple[str, ...] = tuple(dict.fromkeys(name for row in given for name in row))
        self._rows = [{name: row.get(name) for name in self.columns} for row in given]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, key: int) -> Row: ...
    @overload
    def __getitem__(self, key: slice) -> Table: ...
    @overload
    def __getitem__(self, key: str) -> list[Any]: ...  # type: ignore[overload-cannot-match, unused-ignore]

    def __getitem__(self, key: int | slice | str) -> Row | Table | list[Any]:
        if isinstance(key, slice):
            return Table(self._rows[key])
        if not isinstance(key, str):
            return self._rows[key]
        if key not in self.columns:
            raise DuonasError(f"the table has no column {key!r}: {nearest(key, self.columns)}.")
        return [row[key] for row in self._rows]

    def to_arrow(self) -> pyarrow.Table:
        """The table for pyarrow; a column of mixed types becomes JSON text."""
        return pyarrow.table({name: _column(self[name]) for name in self.columns})

    def to_pandas(self) -> pandas.DataFrame:
        """The table as a data frame.

        Raises:
            DuonasError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise DuonasError("to_pandas() needs pandas: pip install pandas.") from error
        return pandas.DataFrame(self._rows, columns=list(self.columns))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        grid = Grid(*self.columns[:COLUMNS], box=None, pad_edge=False)
        for row in self._rows[:ROWS]:
            grid.add_row(*(_shown(row[name]) for name in self.columns[:COLUMNS]))
        rows = [as_text(grid, width=COLUMNS * (LONGEST + 2))] if self.columns else []
        return "\n".join([*rows, self._size()])

    def _repr_html_(self) -> str:
        shown = self.columns[:COLUMNS]
        head = "".join(f"<th>{escape(name)}</th>" for name in shown)
        rows = ("".join(f"<td>{escape(_shown(row[name]))}</td>" for name in shown) for row in self._rows[:ROWS])
        body = "".join(f"<tr>{cells}</tr>" for cells in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{escape(self._size())}</p>"

    def _size(self) -> str:
        size = f"{plural(len(self), 'row')}, {plural(len(self.columns), 'column')}"
        hidden = self.columns[COLUMNS:]
        more = f"; also {', '.join(hidden[:3])}{', ...' if len(hidden) > 3 else ''}" if hidden else ""
        return f"[{size}{more}]"


def _shown(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _column(values: list[Any]) -> pyarrow.Array:
    try:
        return pyarrow.array(values)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError):
        return pyarrow.array([None if value is None else json.dumps(value, default=str) for value in values])
