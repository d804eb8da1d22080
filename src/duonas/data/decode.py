"""Decodes image files and encoded bytes to uint8 pixels, with Pillow in a few threads."""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.protocols import Progress, silent

CHUNK = 64  # images in a task: few enough tasks to cost nothing, and little memory in images that wait
MAX_THREADS = 8


def decode_all(names: Sequence[str], encoded: Sequence[Path | bytes], size: int, progress: Progress = silent) -> Tensor:
    """Decode N images to (N, 3, size, size) uint8 RGB: short side resized to ``size``, then the centre cropped.

    Args:
        names: name of each image for error messages, such as its path.
        encoded: a file, or the bytes of one, for each image.
        size: side of the result in pixels.
        progress: called with the number of images decoded.

    Raises:
        DuonasError: an image cannot be read; the message names it.
    """
    pixels = np.empty((len(encoded), 3, size, size), np.uint8)
    done = 0
    progress(done, len(encoded))
    for chunk in decode_in_order(names, encoded, size):
        pixels[done : done + len(chunk)] = chunk
        done += len(chunk)
        progress(done, len(encoded))
    return torch.from_numpy(pixels)


def decode_in_order(names: Sequence[str], encoded: Sequence[Path | bytes], size: int) -> Iterator[np.ndarray]:
    """Decode as ``decode_all`` does, in contiguous parts (M, 3, size, size), few of them in memory at a time."""
    threads = min(MAX_THREADS, os.cpu_count() or 1)

    def decode_chunk(start: int) -> np.ndarray:
        stop = min(start + CHUNK, len(encoded))
        pixels = np.empty((stop - start, 3, size, size), np.uint8)
        for i in range(start, stop):
            pixels[i - start] = _decode(names[i], encoded[i], size)
        return pixels

    starts = iter(range(0, len(encoded), CHUNK))
    pool = ThreadPoolExecutor(threads)  # decoders release the interpreter's lock
    try:
        waiting = deque(pool.submit(decode_chunk, start) for start in islice(starts, threads + 1))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(decode_chunk, start) for start in islice(starts, 1))
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C tasks that have not begun are dropped


def _decode(name: str, encoded: Path | bytes, size: int) -> np.ndarray:
    """One image to (3, size, size) uint8."""
    try:
        with Image.open(io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded) as image:
            image.draft("RGB", (2 * size, 2 * size))  # a large JPEG is decoded at a fraction of its size
            upright = ImageOps.exif_transpose(image)
            fitted = ImageOps.fit(_rgb(upright), (size, size), Image.Resampling.BILINEAR)
    except Exception as error:  # Pillow's decoders fail with many types: OSError, SyntaxError, struct.error, ...
        raise DuonasError(f"cannot read the image {name}: {_reason(error)}.") from error
    return np.asarray(fitted).transpose(2, 0, 1)


def _rgb(image: Image.Image) -> Image.Image:
    """RGB from any mode; 16-bit gray is scaled (Pillow's own conversion clips it), transparency is dropped."""
    if image.mode.startswith("I"):
        image = Image.fromarray((np.clip(np.asarray(image), 0, 65535) // 257).astype(np.uint8))
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image file that Pillow knows"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).rstrip(".") or type(error).__name__
