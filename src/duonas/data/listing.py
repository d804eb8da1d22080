"""What a data source offers, before any image is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Stored = Path | bytes | np.ndarray  # an image that is not decoded yet: a file, the bytes of one, or an array
ELSEWHERE = "elsewhere"  # kind of the problem that files are on another computer
OWN_SPLITS = ("train", "val", "test")  # splits that a data set can come with; calib is always split off


@dataclass(frozen=True)
class Skipped:
    """A file or folder that is not used.

    Args:
        name: its path.
        reason: why, such as ``"not an image format that is read"``.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with the data.

    Args:
        kind: of problem, such as ``"broken"``, ``"empty class"`` or ``"leak"``.
        message: one sentence.
        names: the images, files or classes it concerns.
        error: whether it stops a run; otherwise it is a warning.
    """

    kind: str
    message: str
    names: tuple[str, ...] = ()
    error: bool = False


@dataclass(frozen=True, eq=False)
class Listing:
    """The labelled images of a data source, not decoded yet.

    Args:
        names: name (N,) of each image in messages: its path, or its row in a table.
        images: N files, encoded bytes, or arrays (H, W) or (H, W, C).
        labels: (N,) int64.
        splits: (N,) of ``OWN_SPLITS``, or ``""`` for images that are to be split.
        class_names: (K,).
        root: folder of the data, or ``None``.
        table: file that names or holds the images, or a folder of such files, or ``None``.
        skipped: files that are not used.
        problems: found so far.
    """

    names: Sequence[str]
    images: Sequence[Stored]
    labels: np.ndarray
    splits: np.ndarray
    class_names: tuple[str, ...]
    root: Path | None = None
    table: Path | None = None
    skipped: tuple[Skipped, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.names)
