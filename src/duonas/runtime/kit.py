"""The kit that carries a bundle to a device, and the check of its files. What measures a device is ``device_kit``.

A kit is a folder with ``kit.json``, which has the SHA-256 of every other file, the folder ``bundle``, wheels, and
programs that need numpy and ONNX Runtime alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import all_suffixes
from pathlib import Path
from reprlib import repr as short
from typing import Any

from .errors import BundleError
from .files import MOST_MODEL, opened, read
from .strict_json import parse_json

KIND, VERSION = "kit", 1
MANIFEST, BUNDLE, WHEELS = "kit.json", "bundle", "wheels"
MOST_MANIFEST = 2**20  # bytes
MOST_FILES = 200
PART = r"[A-Za-z0-9_+][A-Za-z0-9_.+-]*"  # of a path; none begins with a dot
NAME = re.compile(rf"(?:{PART}/)?{PART}")
SHA_256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Kit:
    """A kit whose files are those that it was written with.

    Args:
        folder: of the kit.
        duonas: the version of duonas that wrote it.
        files: SHA-256 of each file by its path in the kit, with ``/`` between folder and file.
    """

    folder: Path
    duonas: str
    files: Mapping[str, str]

    @property
    def bundle(self) -> Path:
        """The folder of the bundle."""
        return self.folder / BUNDLE


def is_kit(folder: Path) -> bool:
    """Whether a folder says that it is a kit."""
    return (folder / MANIFEST).is_file()


def open_kit(folder: Path) -> Kit:
    """Compare all files of a kit with their checksums; nothing of it is run.

    Raises:
        BundleError: a file is missing, another one, or not of the kit and such as Python would import in its place.
    """
    kit = _read(folder)
    for name, expected in kit.files.items():
        with opened(folder / name, MOST_MODEL) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise BundleError(f"{folder / name} is not the file that the kit was written with: copy the kit again.")
    for stranger in _importable(folder, kit.files):
        raise BundleError(f"{stranger} is not of the kit, but Python would import it: remove it.")
    return kit


def _read(folder: Path) -> Kit:
    path = folder / MANIFEST
    try:
        value = parse_json(read(path, MOST_MANIFEST))
        if not isinstance(value, dict) or (value.get("kind"), value.get("version")) != (KIND, VERSION):
            raise ValueError(f"expected a {KIND} of version {VERSION}")
        return Kit(folder, _text(value["duonas"]), _checksums(value["files"]))
    except KeyError as error:
        raise BundleError(f"{path} is damaged: {error.args[0]!r} is missing.") from error
    except (TypeError, ValueError) as error:
        raise BundleError(f"{path} is damaged: {error}.") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {short(value)}")
    return value


def _checksums(files: Any) -> dict[str, str]:
    if not isinstance(files, dict) or not 0 < len(files) <= MOST_FILES:
        raise TypeError(f"files must be an object of 1 to {MOST_FILES} files, got {short(files)}")
    for name, checksum in files.items():
        if not NAME.fullmatch(name):
            raise ValueError(f"{short(name)} must be the name of a file of the kit, in at most one folder")
        if not isinstance(checksum, str) or not SHA_256.fullmatch(checksum):
            raise ValueError(f"the checksum of {short(name)} must be a SHA-256 in hex, got {short(checksum)}")
    return files


def _importable(folder: Path, known: Mapping[str, str]) -> Iterator[Path]:
    """What a program of the kit would import from the kit's folder, which Python looks into before any other."""
    for path in sorted(folder.iterdir()):
        module = path.name.endswith(tuple(all_suffixes())) or (path / "__init__.py").exists()
        if module and path.name not in known:
            yield path
