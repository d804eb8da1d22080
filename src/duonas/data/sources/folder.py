"""A folder of one's own images: one subfolder a class, images of any size and format that Pillow reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from duonas.core.errors import DuonasError, nearest
from duonas.core.protocols import Progress, silent
from duonas.data.decode import decode_all
from duonas.data.images import Images, Source
from duonas.data.ondisk import Pixels

DEFAULT_SIDE = 32  # the size of the CIFAR presets: small enough to train on a CPU; photographs deserve more
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


Decode = Callable[[list[Path], Path, int, Progress], Pixels]


def in_memory(files: list[Path], root: Path, size: int, progress: Progress) -> Tensor:
    """Images as one tensor (N, 3, size, size) uint8."""
    return decode_all([str(file) for file in files], files, size, progress)


def read_folder(path: str | None, size: int, progress: Progress = silent, decode: Decode = in_memory) -> Source:
    """Images from ``path/CLASS/*``, or from ``path/train/CLASS/*`` and, if it is there, ``path/test/CLASS/*``.

    Class names are the folders' names, sorted. Images may lie deeper inside a class folder; files that have no image
    suffix and hidden ones are passed over. Every image becomes ``size`` x ``size``: short side resized, centre cropped.

    Args:
        path: the folder.
        size: side of the images in pixels.
        progress: told the number of images decoded.
        decode: makes pixels (N, 3, size, size) of N files below a root; by default in memory.

    Raises:
        DuonasError: no such folder, fewer than two classes, a class without images, an image that cannot be read.
    """
    if path is None:
        raise DuonasError("data.name = 'folder' needs data.path: a folder that holds one subfolder of images a class.")
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DuonasError(f"data.path {str(root)!r} is not a folder; expected one subfolder of images a class in it.")
    parted = bool(_subfolders(root / "train"))
    train = root / "train" if parted else root
    class_names = _classes(train)
    files = _files(train, class_names)
    test_files: list[tuple[Path, int]] = []
    if parted and _subfolders(root / "test"):
        _check_known(root / "test", class_names)
        test_files = _files(root / "test", class_names)
    pixels = decode([file for file, _ in files + test_files], root, size, progress)
    labels = torch.tensor([label for _, label in files + test_files])
    images, test = (Images(pixels[part], labels[part]) for part in (slice(len(files)), slice(len(files), None)))
    return Source(images, test if test_files else None, class_names)


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
        raise DuonasError(f"{folder} has no class folders; expected one subfolder of images a class.")
    if len(names) == 1:
        raise DuonasError(f"{folder} has only one class, {names[0]!r}; a classifier needs at least two.")
    return names


def _check_known(folder: Path, class_names: tuple[str, ...]) -> None:
    for entry in _subfolders(folder):
        if entry.name not in class_names:
            raise DuonasError(f"{entry} is no class of the train folder; {nearest(entry.name, class_names)}")


def _files(folder: Path, class_names: tuple[str, ...]) -> list[tuple[Path, int]]:
    """The image files with their labels, by class and name."""
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
