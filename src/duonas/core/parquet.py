"""Tables in Parquet files, written atomically."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from duonas.core.errors import DuonasError
from duonas.core.files import write_atomic


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], schema: pyarrow.Schema | None = None) -> Path:
    """Write rows to ``path`` atomically, and return it; without a schema, column types are inferred."""
    table = pyarrow.Table.from_pylist(list(rows), schema)
    return write_atomic(path, lambda temporary: parquet.write_table(table, temporary))


def read_table(path: Path, columns: Sequence[str] | None = None) -> pyarrow.Table:
    """Read the table in ``path``, or some of its columns.

    Raises:
        DuonasError: the file is missing or not Parquet.
    """
    try:
        return parquet.read_table(path, columns=columns)
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def read_field(path: Path, column: str, field: str) -> list[Any]:
    """Read one field of a column of structs, without reading the others; ``None`` where there is no struct.

    Raises:
        DuonasError: the file is missing or not Parquet.
    """
    try:
        with parquet.ParquetFile(path) as file:
            cells = file.read(columns=[f"{column}.{field}"])[column].to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    return [cell[field] if cell else None for cell in cells]


def read_schema(path: Path) -> pyarrow.Schema:
    """The names and types of the columns in ``path``, and its metadata.

    Raises:
        DuonasError: the file is missing or not Parquet.
    """
    try:
        return parquet.read_schema(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def column_names(path: Path) -> list[str]:
    """The column names of the table in ``path``, without reading its rows.

    Raises:
        DuonasError: the file is missing or not Parquet.
    """
    return list(read_schema(path).names)


def _unreadable(path: Path, error: Exception) -> DuonasError:
    reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return DuonasError(f"{path} cannot be read as Parquet: {reason}.")
