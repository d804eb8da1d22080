"""Lists the images of tables: one file, or a folder of them in which files and folders are named after splits."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from duonas.core.errors import DuonasError, nearest
from duonas.core.text import plural
from duonas.data.lazy import Concatenated, Subset
from duonas.data.listing import Listing, Problem, Skipped
from duonas.data.sources._rows import LINES, NO_SPLIT, PARQUET, SUFFIXES, TEXT, Columns, Rows, read_rows
from duonas.data.sources._split_names import SPLIT_NAMES, split_in_name, split_name
from duonas.data.sources._walk import find_images, shown

METADATA = "metadata"  # Hugging Face's ImageFolder has a table of this name beside the images


def list_table(path: Path, columns: Columns, images: Path | None = None) -> Listing:
    """List the images that tables name or hold.

    Args:
        path: a CSV, JSON-lines or Parquet file, or a folder of them.
        columns: the names of the columns.
        images: folder to which the paths of images are relative; default: that of each table.

    Raises:
        DuonasError: a table cannot be read or has other columns, or there are fewer than two classes.
    """
    files = _tables(path)
    tables = [read_rows(file, columns, images or file.parent) for file in files]
    owners = [_split_of_file(path, file) for file in files]
    splits = np.array(_splits(files, tables, owners), object)
    names = [name for table in tables for name in table.names]
    labels = [label for table in tables for label in table.labels]
    problems: list[Problem] = []
    class_names, numbers = _classes(path, tables, labels, splits)
    found = np.array([numbers.get(_text(label), -1) for label in labels], np.int64)
    _check_labels(names, labels, found, class_names, problems)
    rows = np.flatnonzero(found >= 0)
    root = path if path.is_dir() else path.parent
    return Listing(
        names=[names[row] for row in rows],
        images=Subset(Concatenated([table.images for table in tables]), rows.tolist()),
        labels=found[rows],
        splits=splits[rows],
        class_names=class_names,
        root=images or root,
        table=path,
        skipped=tuple(_unnamed(files, tables, images, problems)),
        problems=tuple(problems),
    )


def _tables(path: Path) -> list[Path]:
    """The files of a data set; of several kinds in a folder, metadata first, then Parquet."""
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise DuonasError(f"{path} is not a table that is read; expected one of {', '.join(SUFFIXES)}.")
        return [path]
    if not path.is_dir():
        raise DuonasError(f"data.path {str(path)!r} does not exist; expected a table, or a folder of tables.")
    below = [each for each in sorted(path.rglob("*")) if each.is_file()]
    seen = [each for each in below if not any(part.startswith(".") for part in each.relative_to(path).parts)]
    tables = [each for each in seen if each.suffix.lower() in SUFFIXES]
    for wanted in (METADATA, *PARQUET, *TEXT, *LINES):
        chosen = [each for each in tables if wanted in (each.stem.lower(), each.suffix.lower())]
        if chosen:
            return chosen
    raise DuonasError(f"{path} holds no table; expected files that end in {', '.join(SUFFIXES)}.")


def _split_of_file(path: Path, file: Path) -> str:
    """The split that a file such as ``labels_train.csv`` or ``test/metadata.csv`` is named after."""
    if file == path:
        return ""
    inside = file.relative_to(path)
    return split_in_name(inside.stem) or next(filter(None, map(split_name, reversed(inside.parts[:-1]))), "")


def _splits(files: Sequence[Path], tables: Sequence[Rows], owners: Sequence[str]) -> list[str]:
    """The split of each row: by its column, else by its file.

    Raises:
        DuonasError: a value is not the name of a split.
    """
    splits = []
    for file, table, owner in zip(files, tables, owners, strict=True):
        for value in table.splits:
            split = split_name(str(value)) if value is not None else owner
            if value is not None and not split:
                raise DuonasError(
                    f"{file} has the split {str(value)!r}; expected one of {', '.join(SPLIT_NAMES)} (to read no "
                    f"splits, set [data] split_column = {NO_SPLIT!r})."
                )
            splits.append(split)
    return splits if "train" in splits or "" in splits else [""] * len(splits)


def _classes(
    path: Path, tables: Sequence[Rows], labels: Sequence[Any], splits: np.ndarray
) -> tuple[tuple[str, ...], dict[str | None, int]]:
    """The names of the classes, and the number of each label as text."""
    named = {table.class_names for table in tables}
    if len(named) == 1 and (names := next(iter(named))) and all(isinstance(label, int | None) for label in labels):
        return names, {str(number): number for number in range(len(names))}
    for label in labels:
        if isinstance(label, list | dict) or (isinstance(label, float) and not label.is_integer()):
            raise DuonasError(f"{path} has the label {label!s:.60}; expected the name or number of one class.")
    outside = {_text(label) for label, split in zip(labels, splits, strict=True) if split not in ("val", "test")}
    texts = [text for text in outside if text is not None]
    ordered = (
        sorted(texts, key=lambda text: (int(text), text))
        if all(re.fullmatch(r"-?\d+", text) for text in texts)
        else sorted(texts)
    )
    if len(ordered) < 2:
        only = f"only one class, {ordered[0]!r}" if ordered else "no labelled images"
        raise DuonasError(f"{path} has {only}; a classifier needs at least two classes.")
    return tuple(ordered), {text: number for number, text in enumerate(ordered)}


def _text(label: Any) -> str | None:
    """A label as text; 1 and 1.0 are one class, and so are both ways to write an accented letter."""
    if label is None:
        return None
    if isinstance(label, float):
        label = int(label)
    return unicodedata.normalize("NFC", str(label))


def _check_labels(
    names: Sequence[str], labels: Sequence[Any], found: np.ndarray, class_names: Sequence[str], problems: list[Problem]
) -> None:
    """Rows without a label, or with one that no training image has."""
    wrong: dict[str | None, list[str]] = defaultdict(list)
    for row in np.flatnonzero(found < 0).tolist():
        wrong[_text(labels[row])].append(names[row])
    for label, rows in wrong.items():
        images = plural(len(rows), "image")
        if label is None:
            problems.append(Problem("unlabelled", f"{images} without a label", tuple(rows), error=True))
        else:
            message = f"{images} of the class {label!r}, which is not one to train on: {nearest(label, class_names)}"
            problems.append(Problem("unknown class", message, tuple(rows), error=True))


def _unnamed(
    files: Sequence[Path], tables: Sequence[Rows], images: Path | None, problems: list[Problem]
) -> list[Skipped]:
    """Images beside a table of metadata, or in the folder of images, that no row names."""
    if images is None and files[0].stem.lower() != METADATA:
        return []
    folders = [images] if images is not None else [file.parent for file in files]
    named = {image for table in tables for image in table.images if isinstance(image, Path)}
    found = {folder / image for folder in folders for image in find_images(folder).images}
    unnamed = sorted(found - named)
    if unnamed:
        message = f"no row of a table names {len(unnamed):,} of the images, which are not used"
        problems.append(Problem("unnamed", message, tuple(map(shown, unnamed))))
    return [Skipped(shown(image), "no row of a table names it") for image in unnamed]
