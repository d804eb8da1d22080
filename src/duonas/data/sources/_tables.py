"""Lists the images of tables: one file, or a folder of them in which files and folders are named after splits."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from duonas.core.errors import DuonasError, nearest
from duonas.core.text import plural
from duonas.data.lazy import Concatenated, Subset
from duonas.data.listing import ELSEWHERE, Listing, Problem, Skipped
from duonas.data.sources._rows import LINES, NO_SPLIT, PARQUET, SUFFIXES, TEXT, Columns, Rows, is_foreign, read_rows
from duonas.data.sources._split_names import SPLIT_NAMES, split_in_name, split_name
from duonas.data.sources._walk import find_files, find_images, shown

KINDS = (*PARQUET, *TEXT, *LINES)  # of several with one name, the first is used
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
    problems: list[Problem] = []
    files, skipped = _tables(path, problems)
    listing = list_files(path, {file: _split_of_file(path, file) for file in files}, columns, images)
    return replace(listing, skipped=(*skipped, *listing.skipped), problems=(*problems, *listing.problems))


def list_files(path: Path, owners: Mapping[Path, str], columns: Columns, images: Path | None = None) -> Listing:
    """List the images of the tables of a data set.

    Args:
        path: the folder that the tables are in, or the one table.
        owners: the split of each table, for rows that do not say theirs; ``""`` for none. Images are in this order.
        columns: the names of the columns.
        images: see ``list_table``.

    Raises:
        DuonasError: as by ``list_table``.
    """
    problems: list[Problem] = []
    files = list(owners)
    tables = [_with_names(table) for table in _read_all(path, files, columns, images)]
    splits = np.array(_splits(files, tables, list(owners.values())), object)
    names = [name for table in tables for name in table.names]
    labels = _texts(path, [label for table in tables for label in table.labels])
    class_names = _classes(path, files, tables, labels, splits)
    numbers = {name: number for number, name in enumerate(class_names)}
    found = np.array([-1 if label is None else numbers.get(label, -1) for label in labels], np.int64)
    _check_labels(names, labels, found, class_names, problems)
    stored = Concatenated([table.images for table in tables])
    if images is None:
        _check_places(tables, problems)
    rows = np.flatnonzero(found >= 0)
    root = path if path.is_dir() else path.parent
    return Listing(
        names=[names[row] for row in rows],
        images=Subset(stored, rows.tolist()),
        labels=found[rows],
        splits=splits[rows],
        class_names=class_names,
        root=images or root,
        table=path,
        skipped=tuple(_unnamed(files, tables, images, problems)),
        problems=tuple(problems),
    )


def _tables(path: Path, problems: list[Problem]) -> tuple[list[Path], list[Skipped]]:
    """The files of a data set, and tables of the same rows in another format, which are not used."""
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise DuonasError(f"{path} is not a table that is read; expected one of {', '.join(SUFFIXES)}.")
        return [path], []
    if not path.is_dir():
        raise DuonasError(f"data.path {str(path)!r} does not exist; expected a table, or a folder of tables.")
    files = sorted(each for each in find_files(path) if each.suffix.lower() in SUFFIXES)
    if not files:
        raise DuonasError(f"{path} holds no table; expected files that end in {', '.join(SUFFIXES)}.")
    beside = {file.parent for file in files if file.stem.lower() == METADATA}
    best: dict[tuple[Path, str], Path] = {}
    for file in sorted(files, key=lambda each: KINDS.index(each.suffix.lower())):
        if file.parent not in beside or file.stem.lower() == METADATA:
            best.setdefault((file.parent, file.stem), file)
    used = sorted(best.values())
    unused = [file for file in files if file not in used]
    if unused:
        are = "is" if len(unused) == 1 else "are"
        message = f"{plural(len(unused), 'table')} beside a table of the same name or {METADATA} {are} not used"
        problems.append(Problem("unused table", message, tuple(map(shown, unused))))
    return used, [Skipped(shown(file), "beside a table that is used") for file in unused]


def _read_all(path: Path, files: Sequence[Path], columns: Columns, images: Path | None) -> list[Rows]:
    """The rows of each file.

    Raises:
        DuonasError: some cannot be used; it names all of these.
    """
    tables, failed = list[Rows](), dict[Path, str]()
    for file in files:
        try:
            tables.append(read_rows(file, columns, images or file.parent, by_end=images is not None))
        except DuonasError as error:
            if len(files) == 1:
                raise
            failed[file] = str(error)
    if failed:
        good = [file for file in files if file not in failed] or list(files)
        usable = next((file for file in good if _split_of_file(path, file) == "train"), good[0])
        lines = "".join(f"\n- {why}" for why in failed.values())
        raise DuonasError(
            f"{len(failed)} of {plural(len(files), 'table')} in {path} cannot be used; name the file to read by "
            f"data.path, such as {str(usable)!r}, or move the others away:{lines}"
        )
    return tables


def _with_names(table: Rows) -> Rows:
    """A table with the names of its classes in place of their numbers, where it knows them; -1 is no label."""
    names = table.class_names
    if names is None or not all(isinstance(label, int | None) for label in table.labels):
        return replace(table, class_names=None)
    labels = [
        None if label is None or label == -1 else names[label] if 0 <= label < len(names) else f"number {label}"
        for label in table.labels
    ]
    return replace(table, labels=labels)


def _split_of_file(path: Path, file: Path) -> str:
    """The split that a file such as ``labels_train.csv`` or ``test/metadata.csv`` is named after."""
    if file == path:
        return ""
    inside = file.relative_to(path)
    return split_in_name(inside.stem) or next(filter(None, map(split_name, reversed(inside.parts[:-1]))), "")


def _splits(files: Sequence[Path], tables: Sequence[Rows], owners: Sequence[str]) -> list[str]:
    """The split of each row: by its column, else by its file.

    Raises:
        DuonasError: a value is not the name of a split, or a file is of none beside others that are.
    """
    splits = []
    for file, table, owner in zip(files, tables, owners, strict=True):
        if "train" in owners and not owner and None in table.splits:
            raise DuonasError(
                f"{file} is named after no split, but {files[owners.index('train')]} is: name it after train, val or "
                "test, or name the file to read by data.path."
            )
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
    path: Path, files: Sequence[Path], tables: Sequence[Rows], labels: Sequence[str | None], splits: np.ndarray
) -> tuple[str, ...]:
    """The names of the classes: those that all tables know, else the sorted labels of all images to train on."""
    named = {table.class_names for table in tables}
    if len(named) == 1 and (names := next(iter(named))):
        return names
    for file, table in zip(files, tables, strict=True):
        if len(named) > 1 and table.class_names is None and any(isinstance(label, int) for label in table.labels):
            raise DuonasError(
                f"{file} has numbers for classes, and other tables beside it the names of theirs, so they cannot be "
                "compared; expected names in all, or in none."
            )
    texts = {text for text, split in zip(labels, splits, strict=True) if split not in ("val", "test") and text}
    numbers = all(re.fullmatch(r"-?\d+", text) for text in texts)
    ordered = sorted(texts, key=lambda text: (int(text), text)) if numbers else sorted(texts)
    if len(ordered) < 2:
        only = f"only one class, {ordered[0]!r}" if ordered else "no labelled images"
        raise DuonasError(f"{path} has {only}; a classifier needs at least two classes.")
    return tuple(ordered)


def _texts(path: Path, labels: Sequence[Any]) -> list[str | None]:
    """Labels as text; where all are whole numbers, 1 and 1.0 are one class, in CSV, too.

    Raises:
        DuonasError: a label is not the name or number of one class.
    """
    for label in labels:
        if isinstance(label, list | dict) or (isinstance(label, float) and not label.is_integer()):
            raise DuonasError(f"{path} has the label {label!s:.60}; expected the name or number of one class.")
    texts = [None if label is None else unicodedata.normalize("NFC", str(label)) for label in labels]
    if all(text is None or re.fullmatch(r"-?\d+(\.0*)?", text) for text in texts):
        return [None if text is None else text.partition(".")[0] for text in texts]
    return texts


def _check_places(tables: Sequence[Rows], problems: list[Problem]) -> None:
    """Say how to use absolute paths of another computer."""
    away = tuple(
        name
        for table in tables
        if isinstance(table.images, list)
        for name, image in zip(table.names, table.images, strict=True)
        if is_foreign(name, image)
    )
    if away:
        message = (
            f"{plural(len(away), 'image')} with an absolute path that is not on this computer: set [data] images to "
            "the folder of the images, in which files are then looked for by the end of such a path, at least the name"
        )
        problems.append(Problem(ELSEWHERE, message, away, error=True))


def _check_labels(
    names: Sequence[str],
    labels: Sequence[str | None],
    found: np.ndarray,
    class_names: Sequence[str],
    problems: list[Problem],
) -> None:
    """Rows without a label, or with one that no training image has."""
    wrong: dict[str | None, list[str]] = defaultdict(list)
    for row in np.flatnonzero(found < 0).tolist():
        wrong[labels[row]].append(names[row])
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
