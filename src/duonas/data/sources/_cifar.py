"""The base class of CIFAR-10 and CIFAR-100: Parquet shards in the Hugging Face image layout, or a download."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from filelock import FileLock

from duonas.core.errors import DuonasError
from duonas.core.fields import Location
from duonas.core.files import expand
from duonas.core.parquet import column_names, read_table
from duonas.data.listing import Listing
from duonas.data.options import DataOptions
from duonas.data.source import Source
from duonas.data.sources._rows import NO_SPLIT, Columns
from duonas.data.sources._tables import list_files

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "fine_label")
UNPACKED = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}  # folders of what was downloaded


class Cifar(Source, ABC):
    """CIFAR with its test split, from ``train*.parquet`` and ``test*.parquet`` or by download."""

    @dataclass(frozen=True)
    class Options(DataOptions):
        """Keys of ``[data]``."""

        path: Annotated[str | None, Location()] = None
        """Folder with the Parquet shards, at any depth; default: download to ~/.cache/duonas."""

    @property
    def downloads(self) -> bool:
        """Whether no path is given, and the cache does not have the images either."""
        return self.options.path is None and not (_cache() / UNPACKED[self.name]).is_dir()

    def list(self) -> Listing:
        """List the images.

        Raises:
            DuonasError: shards are missing or have another layout, or the download fails.
        """
        if self.options.path is None:
            return _download(self.name, _cache())
        return _read_shards(expand(self.options.path, "[data] path"))


def _cache() -> Path:
    return Path.home() / ".cache" / "duonas"


def _read_shards(folder: Path) -> Listing:
    if not folder.is_dir():
        raise DuonasError(f"data.path {str(folder)!r} is not a folder; expected one that holds Parquet shards.")
    shards = {part: sorted(folder.rglob(f"{part}*.parquet")) for part in ("train", "test")}
    for part, files in shards.items():
        if not any(len(read_table(file, columns=[])) for file in files):
            raise DuonasError(
                f"{folder} holds no images in {part}*.parquet; expected shards in the Hugging Face image layout."
            )
    first = shards["train"][0]
    columns = Columns(_column(first, IMAGE_COLUMNS), _column(first, LABEL_COLUMNS), NO_SPLIT)
    return list_files(folder, {file: part for part, files in shards.items() for file in files}, columns)


def _column(shard: Path, wanted: tuple[str, ...]) -> str:
    names = column_names(shard)
    found = next((name for name in wanted if name in names), None)
    if found is None:
        raise DuonasError(f"{shard} has no column {' or '.join(wanted)}; its columns are {', '.join(names)}.")
    return found


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
