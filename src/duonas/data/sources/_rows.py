"""Reads the rows of a table of labelled images: CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import pyarrow as pa

from duonas.core.errors import DuonasError, nearest
from duonas.core.parquet import column_names, read_field, read_schema, read_table
from duonas.data.lazy import ParquetColumn
from duonas.data.listing import Stored

TEXT, LINES, PARQUET = (".csv", ".tsv"), (".jsonl", ".ndjson"), (".parquet",)
SUFFIXES = (*TEXT, *LINES, *PARQUET)
# Usual names of columns, the likeliest first.
IMAGES = (
    "file_name", "image", "img", "path", "filepath", "file_path", "filename", "file", "image_path", "image_file",
    "image_name", "image_id", "id",
)  # fmt: skip
LABELS = ("label", "labels", "class", "class_name", "classname", "category", "target", "y")
SPLITS = ("split", "subset", "partition")
DELIMITERS = ",;\t|"
NO_SPLIT = "none"  # value of split_column
LONGEST = 255  # bytes of the name of a file
TRIED = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG", ".webp", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True)
class Columns:
    """The columns of a table by name; ``None``: by their usual names."""

    image: str | None = None
    label: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Rows:
    """The rows of one table.

    Args:
        names: name (N,) of each image.
        images: N paths or encoded bytes.
        labels: N values, ``None`` where there is none.
        splits: N values, ``None`` where there is none.
        class_names: names of the classes where labels are numbers of them, else ``None``.
    """

    names: Sequence[str]
    images: Sequence[Stored]
    labels: Sequence[Any]
    splits: Sequence[Any]
    class_names: tuple[str, ...] | None = None


def read_rows(path: Path, columns: Columns, folder: Path, *, by_end: bool = False) -> Rows:
    """Read a table.

    Args:
        path: the file.
        columns: the names of its columns.
        folder: to which paths of images are relative.
        by_end: whether an absolute path that is not there, such as one of another computer, is looked for in ``folder``
            by the end of it.

    Raises:
        DuonasError: it cannot be read, or lacks a column.
    """
    if path.suffix.lower() in PARQUET:
        return _parquet(path, columns, folder, by_end)
    cells = _csv(path) if path.suffix.lower() in TEXT else _json_lines(path)
    image, label, split = _choose(path, list(cells), columns, folder)
    count = len(cells[image])
    values = list(map(_path_of, cells[image]))
    return Rows(
        names=[_name(path, row, value) for row, value in enumerate(values)],
        images=[_resolved(folder, value, by_end=by_end) for value in values],
        labels=[_blank(value) for value in cells[label]],
        splits=[_blank(value) for value in cells[split]] if split else [None] * count,
    )


def _choose(path: Path, names: list[str], columns: Columns, folder: Path) -> tuple[str, str, str | None]:
    """The columns of images, labels and splits."""
    image = _column(path, names, columns.image, IMAGES, "image")
    if image is None:
        if names and (folder / names[0]).is_file():
            raise DuonasError(f"{path} has no header: its first row must name the columns, such as file_name,label.")
        raise DuonasError(f"{path} has no column of images among {_listed(names)}: name it by [data] image_column.")
    split = None
    if columns.split != NO_SPLIT:
        split = _column(path, names, columns.split, SPLITS, "split")
    rest = [name for name in names if name not in (image, split)]
    label = _column(path, rest, columns.label, LABELS, "label")
    if label is None and len(rest) == 1:
        label = rest[0]
    if label is None:
        raise DuonasError(f"{path} has no column of labels among {_listed(rest)}: name it by [data] label_column.")
    return image, label, split


def _column(path: Path, names: list[str], given: str | None, usual: Sequence[str], what: str) -> str | None:
    """The column that was named, or the first with a usual name in any case."""
    if given is not None:
        if given not in names:
            hint = nearest(given, names) if names else "it has none"
            raise DuonasError(f"{path} has no column {given!r}, which [data] {what}_column names: {hint}.")
        return given
    lower = {name.strip().lower(): name for name in reversed(names)}
    return next((lower[name] for name in usual if name in lower), None)


def _csv(path: Path) -> dict[str, list[Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            delimiter = "\t" if path.suffix.lower() == ".tsv" else max(DELIMITERS, key=head.count)
            rows = [row for row in csv.reader(file, delimiter=delimiter, skipinitialspace=True) if row]
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise DuonasError(f"{path} cannot be read as CSV: {_why(error)}.") from error
    if not rows:
        raise DuonasError(f"{path} is empty; expected a header and one row for each image.")
    header = [name.strip() for name in rows[0]]
    if len(set(header)) < len(header):
        raise DuonasError(f"{path} has two columns of one name: {_listed(header)}.")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise DuonasError(
                f"row {number} of {path} has {len(row)} values, but the header {len(header)}: {_listed(row)}."
            )
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(header)}


def _json_lines(path: Path) -> dict[str, list[Any]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        raise DuonasError(f"{path} cannot be read as JSON lines: {_why(error)}.") from error
    rows = [_object(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}


def _object(path: Path, number: int, line: str) -> Mapping[str, Any]:
    """The JSON object in a line of a file."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DuonasError(f"line {number} of {path} is not JSON: {error.msg} at column {error.colno}.") from error
    except (ValueError, RecursionError) as error:
        raise DuonasError(f"line {number} of {path} is not JSON: {_why(error)}.") from error
    if not isinstance(row, dict):
        raise DuonasError(f"line {number} of {path} is not an object such as {{...}}.")
    return row


def _parquet(path: Path, columns: Columns, folder: Path, by_end: bool) -> Rows:
    schema = read_schema(path)
    encoded = [field.name for field in schema if _is_encoded(field.type)]
    if columns.image is None and len(encoded) == 1:
        columns = Columns(encoded[0], columns.label, columns.split)
    image, label, split = _choose(path, column_names(path), columns, folder)
    table = read_table(path, columns=[label, *([split] if split else [])])
    images: Sequence[Stored]
    if image in encoded:
        paths = read_field(path, image, "path") if _has_paths(schema.field(image).type) else [None] * len(table)
        images = ParquetColumn(path, image, folder)
        rows = (f"row {row} of {path}" for row in range(len(paths)))
        names = [f"{where} ({row})" if where else row for where, row in zip(paths, rows, strict=True)]
    elif pa.types.is_string(schema.field(image).type) or pa.types.is_large_string(schema.field(image).type):
        values = read_table(path, columns=[image])[image].to_pylist()
        names = [_name(path, row, value) for row, value in enumerate(values)]
        images = [_resolved(folder, value, by_end=by_end) for value in values]
    else:
        raise DuonasError(
            f"column {image!r} of {path} is {schema.field(image).type}; expected paths, bytes, or structs of both."
        )
    return Rows(
        names=names,
        images=images,
        labels=[_blank(value) for value in table[label].to_pylist()],
        splits=table[split].to_pylist() if split else [None] * len(names),
        class_names=class_names(schema, label),
    )


def _is_encoded(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return "bytes" in {field.name for field in kind}
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _has_paths(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind)) and "path" in {field.name for field in kind}


def class_names(schema: pa.Schema, label: str) -> tuple[str, ...] | None:
    """The names of the classes of a column of labels in the metadata of Hugging Face; ``None`` without."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return tuple(str(name) for name in features[label]["names"])
    except (ValueError, LookupError, TypeError):
        return None


def is_foreign(name: str, image: Stored) -> bool:
    r"""Whether an image is an absolute path of Windows that is not there, such as ``C:\pictures\1.png``."""
    return isinstance(image, Path) and PureWindowsPath(name).is_absolute() and not _exists(image)


def _path_of(value: Any) -> Any:
    """The path of a cell, also of one such as ``{"path": ...}``."""
    return value.get("path") if isinstance(value, dict) and isinstance(value.get("path"), str) else value


def _name(path: Path, row: int, value: Any) -> str:
    """What an image is called in messages; a path that is none, such as encoded bytes as text, is too long for that."""
    text = "" if _blank(value) is None else str(_blank(value))
    return text if 0 < len(text) <= LONGEST else f"row {row} of {path}"


def _resolved(folder: Path, value: Any, *, by_end: bool) -> Path | bytes:
    """The file that a table means: with the other slash, or with a suffix, where it does not exist as written."""
    if _blank(value) is None:
        return b""  # which is reported as an empty image
    text = str(value).strip()
    path = folder / text
    if _exists(path):
        return path
    if "\\" in text and _exists(other := folder / text.replace("\\", "/")):
        return other
    if by_end and (len(text) <= LONGEST * 16) and (end := _end(folder, text)):
        return end
    if not Path(text).suffix:
        return next((other for suffix in TRIED if _exists(other := Path(f"{path}{suffix}"))), path)
    return path


def _end(folder: Path, text: str) -> Path | None:
    """The file in ``folder`` with the longest end of an absolute path of this or another system."""
    found = PureWindowsPath(text)
    if not found.anchor:
        return None
    ends = (folder.joinpath(*found.parts[first:]) for first in range(1, len(found.parts)))
    return next(filter(_exists, ends), None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a zero byte: decoding says why
        return False


def _blank(value: Any) -> Any:
    """A value, ``None`` where there is none: NaN is what pandas writes for that."""
    if isinstance(value, str):
        return value.strip() or None
    return None if value != value else value


def _listed(names: Sequence[Any]) -> str:
    return ", ".join(map(str, names)) or "none"


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return (getattr(error, "strerror", None) or str(error)).rstrip(".")
