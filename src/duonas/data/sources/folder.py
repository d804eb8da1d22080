"""A folder of your own images: one subfolder per class, images of any size and format that Pillow reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch

from duonas.core.errors import DuonasError, nearest
from duonas.core.fields import Location
from duonas.core.files import expand
from duonas.core.protocols import Progress, silent
from duonas.data.decode import decode_all
from duonas.data.images import Images
from duonas.data.ondisk import Pixels
from duonas.data.options import DataOptions
from duonas.data.source import DataSet, Source
from duonas.data.store import stored_images

DEFAULT_SIDE = 32  # as in the CIFAR recipes: small enough to train on a CPU
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
        store: Annotated[Literal["memory", "disk"], Location(path=False)] = "memory"
        """Where to keep decoded images: in the memory of the training device, which is fastest; or in a file on disk,
        read a batch at a time, for more images than fit into memory."""
        cache: Annotated[str | None, Location(created=True)] = None
        """Folder for the decoded images of store = "disk"; default: ~/.cache/duonas."""

    def read(self, progress: Progress = silent) -> DataSet:
        """Read the images.

        Raises:
            DuonasError: the folder is missing, a class or its images are missing, or an image cannot be read.
        """
        root, size = self._root(), self.options.image_size or DEFAULT_SIDE
        parted = bool(_subfolders(root / "train"))
        train = root / "train" if parted else root
        class_names = _classes(train)
        files = _files(train, class_names)
        test_files: list[tuple[Path, int]] = []
        if parted and _subfolders(root / "test"):
            _check_known(root / "test", class_names)
            test_files = _files(root / "test", class_names)
        pixels = self._decode([file for file, _ in files + test_files], root, size, progress)
        labels = torch.tensor([label for _, label in files + test_files])
        images, test = (Images(pixels[part], labels[part]) for part in (slice(len(files)), slice(len(files), None)))
        return DataSet(images, test if test_files else None, class_names)

    def _root(self) -> Path:
        if self.options.path is None:
            raise DuonasError("data.name = 'folder' needs data.path: a folder with one subfolder of images per class.")
        root = expand(self.options.path, "[data] path")
        if not root.is_dir():
            raise DuonasError(
                f"data.path {str(root)!r} is not a folder; expected one with a subfolder of images per class."
            )
        return root

    def _decode(self, files: list[Path], root: Path, size: int, progress: Progress) -> Pixels:
        if self.options.store == "disk":
            return stored_images(files, root, size, progress, cache=self.options.cache)
        return decode_all([str(file) for file in files], files, size, progress)


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
