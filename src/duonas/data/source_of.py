"""Which of the general data sources reads a path: folders of images, or tables."""

from __future__ import annotations

from pathlib import Path

from duonas.core.errors import DuonasError
from duonas.core.files import expand
from duonas.data.sources._rows import SUFFIXES
from duonas.data.sources._split_names import split_name
from duonas.data.sources._tables import METADATA
from duonas.data.sources._walk import find_files, find_images


def source_of(path: str, key: str) -> str:
    """Return the data source for images at a path: ``"folder"``, or ``"table"`` for a table and a folder of tables.

    A folder with tables in it is one of class folders all the same, if its images lie in more than one folder that is
    not named after a split, and no table is called ``metadata``, as those of Hugging Face are.

    Args:
        path: a folder, or a file.
        key: where it was given, such as ``--images``, for messages.

    Raises:
        DuonasError: there is nothing, or a file that is no table.
    """
    place = expand(path, key)
    if place.is_dir():
        tables = [each for each in find_files(place) if each.suffix.lower() in SUFFIXES]
        described = any(each.stem.lower() == METADATA for each in tables)
        return "table" if tables and (described or _class_folders(place) < 2) else "folder"
    if place.suffix.lower() in SUFFIXES and place.is_file():
        return "table"
    what = "is no table that is read" if place.exists() else "does not exist"
    raise DuonasError(
        f"{key} {path} {what}: expected a folder with a subfolder of images per class, or a table of images and labels "
        f"({', '.join(SUFFIXES)})."
    )


def _class_folders(root: Path) -> int:
    """How many folders hold images, those of one name in several splits counted once."""
    folders = {tuple(part for part in image.parts[:-1] if not split_name(part)) for image in find_images(root).images}
    return len(folders - {()})
