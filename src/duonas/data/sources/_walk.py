"""Finds the images below a folder, and says of everything else why it is not one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from duonas.core.errors import DuonasError
from duonas.data.listing import Skipped
from duonas.data.look import OTHER_SUFFIXES, SUFFIXES, look

SYSTEM = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__pycache__")
MADE_HERE = ("recipe.toml", "pixels.u8")  # of a run, and of a cache of decoded images


@dataclass
class Found:
    """What is below a folder.

    Args:
        images: paths relative to the folder, sorted; also those that cannot be read, which decoding says.
        folders: all folders below it that may hold images, relative.
        skipped: what is not used.
        ours: folders below it that hold a run or a cache of decoded images, relative.
    """

    images: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    ours: list[Path] = field(default_factory=list)


def find_images(root: Path) -> Found:
    """Find the images below ``root``, at any depth and through links to folders.

    Raises:
        DuonasError: a folder cannot be read.
    """
    found = Found()
    _walk(root, Path(), (os.path.realpath(root),), found)
    found.images.sort()
    found.folders.sort()
    return found


def find_files(root: Path) -> Iterator[Path]:
    """Yield all files below ``root`` that are not hidden, nor in a run or a cache."""
    for folder, inner, names in os.walk(root):
        inner[:] = [
            name for name in inner
            if not name.startswith(".") and name not in SYSTEM and not _is_ours(os.path.join(folder, name))
        ]  # fmt: skip
        yield from (path for name in names if not name.startswith(".") and (path := Path(folder, name)).is_file())


def _is_ours(folder: str) -> bool:
    return any(os.path.exists(os.path.join(folder, name)) for name in MADE_HERE)


def shown(path: Path) -> str:
    """The name of a file as text; bytes that are not UTF-8 are written as ``\\xe9``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_utf8(path: Path) -> bool:
    """Whether a name can be written as text."""
    try:
        os.fsencode(path).decode()
    except UnicodeDecodeError:
        return False
    return True


def _walk(root: Path, folder: Path, above: tuple[str, ...], found: Found) -> None:
    """Walk one folder; ``above`` are the real paths of it and of the folders that it is in."""
    try:
        entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DuonasError(f"cannot read the folder {shown(root / folder)}: {error.strerror or error}.") from error
    for entry in entries:
        path = folder / entry.name
        if not entry.is_dir():
            if reason := _not_an_image(entry):
                found.skipped.append(Skipped(shown(root / path), reason))
            else:
                found.images.append(path)
        elif reason := _not_for_images(entry, above):
            found.skipped.append(Skipped(shown(root / path), reason))
            if reason == OURS:
                found.ours.append(path)
        else:
            found.folders.append(path)
            _walk(root, path, (*above, os.path.realpath(entry.path)), found)


OURS = "a run or a cache of duonas"


def _not_for_images(entry: os.DirEntry[str], above: tuple[str, ...]) -> str:
    """Why a folder is not looked into; empty if it is."""
    if entry.name.startswith("."):
        return "a hidden folder"
    if entry.name in SYSTEM:
        return "a folder of the operating system"
    if _is_ours(entry.path):
        return OURS
    if entry.is_symlink() and os.path.realpath(entry.path) in above:
        return "a link to a folder that it is in"
    return ""


def _not_an_image(entry: os.DirEntry[str]) -> str:
    """Why a file is not used; empty if it is an image, readable or not."""
    if entry.name.startswith("."):
        return "a hidden file"
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix in SUFFIXES or suffix in OTHER_SUFFIXES:
        return ""
    if not entry.is_file():
        return "a link to nothing" if entry.is_symlink() and not os.path.exists(entry.path) else "not a file"
    return "" if look(Path(entry.path)).width else "not an image"
