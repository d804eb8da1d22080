"""Reading the small files of sysfs in which the kernel shows its sensors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

from ..energy import MeterError


def folders(root: Path, pattern: str) -> Iterator[Path]:
    """Yield the folders below ``root`` that match a glob pattern, in order of their numbers."""
    yield from sorted((path for path in root.glob(pattern) if path.is_dir()), key=lambda path: (len(str(path)), path))


def text(path: Path) -> str:
    """Return the content of a file on one line; empty if there is none or it cannot be read."""
    try:
        return " ".join(path.read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return ""


def integer(path: Path) -> int | None:
    """Return the whole number that a file holds; ``None`` if there is no such file or its sensor is switched off.

    Raises:
        MeterError: the file cannot be read, or holds something else.
    """
    try:
        return int(path.read_text(encoding="ascii", errors="replace"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise MeterError(
            f"{path} can be read by root only: run as root, or allow it by `sudo chmod a+r {path}`."
        ) from error
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENODEV, errno.EAGAIN):
            return None
        raise MeterError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise MeterError(f"{path} must hold a whole number, got {text(path)[:40]!r}.") from error


def needed(path: Path) -> int:
    """Return the whole number of a file that was there before.

    Raises:
        MeterError: it is no longer there, or cannot be read.
    """
    found = integer(path)
    if found is None:
        raise MeterError(f"{path} no longer says anything: the meter is gone.")
    return found
