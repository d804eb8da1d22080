"""Tables of measured figures in Parquet or CSV files, with one row for each arch or block."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from duonas.core import parquet
from duonas.core.errors import DuonasError, nearest
from duonas.core.files import write_atomic
from duonas.runtime.device_kit import MARK

MOST = 1e9  # ms (12 days) or mJ that an image can take
NULLS = csv.ConvertOptions()  # cells that count as empty; NaN is a number that something computed
NULLS.null_values = [text for text in NULLS.null_values if text.strip("+-").lower() != "nan"]
OTHER_SEPARATORS = (";", "\t", "|")  # than commas, as some spreadsheets write them


def column_names(path: Path, option: str) -> list[str]:
    """The column names of a table; ``option`` is the recipe's key of its path, for the message.

    Raises:
        DuonasError: no such file, or it cannot be read.
    """
    if not path.is_file():
        raise DuonasError(f"{option}: {path} is a folder." if path.is_dir() else f"{option}: there is no file {path}.")
    return list(_read_csv(path)[0].column_names) if _is_csv(path) else parquet.column_names(path)


def about(path: Path) -> dict[str, str]:
    """The metadata of a table: that of Parquet, or the lines ``# key = value`` above the header of a CSV file."""
    if _is_csv(path):
        return _read_csv(path)[1]
    found = parquet.read_table(path, columns=[]).schema.metadata or {}
    try:
        return {key.decode(): value.decode() for key, value in found.items() if key != b"pandas"}
    except UnicodeDecodeError as error:
        raise DuonasError(f"{path}: its metadata are not texts: {error}.") from error


def read_figures(
    path: Path, option: str, key: tuple[str, str], figures: Mapping[str, str], row: str = "arch"
) -> tuple[list[str | None], list[np.ndarray]]:
    """Read the keys of a table's N rows and some columns of numbers, (N,) each, NaN where a number is missing.

    Args:
        path: the file.
        option: the recipe's key of its path, for messages.
        key: the recipe's key that names the column of keys, and that column.
        figures: columns of numbers by the recipe's key that names them.
        row: what a row describes, for messages.

    Raises:
        DuonasError: no such file or column, no rows, a repeated key, a column without numbers, or a NaN in a table of
            blocks, where a missing number is an empty cell.
    """
    there = column_names(path, option)
    for named_by, column in (key, *figures.items()):
        if column not in there:
            raise DuonasError(f"{named_by}: {path} has no column {column!r}: {nearest(column, there)}.")
    wanted = list(dict.fromkeys([key[1], *figures.values()]))
    table = _read_csv(path)[0].select(wanted) if _is_csv(path) else parquet.read_table(path, columns=wanted)
    if not table.num_rows:
        raise DuonasError(f"{path} has no rows.")
    texts = _texts(path, key[1], table[key[1]], row)
    if row == "block":
        for column in figures.values():
            _refuse_nan(path, column, table[column], texts)
    return texts, [_numbers(path, column, table[column]) for column in figures.values()]


def read_texts(path: Path, column: str) -> list[str | None] | None:
    """Read a column of N texts; ``None`` if the table has no such column.

    Raises:
        DuonasError: the column holds something else.
    """
    if column not in (_read_csv(path)[0].column_names if _is_csv(path) else parquet.column_names(path)):
        return None
    values = _read_csv(path)[0][column] if _is_csv(path) else parquet.read_table(path, columns=[column])[column]
    if not _is_text(values):
        raise DuonasError(f"{path}: column {column!r} holds {values.type}, expected texts.")
    found: list[str | None] = values.to_pylist()
    return found


def possible(path: Path, column: str, values: np.ndarray, texts: Sequence[str | None]) -> list[float]:
    """The values (N,) of a column as a list.

    Raises:
        DuonasError: a value is negative or too large, or none is above 0.
    """
    wrong = np.flatnonzero((values < 0) | (values > MOST))
    if len(wrong):
        raise DuonasError(
            f"{path}: column {column!r} has {values[wrong[0]]:g} for {texts[wrong[0]]!r}, expected a finite "
            f"number that is not negative, {MOST:g} at most."
        )
    if not (values > 0).any():
        raise DuonasError(f"{path}: column {column!r} has no number above 0.")
    found: list[float] = values.tolist()
    return found


def write_table(path: Path, columns: Mapping[str, Sequence[Any]], about: Mapping[str, str]) -> Path:
    """Write a table atomically, as CSV if the file name ends in ``.csv``, else as Parquet."""
    if not _is_csv(path):
        table = pa.table(dict(columns))
        return parquet.write_rows(path, table.to_pylist(), table.schema.with_metadata(dict(about)))
    head = "".join(f"{MARK}{key} = {value}\n" for key, value in about.items()).encode()
    sink = io.BytesIO()
    csv.write_csv(pa.table(dict(columns)), sink)
    return write_atomic(path, lambda temporary: temporary.write_bytes(head + sink.getvalue()))


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _read_csv(path: Path) -> tuple[pa.Table, dict[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
        said = [line.removeprefix(MARK).partition("=") for line in lines if line.startswith(MARK)]
        rest = "".join(line for line in lines if not line.startswith(MARK))
        table = csv.read_csv(io.BytesIO(rest.encode()), convert_options=NULLS)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DuonasError(f"{path} cannot be read as CSV: {str(error).splitlines()[0].rstrip('.')}.") from error
    separator = next((each for each in OTHER_SEPARATORS if each in table.column_names[0]), None)
    if separator is not None and table.num_columns == 1:
        raise DuonasError(f"{path}: its columns are separated by {separator!r}, expected commas.")
    return table, {key.strip(): value.strip() for key, _, value in said}


def _texts(path: Path, name: str, column: pa.ChunkedArray, row: str) -> list[str | None]:
    if not _is_text(column):
        article = "an" if row[0] in "aeiou" else "a"
        raise DuonasError(f"{path}: column {name!r} holds {column.type}, expected the text of {article} {row}.")
    texts: list[str | None] = column.to_pylist()
    for text, times in Counter(texts).items():
        if times > 1 and text is not None:
            raise DuonasError(f"{path} has the {row} {text!r} more than once.")
    return texts


def _is_text(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _refuse_nan(path: Path, name: str, column: pa.ChunkedArray, texts: Sequence[str | None]) -> None:
    for number, (value, text) in enumerate(zip(column.to_pylist(), texts, strict=True), 1):
        if isinstance(value, float) and np.isnan(value):
            raise DuonasError(
                f"{path}: column {name!r} has NaN in row {number}, for {text!r}, expected a number; an empty cell "
                "counts as missing."
            )


def _numbers(path: Path, name: str, column: pa.ChunkedArray) -> np.ndarray:
    kind, types = column.type, pa.types
    if not any(fits(kind) for fits in (types.is_floating, types.is_integer, types.is_decimal, types.is_null)):
        raise DuonasError(f"{path}: column {name!r} holds {kind}, expected numbers.")
    values = np.array([np.nan if value is None else value for value in column.to_pylist()], dtype=float)
    if np.isnan(values).all():
        raise DuonasError(f"{path}: column {name!r} has no numbers.")
    return values
