"""Decoded images kept in a folder, so that a data set need not fit into memory: made once, then only opened."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import one_at_a_time, read_json, write_json
from duonas.core.protocols import Progress, silent
from duonas.data.decode import decode_in_order
from duonas.data.ondisk import OnDisk, Pixels

DEFAULT_CACHE = "~/.cache/duonas"
VERSION = 1  # of what is made of a file: images of another version are others
PIXELS, PART = "pixels.u8", ".part"  # of a part the name is the same, but for the suffix


def stored_images(
    files: Sequence[Path], root: Path, size: int, progress: Progress = silent, *, cache: str | None
) -> OnDisk:
    """N images, decoded as ``decode_all`` does, in a file below ``cache``; whoever comes first makes it.

    Files of the same names, sizes and times of change have it made already. Killed, the next one goes on where this
    one stopped; of several at a time one works and the others wait.

    Args:
        files: the images, all of them below ``root``.
        root: the data set's folder.
        size: side of the images in pixels.
        progress: told the number of images decoded.
        cache: a folder, made where it is not there; ``None``: ``~/.cache/duonas``.

    Raises:
        DuonasError: too little room (nothing is left behind), no permission, or an image that cannot be read.
    """
    folder = Path(cache or DEFAULT_CACHE).expanduser() / _name(files, root, size)
    path = folder / PIXELS
    try:
        if not path.exists():
            _check_room(path, len(files) * 3 * size * size)
            with one_at_a_time(folder / ".lock"):
                if not path.exists():
                    _make(path, files, size, progress)
    except OSError as error:
        where, why = error.filename or path, error.strerror or error
        raise DuonasError(f"cannot write {where}: {why}; name another folder by [data] cache.") from error
    return OnDisk.open(path, (len(files), 3, size, size))


def remembered(pixels: Pixels, key: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``find`` gives, kept beside images on disk: to look at all of them again would take minutes.

    Args:
        pixels: what it is about.
        key: names all else that it depends on.
        find: gives JSON.
    """
    if not isinstance(pixels, OnDisk):
        return find()
    path = pixels.folder / f"{key}.json"
    if not path.exists():
        if not os.access(pixels.folder, os.W_OK):  # somebody else's cache
            return find()
        try:
            with one_at_a_time(pixels.folder / ".lock"):
                if not path.exists():
                    write_json(path, find())
        except PermissionError:  # the lock is somebody else's
            return find()
    found: dict[str, Any] = read_json(path)
    return found


def _name(files: Sequence[Path], root: Path, size: int) -> str:
    """A folder's name for these files as they are now: other files, other name."""
    digest = hashlib.sha256(f"{VERSION}/{size}".encode())
    for file in files:
        about = file.stat()
        digest.update(f"\n{file.relative_to(root).as_posix()}/{about.st_size}/{about.st_mtime_ns}".encode())
    return f"{root.resolve().name or 'images'}-{size}px-{digest.hexdigest()[:16]}"


def _make(path: Path, files: Sequence[Path], size: int, progress: Progress) -> None:
    """Decode all into a file beside ``path``, on from where it ends, then put it in place.

    Raises:
        OSError: it cannot be written.
        DuonasError: an image cannot be read.
    """
    part, each, total = path.with_suffix(PART), 3 * size * size, len(files)
    done = _length(part) // each
    progress(done, total)
    try:
        with part.open("ab") as file:
            file.truncate(done * each)
            for pixels in decode_in_order([str(name) for name in files[done:]], files[done:], size):
                file.write(pixels.data)
                done += len(pixels)
                progress(done, total)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except Exception:  # a full disk, an image that is no image; after a kill or Ctrl-C it is there to go on from
        part.unlink(missing_ok=True)
        raise


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it is not there
        return 0


def _check_room(path: Path, needed: int) -> None:
    """Refuse to begin a file of so many bytes where there is no room for what is missing of it."""
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    free = shutil.disk_usage(folder).free
    missing = needed - _length(path.with_suffix(PART))
    if missing > free and not path.exists():  # another process may just have finished it
        raise DuonasError(
            f"the decoded images need {needed / 1e9:.1f} GB in {path.parent.parent} and only {free / 1e9:.1f} GB are "
            "free there: make room, name a folder on another disk by [data] cache, or take a smaller image_size."
        )
