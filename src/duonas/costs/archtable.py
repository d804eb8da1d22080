"""Tables of figures that somebody published or measured: Parquet, one row an arch, known by its text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from duonas.core.errors import DuonasError, nearest


def column_names(path: Path, option: str) -> list[str]:
    """The columns of a table; ``option`` is what gave its path, for the message.

    Raises:
        DuonasError: no such file, or not Parquet.
    """
    if not path.is_file():
        raise DuonasError(f"{option}: there is no file {path}.")
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def read_figures(
    path: Path, option: str, key: tuple[str, str], figures: Mapping[str, str]
) -> tuple[list[str | None], list[np.ndarray]]:
    """The texts of a table's N archs, each once, and what it has in some columns, (N,) each, NaN where nothing.

    Args:
        path: the file.
        option: what gave its path, for messages.
        key: the option that names the column of texts, and that column.
        figures: by the option that names it, a column of numbers.

    Raises:
        DuonasError: no such file or column, no rows, a text that is there twice, or a column without any number.
    """
    there = column_names(path, option)
    for named_by, column in (key, *figures.items()):
        if column not in there:
            raise DuonasError(f"{named_by}: {path} has no column {column!r}: {nearest(column, there)}.")
    try:
        table = pq.read_table(path, columns=list(dict.fromkeys([key[1], *figures.values()])))
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    if not table.num_rows:
        raise DuonasError(f"{path} has no rows.")
    texts = _texts(path, key[1], table[key[1]])
    return texts, [_numbers(path, column, table[column]) for column in figures.values()]


def _texts(path: Path, name: str, column: pa.ChunkedArray) -> list[str | None]:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise DuonasError(f"{path}: column {name!r} holds {column.type}, expected the text of an arch.")
    texts: list[str | None] = column.to_pylist()
    for text, times in Counter(texts).items():
        if times > 1 and text is not None:
            raise DuonasError(f"{path} has the arch {text!r} more than once.")
    return texts


def _numbers(path: Path, name: str, column: pa.ChunkedArray) -> np.ndarray:
    kind, types = column.type, pa.types
    if not any(fits(kind) for fits in (types.is_floating, types.is_integer, types.is_decimal, types.is_null)):
        raise DuonasError(f"{path}: column {name!r} holds {kind}, expected numbers.")
    values = np.array([np.nan if value is None else value for value in column.to_pylist()], dtype=float)
    if np.isnan(values).all():
        raise DuonasError(f"{path}: column {name!r} has no figure at all.")
    return values


def _unreadable(path: Path, error: Exception) -> DuonasError:
    said = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return DuonasError(f"{path} cannot be read as Parquet: {said}.")
