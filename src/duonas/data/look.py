"""What is known of an image before it is decoded: which files are images, their sides and their mode."""

from __future__ import annotations

import io
import os
import warnings
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from duonas.data.facts import ImageFact
from duonas.data.listing import Listing, Stored
from duonas.runtime.pillow import is_deep, stored_mode, values_of
from duonas.runtime.prepare import colours_of

# Formats are named, since Pillow would also open videos, and start programs for PostScript.
FORMATS = (
    "AVIF", "BMP", "GIF", "HEIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "QOI", "TIFF", "WEBP",
)  # fmt: skip
SUFFIXES = frozenset({
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe",
    ".jpeg", ".jpg", ".jpx", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tif", ".tiff", ".webp",
})  # fmt: skip
# Images, too, that are not read: they must not be passed over like a text.
OTHER_SUFFIXES = frozenset({
    ".arw", ".cr2", ".cr3", ".dcm", ".dng", ".emf", ".eps", ".exr", ".hdr", ".icns", ".jxl", ".nef", ".orf", ".pef",
    ".psd", ".raf", ".raw", ".rw2", ".svg", ".svgz", ".tga", ".wmf", ".xcf",
})  # fmt: skip


def look(stored: Stored) -> ImageFact:
    """Sides and mode of an image, from its head, and the peak of one of more than 8 bits; empty if it cannot be read.

    Sides are not told apart: width may be the height of an image that is to be turned.
    """
    try:
        if isinstance(stored, np.ndarray):
            return ImageFact(stored.shape[1], stored.shape[0], mode_of_array(stored), peak=peak_of(stored))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(read_file(stored)), formats=formats()) as image:
                (width, height), mode = image.size, stored_mode(image)
                return ImageFact(width, height, mode, peak=peak_of(values_of(image)) if is_deep(image) else 0.0)
    except Exception:  # the pass over all images says why
        return ImageFact()


def look_around(listing: Listing, most: int) -> list[ImageFact]:
    """Look at some images of a listing, spread over all of it; empty facts of those that cannot be read."""
    rows = np.unique(np.linspace(0, len(listing) - 1, min(most, len(listing))).astype(int))
    return [_look_at(listing, row) for row in rows.tolist()]


def _look_at(listing: Listing, row: int) -> ImageFact:
    try:
        return look(listing.images[row])
    except Exception:  # of a user's own data set; the pass over all images says why
        return ImageFact()


@cache
def formats() -> tuple[str, ...]:
    """The formats that this installation reads; HEIF with the extra ``heif``."""
    Image.init()
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        pass
    else:
        register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def read_file(stored: Path | bytes) -> bytes:
    """The bytes of an encoded image.

    Raises:
        ValueError: there is no file, or it is empty.
        OSError: it cannot be read.
    """
    if isinstance(stored, bytes):
        data = stored
    elif stored.is_symlink() and not stored.exists():
        raise ValueError(f"a link to {os.readlink(stored)}, which does not exist")
    elif stored.exists() and not stored.is_file():
        raise ValueError("not a file")
    else:
        data = stored.read_bytes()
    if not data:
        raise ValueError("the file is empty")
    return data


def mode_of_array(array: np.ndarray) -> str:
    """The mode of an image that is an array, with its type, such as ``"RGB uint8"``."""
    channels = array.shape[2] if array.ndim == 3 else 1
    return f"{ {1: 'L', 2: 'LA', 3: 'RGB', 4: 'RGBA'}.get(channels, channels) } {array.dtype}"


def peak_of(array: np.ndarray) -> float:
    """The largest value of an image of more than 8 bits, apart from alpha; 0 of another."""
    return float(colours_of(array).max(initial=0)) if array.dtype.kind in "iuf" and array.dtype.itemsize > 1 else 0.0
