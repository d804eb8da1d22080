"""A cache of decoded images on disk, for data sets that do not fit into memory: decoded once, then only opened."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from duonas.core.errors import DuonasError
from duonas.core.files import expand, read_json, write_json
from duonas.core.protocols import Progress, silent
from duonas.data.decode import decode_in_order
from duonas.data.ondisk import OnDisk, Pixels

DEFAULT_CACHE = "~/.cache/duonas"
VERSION = 1  # of decoding; a cache of another version is not used
PIXELS, PART = "pixels.u8", ".part"  # names of the complete file, and suffix of an incomplete one


def stored_images(
    files: Sequence[Path], root: Path, size: int, progress: Progress = silent, *, cache: str | None
) -> OnDisk:
    """Decode N images as ``decode_all`` does into a file below ``cache``, unless that was done before.

    The file is found again by the names, sizes and modification times of the images. After a kill the next call goes on
    where decoding stopped; of several processes one decodes and the others wait.

    Args:
        files: the images, all of them below ``root``.
        root: the data set's folder.
        size: side of the images in pixels.
        progress: called with the number of images decoded.
        cache: a folder, created if needed; ``None``: ``~/.cache/duonas``.

    Raises:
        DuonasError: too little disk space (nothing is left behind), no permission, or an image that cannot be read.
    """
    folder = expand(cache or DEFAULT_CACHE, "[data] cache") / _name(files, root, size)
    path = folder / PIXELS
    try:
        if not path.exists():
            _check_room(path, len(files) * 3 * size * size)
            with FileLock(folder / ".lock"):
                if not path.exists():
                    _make(path, files, size, progress)
    except OSError as error:
        where, why = error.filename or path, error.strerror or error
        raise DuonasError(f"cannot write {where}: {why}; name another folder by [data] cache.") from error
    return OnDisk.open(path, (len(files), 3, size, size))


def remembered(pixels: Pixels, key: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``find`` gives, cached beside images on disk, since reading all of them again would take minutes.

    Args:
        pixels: the images that the value depends on.
        key: name of the cache file, unique to whatever else the value depends on.
        find: computes the value, as JSON.
    """
    if not isinstance(pixels, OnDisk):
        return find()
    path = pixels.folder / f"{key}.json"
    if not path.exists():
        if not os.access(pixels.folder, os.W_OK):  # another user's cache
            return find()
        try:
            with FileLock(pixels.folder / ".lock"):
                if not path.exists():
                    write_json(path, find())
        except PermissionError:  # the lock belongs to another user
            return find()
    found: dict[str, Any] = read_json(path)
    return found


def _name(files: Sequence[Path], root: Path, size: int) -> str:
    """A folder name that is unique to these files as they are now."""
    digest = hashlib.sha256(f"{VERSION}/{size}".encode())
    for file in files:
        about = file.stat()
        digest.update(f"\n{file.relative_to(root).as_posix()}/{about.st_size}/{about.st_mtime_ns}".encode())
    return f"{root.resolve().name or 'images'}-{size}px-{digest.hexdigest()[:16]}"


def _make(path: Path, files: Sequence[Path], size: int, progress: Progress) -> None:
    """Decode into a file beside ``path``, on from where it ends, then rename it to ``path``.

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
    except Exception:  # a full disk or an unreadable image; after a kill or Ctrl-C the part stays to go on from
        part.unlink(missing_ok=True)
        raise


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it is not there
        return 0


def _check_room(path: Path, needed: int) -> None:
    """Refuse a file of ``needed`` bytes where the disk has no room for those that are missing."""
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    free = shutil.disk_usage(folder).free
    missing = needed - _length(path.with_suffix(PART))
    if missing > free and not path.exists():  # another process may just have finished it
        raise DuonasError(
            f"the decoded images need {needed / 1e9:.1f} GB in {path.parent.parent} and only {free / 1e9:.1f} GB are "
            "free there: make room, name a folder on another disk by [data] cache, or set a smaller image_size."
        )
