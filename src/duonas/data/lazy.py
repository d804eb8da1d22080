"""Sequences of images that are read when they are asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow
from pyarrow import parquet

from duonas.data.listing import Stored

KEPT = 4  # row groups in memory: images are read in order, by a few threads


class Subset(Sequence[Stored]):
    """Some images of a sequence, by their rows."""

    def __init__(self, images: Sequence[Stored], rows: Sequence[int]) -> None:
        self._images, self._rows = images, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, i: Any) -> Any:
        return self._images[self._rows[i]]


class Concatenated(Sequence[Stored]):
    """The images of several sequences, one after the other."""

    def __init__(self, sequences: Sequence[Sequence[Stored]]) -> None:
        self._sequences = sequences
        self._ends = list(accumulate(map(len, sequences)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, i: Any) -> Any:
        number = bisect_right(self._ends, i)
        return self._sequences[number][i - (self._ends[number - 1] if number else 0)]


class ParquetColumn(Sequence[Stored]):
    """The encoded images of a Parquet file: bytes, or structs of bytes and path as of Hugging Face.

    Args:
        path: the file.
        column: its column of images.
        folder: where images lie of which there are no bytes but a path.
    """

    def __init__(self, path: Path, column: str, folder: Path) -> None:
        self._path, self._column, self._folder = path, column, folder
        metadata = parquet.read_metadata(path)
        self._ends = list(accumulate(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)))
        self._kept: OrderedDict[int, pyarrow.ChunkedArray] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, i: Any) -> Any:
        number = bisect_right(self._ends, i)
        cell = self._group(number)[i - (self._ends[number - 1] if number else 0)].as_py()
        if isinstance(cell, dict):
            path = cell.get("path")
            cell = cell.get("bytes") or (self._folder / path if path else None)
        return cell or b""

    def _group(self, number: int) -> pyarrow.ChunkedArray:
        with self._lock:
            if number not in self._kept:
                with parquet.ParquetFile(self._path) as file:
                    self._kept[number] = file.read_row_group(number, columns=[self._column])[self._column]
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return self._kept[number]
