"""A folder of your own images: one subfolder per class, images of any size and format that Pillow reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from duonas.core.errors import DuonasError, nearest
from duonas.core.fields import Location
from duonas.core.files import expand
from duonas.data.listing import Listing
from duonas.data.options import DataOptions
from duonas.data.source import Source

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


class Folder(Source):
    """Images from ``path/CLASS/*``, or from ``path/train/CLASS/*`` and, if it exists, ``path/test/CLASS/*``.

    Class names are the sorted names of the folders. Images may be in subfolders of a class folder; hidden files and
    those without an image suffix are ignored. Images are resized by their short side and cropped to the central square.
    """

    @dataclass(frozen=True)
    class Options(DataOptions):
        """Keys of ``[data]``."""

        name: str = "folder"
        path: Annotated[str | None, Location()] = None
        """Folder with one subfolder of images per class."""

    def list(self) -> Listing:
        """List the images.

        Raises:
            DuonasError: the folder is missing, or a class or its images are.
        """
        root = self._root()
        parted = bool(_subfolders(root / "train"))
        train = root / "train" if parted else root
        class_names = _classes(train)
        files = _files(train, class_names)
        test_files: list[tuple[Path, int]] = []
        if parted and _subfolders(root / "test"):
            _check_known(root / "test", class_names)
            test_files = _files(root / "test", class_names)
        found = files + test_files
        return Listing(
            names=[str(file) for file, _ in found],
            images=[file for file, _ in found],
            labels=np.array([label for _, label in found], np.int64),
            splits=np.array([""] * len(files) + ["test"] * len(test_files)),
            class_names=class_names,
            root=root,
        )

    def _root(self) -> Path:
        if self.options.path is None:
            raise DuonasError("data.name = 'folder' needs data.path: a folder with one subfolder of images per class.")
        root = expand(self.options.path, "[data] path")
        if not root.is_dir():
            raise DuonasError(
                f"data.path {str(root)!r} is not a folder; expected one with a subfolder of images per class."
            )
        return root


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DuonasError(f"cannot read the folder {folder}: {error.strerror or error}.") from error


def _classes(folder: Path) -> tuple[str, ...]:
    names = tuple(entry.name for entry in _subfolders(folder))
    if not names:
        raise DuonasError(f"{folder} has no class folders; expected one subfolder of images per class.")
    if len(names) == 1:
        raise DuonasError(f"{folder} has only one class, {names[0]!r}; a classifier needs at least two.")
    return names


def _check_known(folder: Path, class_names: tuple[str, ...]) -> None:
    for entry in _subfolders(folder):
        if entry.name not in class_names:
            raise DuonasError(f"{entry} is not a class of the train folder: {nearest(entry.name, class_names)}.")


def _files(folder: Path, class_names: tuple[str, ...]) -> list[tuple[Path, int]]:
    found: list[tuple[Path, int]] = []
    for label, name in enumerate(class_names):
        if not (folder / name).is_dir():  # a class may be missing from test/
            continue
        files = sorted(file for file in (folder / name).rglob("*") if _is_image(file))
        if not files:
            raise DuonasError(f"the class folder {folder / name} is empty; expected images such as .png or .jpg in it.")
        found += [(file, label) for file in files]
    return found


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
