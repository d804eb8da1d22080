"""A cache of decoded images on disk, for data sets that do not fit into memory: each image is decoded once.

The images of a cache are in one file that only grows, each in all sizes that are wanted of it. Beside it, an index says
which image each row is, by name, size and time of change, so that a new or changed image is decoded and the others are
not.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from filelock import FileLock

from duonas.core.errors import DuonasError
from duonas.core.files import expand, read_json, write_json
from duonas.core.parquet import read_table, write_rows
from duonas.core.protocols import Progress, silent
from duonas.data.decode import decode_in_order
from duonas.data.facts import ImageFact, ImageFacts
from duonas.data.lazy import Subset
from duonas.data.listing import Listing
from duonas.data.ondisk import OnDisk, Pixels
from duonas.runtime.prepare import Preparation

DEFAULT_CACHE = "~/.cache/duonas"
VERSION = 3  # of decoding; a cache of another version is not used
PIXELS = "pixels.u8"  # a row (3, H, H) an image, of which row 0 is black: images that cannot be read
COMMIT = 64 << 20  # bytes of pixels after which the index is written
SCHEMA = pyarrow.schema(
    [("stamp", pyarrow.string())]
    + [
        (name, {int: pyarrow.int32(), float: pyarrow.float32()}.get(type(value), pyarrow.string()))
        for name, value in ImageFact()._asdict().items()
    ]
)
Known = dict[str, tuple[int, ImageFact]]  # row and facts of each image in the cache, by its stamp


def stored_images(
    listing: Listing, preparations: Sequence[Preparation], progress: Progress = silent, *, cache: str | None
) -> tuple[list[OnDisk], ImageFacts]:
    """Decode N images as ``decode_sizes`` does into a file below ``cache``, but those that are there already.

    After a kill the next call goes on where decoding stopped; of several processes one decodes and the others wait.

    Args:
        listing: the images.
        preparations: how an image becomes a square of each size.
        progress: called with the number of images decoded.
        cache: a folder, created if needed; ``None``: ``~/.cache/duonas``.

    Raises:
        DuonasError: too little disk space (nothing is left behind) or no permission.
    """
    folder = expand(cache or DEFAULT_CACHE, "[data] cache") / _name(listing, preparations)
    sides = [preparation.image_size for preparation in preparations]
    each = sum(3 * side**2 for side in sides)
    stamps = [_stamp(listing, i) for i in range(len(listing))]
    broken: dict[int, ImageFact] = {}
    try:
        known = _index(folder, each)
        if any(stamp not in known for stamp in stamps):
            missing = len(set(stamps) - known.keys())
            _check_room(folder, (missing + 1) * each)
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                known = _index(folder, each)
                broken = _add(folder, listing, stamps, known, preparations, progress)
    except OSError as error:
        where, why = error.filename or folder / PIXELS, error.strerror or error
        raise DuonasError(f"cannot write {where}: {why}; name another folder by [data] cache.") from error
    rows = np.array([0 if i in broken else known[stamp][0] for i, stamp in enumerate(stamps)], np.int64)
    facts = ImageFacts.of(broken[i] if i in broken else known[stamp][1] for i, stamp in enumerate(stamps))
    return [pixels[rows] for pixels in OnDisk.open(folder / PIXELS, len(known) + 1, sides)], facts


def remembered(pixels: Pixels, key: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``find`` gives, cached beside images on disk, since reading all of them again would take minutes.

    Args:
        pixels: the images that the value depends on.
        key: name of the cache file, unique to whatever the value depends on, including the rows of the images.
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


def _stamp(listing: Listing, i: int) -> str:
    """What identifies an image as it is now, without decoding it."""
    try:
        image = listing.images[i]
    except Exception:  # of a user's own data set; decoding says why
        return f"{i}/missing"
    if not isinstance(image, Path):
        head = f"{image.dtype.str}{image.shape}".encode() if isinstance(image, np.ndarray) else b""
        return hashlib.sha256(head + (image.tobytes() if isinstance(image, np.ndarray) else image)).hexdigest()
    try:
        about = image.stat()
    except (OSError, ValueError):  # a dangling link, or no path at all
        return f"{image}/missing"
    name = os.fsencode(os.path.relpath(image, listing.root) if listing.root else image)
    # The time of change (ctime) cannot be set, so another data set that was unpacked here is not taken for this one.
    changed = f"/{about.st_size}/{about.st_mtime_ns}/{about.st_ctime_ns}".encode()
    return hashlib.sha256(name + changed).hexdigest()


def _name(listing: Listing, preparations: Sequence[Preparation]) -> str:
    """The name of the folder for images of this data set, prepared in these ways, which differ in size alone."""
    root = listing.root.resolve().name if listing.root else ""
    preparation, sides = preparations[0], "-".join(f"{each.image_size}px" for each in preparations)
    whites = {"white": preparation.white, "float": preparation.float_white}
    white = "".join(f"-{name}{value:g}" for name, value in whites.items() if value is not None)
    return f"{root or 'images'}-{sides}-{preparation.resize}{white}-v{VERSION}"


def _index(folder: Path, each: int) -> Known:
    """Row and facts of each image in the cache, of ``each`` bytes.

    Raises:
        DuonasError: the file does not hold the images.
    """
    known: Known = {}
    for path in _pieces(folder):
        for columns in read_table(path).to_pylist():
            stamp = columns.pop("stamp")
            known[stamp] = (len(known) + 1, ImageFact(**columns))
    path = folder / PIXELS
    found = path.stat().st_size if path.exists() else 0
    if known and found < (len(known) + 1) * each:
        raise DuonasError(f"{path} is damaged: it holds {found} bytes; delete its folder to have all decoded again.")
    return known


def _pieces(folder: Path) -> list[Path]:
    return sorted(folder.glob("index-*.parquet"))


def _add(
    folder: Path,
    listing: Listing,
    stamps: Sequence[str],
    known: Known,
    preparations: Sequence[Preparation],
    progress: Progress,
) -> dict[int, ImageFact]:
    """Decode what ``known`` lacks, add it there, and return the facts of the images that cannot be read.

    Raises:
        OSError: it cannot be written; the cache is then as before.
    """
    firsts = {stamps[i]: i for i in reversed(range(len(stamps)))}  # images that are the same file are decoded once
    missing = sorted(i for each, i in firsts.items() if each not in known)
    done, total = len(stamps) - len(missing), len(stamps)
    progress(done, total)
    broken: dict[str, ImageFact] = {}
    each_image = sum(3 * preparation.image_size**2 for preparation in preparations)
    with _Writer(folder, each_image, known) as writer:
        number = 0
        for chunks, facts in decode_in_order(Subset(listing.images, missing), preparations):
            for *squares, fact in zip(*chunks, facts, strict=True):
                each = stamps[missing[number]]
                number += 1
                if fact.broken:  # not kept: tomorrow it may be readable
                    broken[each] = fact
                else:
                    writer.add(each, squares, fact)
            progress(done + number, total)
    return {i: broken[each] for i, each in enumerate(stamps) if each in broken}


class _Writer:
    """Appends images to a cache. What was added is kept after a kill or Ctrl-C, and taken back if the disk is full.

    Args:
        folder: the cache, locked.
        each: bytes of an image.
        known: the images of the cache, to which those that are added are added.
    """

    def __init__(self, folder: Path, each: int, known: Known) -> None:
        self._folder, self._each, self._known = folder, each, known
        self._begun = len(known)
        self._pending: list[Mapping[str, Any]] = []

    def __enter__(self) -> _Writer:
        path = self._folder / PIXELS
        self._file = path.open("r+b" if path.exists() else "w+b")
        try:
            if self._file.seek(0, os.SEEK_END) == 0:
                self._file.write(bytes(self._each))
            self._rewind(self._begun)
        except OSError:
            self._undo()
            raise
        return self

    def add(self, stamp: str, squares: Sequence[np.ndarray], fact: ImageFact) -> None:
        """Add one image (3, H, H) in each size."""
        for pixels in squares:
            self._file.write(pixels.data)
        self._known[stamp] = (len(self._known) + 1, fact)
        self._pending.append({"stamp": stamp, **fact._asdict()})
        if len(self._pending) * self._each >= COMMIT:
            self._commit()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        try:
            if not isinstance(error, OSError | DuonasError):
                self._commit()
        except (OSError, DuonasError):
            self._undo()
            raise
        if isinstance(error, OSError | DuonasError):
            self._undo()
        self._file.close()

    def _commit(self) -> None:
        """Write the index of what was added, after the pixels are safe."""
        self._file.flush()
        os.fsync(self._file.fileno())
        if self._pending:
            first = len(self._known) - len(self._pending)
            write_rows(self._folder / f"index-{first:09}.parquet", self._pending, SCHEMA)
            self._pending = []

    def _undo(self) -> None:
        for path in _pieces(self._folder):
            if int(path.stem.removeprefix("index-")) >= self._begun:
                path.unlink()
        try:
            self._rewind(self._begun)
            self._file.close()
        except OSError as error:  # a full disk has no room for the buffer either
            if error.errno != errno.ENOSPC:
                raise
        if not self._begun:
            (self._folder / PIXELS).unlink(missing_ok=True)

    def _rewind(self, images: int) -> None:
        self._file.seek((images + 1) * self._each)
        self._file.truncate()


def _check_room(folder: Path, needed: int) -> None:
    """Refuse ``needed`` more bytes where the disk has no room for them."""
    place = next(place for place in folder.absolute().parents if place.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise DuonasError(
            f"the decoded images need {needed / 1e9:.1f} GB in {folder.parent} and only {free / 1e9:.1f} GB are "
            "free there: make room, name a folder on another disk by [data] cache, or set a smaller image_size."
        )
