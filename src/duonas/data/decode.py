"""Decodes images to square 8-bit RGB and notes what is known of each, with Pillow in a few threads.

Images that cannot be read do not end the pass: they are black, and their facts say why.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.protocols import Progress, silent
from duonas.data.facts import ImageFact, ImageFacts
from duonas.data.listing import Stored
from duonas.runtime.pillow import SIXTEEN, is_deep, lost_bits, stored_mode, values_of
from duonas.runtime.prepare import Preparation, colours_of
from duonas.runtime.resize import Box, columns_first

CHUNK = 64  # images in a task: few enough tasks to cost nothing, and little memory in images that wait
MAX_THREADS = 8
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
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # brands in a file's first bytes


def decode_all(
    images: Sequence[Stored], preparation: Preparation, progress: Progress = silent
) -> tuple[Tensor, ImageFacts]:
    """Decode N images to (N, 3, H, H) uint8 RGB, with the facts of each.

    Args:
        images: a file, the bytes of one, or an array for each image.
        preparation: how an image becomes a square.
        progress: called with the number of images decoded.
    """
    size = preparation.image_size
    try:
        pixels, facts = np.empty((len(images), 3, size, size), np.uint8), list[ImageFact]()
    except (MemoryError, ValueError) as error:  # ValueError: more bytes than there are addresses
        raise DuonasError(
            f"{len(images):,} images of {size} x {size} pixels do not fit into memory ({3 * size**2 * len(images):.2g} "
            "bytes): set a smaller [data] image_size, or store = 'disk'."
        ) from error
    progress(0, len(images))
    for chunk, about in decode_in_order(images, preparation):
        pixels[len(facts) : len(facts) + len(chunk)] = chunk
        facts += about
        progress(len(facts), len(images))
    return torch.from_numpy(pixels), ImageFacts.of(facts)


def decode_in_order(images: Sequence[Stored], preparation: Preparation) -> Iterator[tuple[np.ndarray, list[ImageFact]]]:
    """Decode as ``decode_all`` does, in contiguous parts (M, 3, H, H), few of them in memory at a time."""
    threads, size = min(MAX_THREADS, os.cpu_count() or 1), preparation.image_size

    def decode_chunk(start: int) -> tuple[np.ndarray, list[ImageFact]]:
        stop = min(start + CHUNK, len(images))
        pixels, facts = np.zeros((stop - start, 3, size, size), np.uint8), []
        for i in range(start, stop):
            facts.append(_decode(images, i, preparation, pixels[i - start]))
        return pixels, facts

    starts = iter(range(0, len(images), CHUNK))
    pool = ThreadPoolExecutor(threads)  # decoders release the interpreter's lock
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of odd metadata and large images, which name no file
        try:
            waiting = deque(pool.submit(decode_chunk, start) for start in islice(starts, threads + 1))
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(decode_chunk, start) for start in islice(starts, 1))
        finally:
            pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C tasks that have not begun are dropped


def look(stored: Stored) -> ImageFact:
    """Sides and mode of an image, from its head, and the peak of one of more than 8 bits; empty if it cannot be read.

    Sides are not told apart: width may be the height of an image that is to be turned.
    """
    try:
        if isinstance(stored, np.ndarray):
            return ImageFact(stored.shape[1], stored.shape[0], _mode(stored), peak=_peak(stored))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(_read(stored)), formats=formats()) as image:
                (width, height), mode = image.size, stored_mode(image)
                return ImageFact(width, height, mode, peak=_peak(values_of(image)) if is_deep(image) else 0.0)
    except Exception:  # the pass over all images says why
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


def _decode(images: Sequence[Stored], i: int, preparation: Preparation, into: np.ndarray) -> ImageFact:
    """Decode image ``i`` to (3, H, H) uint8."""
    fact = ImageFact()
    stored: Stored = b""
    try:
        stored = images[i]  # of a user's own data set, this may fail in any way
        if isinstance(stored, np.ndarray):
            fact = fact._replace(encoded=_digest_of_array(stored), mode=_mode(stored))
            values = stored
        else:
            data = _read(stored)
            fact = fact._replace(encoded=hashlib.sha256(data).hexdigest())
            values, fact = _open(data, fact)
        fact = fact._replace(peak=fact.peak or _peak(values))
        image = Image.fromarray(preparation.rgb(values))
        width, height = image.size
        _fit(image, preparation, into)
    except Exception as error:  # Pillow's decoders fail with many types: OSError, SyntaxError, struct.error, ...
        into[:] = 0
        return ImageFact(encoded=fact.encoded, broken=_reason(error, stored))
    counts = np.bincount(into.reshape(-1), minlength=256)
    share, levels = counts / into.size, np.arange(256)
    mean = float(share @ levels)
    return fact._replace(
        width=width,
        height=height,
        pixels=hashlib.sha256(np.ascontiguousarray(into).data).hexdigest(),
        std=float(np.sqrt(share @ (levels - mean) ** 2)),
        clipped=float(share[0] + share[255]),
    )


def _read(stored: Path | bytes) -> bytes:
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


def _open(data: bytes, fact: ImageFact) -> tuple[np.ndarray, ImageFact]:
    """Decode an encoded image, upright but not resized."""
    with Image.open(io.BytesIO(data), formats=formats()) as image:
        mode, note = stored_mode(image), _loss(image)  # known only before the image is loaded
        values = values_of(image)
    peak = 257.0 * values[..., :3].max() if note.startswith(SIXTEEN) else 0.0
    return values, fact._replace(mode=mode, note=note, peak=peak)


def _loss(image: Image.Image) -> str:
    """What is lost when this image is read; empty for most."""
    lost = [lost_bits(image), "the first of several frames" if getattr(image, "is_animated", False) else ""]
    return " and ".join(filter(None, lost))


def _fit(image: Image.Image, preparation: Preparation, into: np.ndarray) -> None:
    """Resize to the square ``into`` (3, H, H), which is black."""
    size, box = preparation.size(*image.size), preparation.box(*image.size)
    fitted = _resized(image, size, box)
    left, upper = preparation.place(size)
    into[:, upper : upper + size[1], left : left + size[0]] = np.asarray(fitted).transpose(2, 0, 1)


def _resized(image: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
    """Resize one side after the other, in the order that a device has."""
    (width, height), (left, upper, right, lower) = image.size, box
    if columns_first(size, box):
        image = image.resize((width, size[1]), Image.Resampling.BILINEAR, (0, upper, width, lower))
        return image.resize(size, Image.Resampling.BILINEAR, (left, 0, right, size[1]))
    image = image.resize((size[0], height), Image.Resampling.BILINEAR, (left, 0, right, height))
    return image.resize(size, Image.Resampling.BILINEAR, (0, upper, size[0], lower))


def _mode(array: np.ndarray) -> str:
    channels = array.shape[2] if array.ndim == 3 else 1
    return f"{ {1: 'L', 2: 'LA', 3: 'RGB', 4: 'RGBA'}.get(channels, channels) } {array.dtype}"


def _peak(array: np.ndarray) -> float:
    """The largest value of an image of more than 8 bits, apart from alpha; 0 of another."""
    return float(colours_of(array).max(initial=0)) if array.dtype.kind in "iuf" and array.dtype.itemsize > 1 else 0.0


def _digest_of_array(array: np.ndarray) -> str:
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def _reason(error: Exception, stored: Stored) -> str:
    if isinstance(error, UnidentifiedImageError):
        head = _read(stored)[:12] if not isinstance(stored, np.ndarray) else b""
        if head[4:8] == b"ftyp" and head[8:12] in HEIC and "HEIF" not in formats():
            return "HEIC images need pillow-heif: pip install 'duonas[heif]'"
        suffix = stored.suffix.lower() if isinstance(stored, Path) else ""
        return (
            f"{suffix} is not a format that is read"
            if suffix in OTHER_SUFFIXES
            else "not an image file that Pillow knows"
        )
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).rstrip(".").split()) or type(error).__name__
