"""The base class of CIFAR-10 and CIFAR-100: Parquet shards in the Hugging Face image layout, or a download."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock

from duonas.core.errors import DuonasError
from duonas.core.fields import Location
from duonas.core.files import expand
from duonas.core.parquet import column_names, read_table
from duonas.data.listing import Listing
from duonas.data.options import DataOptions
from duonas.data.source import Source
from duonas.data.sources._rows import class_names

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "fine_label")


class Cifar(Source, ABC):
    """CIFAR with its test split, from ``train*.parquet`` and ``test*.parquet`` or by download."""

    @dataclass(frozen=True)
    class Options(DataOptions):
        """Keys of ``[data]``."""

        path: Annotated[str | None, Location()] = None
        """Folder with the Parquet shards, at any depth; default: download to ~/.cache/duonas."""

    def list(self) -> Listing:
        """List the images.

        Raises:
            DuonasError: shards are missing or have another layout, or the download fails.
        """
        if self.options.path is None:
            return _download(self.name, Path.home() / ".cache" / "duonas")
        return _read_shards(expand(self.options.path, "[data] path"))


def _read_shards(folder: Path) -> Listing:
    if not folder.is_dir():
        raise DuonasError(f"data.path {str(folder)!r} is not a folder; expected one that holds Parquet shards.")
    train, test = _table(folder, "train"), _table(folder, "test")
    class_names = _class_names(train)
    if len(class_names) < 2:
        raise DuonasError(f"{folder} holds images of {len(class_names)} classes; a classifier needs at least two.")
    rows = pa.concat_tables([train, test])
    return Listing(
        names=rows["name"].to_pylist(),
        images=rows["bytes"].to_pylist(),
        labels=np.concatenate([_labels(part, len(class_names)) for part in (train, test)]),
        splits=np.array(["train"] * len(train) + ["test"] * len(test)),
        class_names=class_names,
        root=folder,
    )


def _table(folder: Path, part: str) -> pa.Table:
    """Return all rows of the part's shards as columns ``name`` (for error messages), ``bytes`` and ``label``."""
    shards = sorted(folder.rglob(f"{part}*.parquet"))
    table = pa.concat_tables([_read(shard) for shard in shards]) if shards else ()
    if not len(table):
        raise DuonasError(
            f"{folder} holds no images in {part}*.parquet; expected shards in the Hugging Face image layout."
        )
    return table


def _read(shard: Path) -> pa.Table:
    names = column_names(shard)
    image, label = _column(shard, names, IMAGE_COLUMNS), _column(shard, names, LABEL_COLUMNS)
    table = read_table(shard, columns=[image, label])
    kind = table.schema.field(image).type
    if not pa.types.is_struct(kind) or {"bytes", "path"} - {field.name for field in kind}:
        raise DuonasError(f"column {image!r} of {shard} is {kind}; expected a struct of bytes and path.")
    if table[label].null_count or not pa.types.is_integer(table.schema.field(label).type):
        raise DuonasError(f"column {label!r} of {shard} must hold an integer for each image.")
    encoded, paths = (pc.struct_field(table[image], name) for name in ("bytes", "path"))
    if encoded.null_count:
        raise DuonasError(f"column {image!r} of {shard} has rows without bytes; the images must be inside the shard.")
    columns = {
        "name": pa.array([f"{path} (row {row} of {shard})" for row, path in enumerate(paths.to_pylist())], pa.string()),
        "bytes": encoded.cast(pa.large_binary()),  # 64-bit offsets, for more than 2 GiB
        "label": table[label].cast(pa.int64()),
    }
    return pa.table(columns, metadata=table.schema.metadata)


def _column(shard: Path, names: list[str], wanted: tuple[str, ...]) -> str:
    found = next((name for name in wanted if name in names), None)
    if found is None:
        raise DuonasError(f"{shard} has no column {' or '.join(wanted)}; its columns are {', '.join(names)}.")
    return found


def _class_names(train: pa.Table) -> tuple[str, ...]:
    """Return the class names from the shards' metadata; the labels themselves if it has none."""
    found = (class_names(train.schema, label) for label in LABEL_COLUMNS)
    return next(filter(None, found), tuple(map(str, range(1 + pc.max(train["label"]).as_py()))))


def _labels(table: pa.Table, classes: int) -> np.ndarray:
    labels = table["label"].to_numpy().astype(np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        name = table["name"][int(wrong[0])]
        raise DuonasError(f"the image {name} has the label {labels[wrong[0]]}; expected 0 to {classes - 1}.")
    return labels


def _download(name: str, root: Path) -> Listing:
    from torchvision import datasets  # here, because importing torchvision takes seconds and only this needs it

    dataset = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    try:
        with FileLock(root / ".lock"):  # only one of several processes downloads
            train, test = (dataset(str(root), train=part, download=True) for part in (True, False))
    except (OSError, RuntimeError) as error:  # no network, a damaged archive, a full disk
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise DuonasError(
            f"cannot download {name} to {root} ({reason}); set data.path to a folder of its Parquet shards instead."
        ) from error
    counts = len(train.data), len(test.data)
    return Listing(
        names=[f"{name} {part} image {i}" for part, n in zip(("train", "test"), counts, strict=True) for i in range(n)],
        images=[*train.data, *test.data],
        labels=np.concatenate([np.array(part.targets, np.int64) for part in (train, test)]),
        splits=np.repeat(["train", "test"], counts),
        class_names=tuple(train.classes),
    )
