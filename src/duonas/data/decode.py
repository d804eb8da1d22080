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
from duonas.data.look import OTHER_SUFFIXES, formats, mode_of_array, peak_of, read_file
from duonas.runtime.pillow import SIXTEEN, lost_bits, stored_mode, values_of
from duonas.runtime.prepare import Preparation
from duonas.runtime.resize import Box, columns_first

CHUNK = 64  # images in a task: few enough tasks to cost nothing, and little memory in images that wait
MAX_THREADS = 8
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # brands in a file's first bytes
Decoded = tuple[list[np.ndarray], list[ImageFact]]  # M images in each size (M, 3, H, H), and their facts


def decode_all(
    images: Sequence[Stored], preparation: Preparation, progress: Progress = silent
) -> tuple[Tensor, ImageFacts]:
    """Decode N images to (N, 3, H, H) uint8 RGB, with the facts of each.

    Args:
        images: a file, the bytes of one, or an array for each image.
        preparation: how an image becomes a square.
        progress: called with the number of images decoded.
    """
    (pixels,), facts = decode_sizes(images, (preparation,), progress)
    return pixels, facts


def decode_sizes(
    images: Sequence[Stored], preparations: Sequence[Preparation], progress: Progress = silent
) -> tuple[list[Tensor], ImageFacts]:
    """Decode N images once, to squares of several sizes: a tensor (N, 3, H, H) uint8 for each of ``preparations``.

    The facts are of the first of them.
    """
    whole = _empty(len(images), [preparation.image_size for preparation in preparations])
    facts = list[ImageFact]()
    progress(0, len(images))
    for squares, about in decode_in_order(images, preparations):
        for pixels, chunk in zip(whole, squares, strict=True):
            pixels[len(facts) : len(facts) + len(chunk)] = chunk
        facts += about
        progress(len(facts), len(images))
    return [torch.from_numpy(pixels) for pixels in whole], ImageFacts.of(facts)


def _empty(count: int, sides: Sequence[int]) -> list[np.ndarray]:
    try:
        return [np.empty((count, 3, side, side), np.uint8) for side in sides]
    except (MemoryError, ValueError) as error:  # ValueError: more bytes than there are addresses
        needed = count * sum(3 * side**2 for side in sides)
        sizes = " and ".join(f"{side} x {side}" for side in sides)
        raise DuonasError(
            f"{count:,} images of {sizes} pixels do not fit into memory ({needed:.2g} bytes): set a smaller "
            "[data] image_size, or store = 'disk'."
        ) from error


def decode_in_order(images: Sequence[Stored], preparations: Sequence[Preparation]) -> Iterator[Decoded]:
    """Decode as ``decode_sizes`` does, in contiguous parts, few of them in memory at a time."""
    threads = min(MAX_THREADS, os.cpu_count() or 1)
    sides = [preparation.image_size for preparation in preparations]

    def decode_chunk(start: int) -> Decoded:
        stop = min(start + CHUNK, len(images))
        squares, facts = [np.zeros((stop - start, 3, side, side), np.uint8) for side in sides], []
        for i in range(start, stop):
            facts.append(_decode(images, i, preparations, [pixels[i - start] for pixels in squares]))
        return squares, facts

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


def _decode(
    images: Sequence[Stored], i: int, preparations: Sequence[Preparation], squares: Sequence[np.ndarray]
) -> ImageFact:
    """Decode image ``i`` into a square (3, H, H) uint8 for each preparation."""
    fact = ImageFact()
    stored: Stored = b""
    try:
        stored = images[i]  # of a user's own data set, this may fail in any way
        if isinstance(stored, np.ndarray):
            fact = fact._replace(encoded=_digest_of_array(stored), mode=mode_of_array(stored))
            values = stored
        else:
            data = read_file(stored)
            fact = fact._replace(encoded=hashlib.sha256(data).hexdigest())
            values, fact = _open(data, fact)
        fact = fact._replace(peak=fact.peak or peak_of(values))
        image = Image.fromarray(preparations[0].rgb(values))
        width, height = image.size
        for preparation, into in zip(preparations, squares, strict=True):
            _fit(image, preparation, into)
    except Exception as error:  # Pillow's decoders fail with many types: OSError, SyntaxError, struct.error, ...
        for into in squares:
            into[:] = 0
        return ImageFact(encoded=fact.encoded, broken=_reason(error, stored))
    seen = squares[0]
    counts = np.bincount(seen.reshape(-1), minlength=256)
    share, levels = counts / seen.size, np.arange(256)
    mean = float(share @ levels)
    return fact._replace(
        width=width,
        height=height,
        pixels=hashlib.sha256(np.ascontiguousarray(seen).data).hexdigest(),
        std=float(np.sqrt(share @ (levels - mean) ** 2)),
        clipped=float(share[0] + share[255]),
    )


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


def _digest_of_array(array: np.ndarray) -> str:
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def _reason(error: Exception, stored: Stored) -> str:
    if isinstance(error, UnidentifiedImageError):
        head = read_file(stored)[:12] if not isinstance(stored, np.ndarray) else b""
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
