"""Image files and encoded bytes to one uint8 tensor, with Pillow on a few threads."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.protocols import Progress, silent

CHUNK = 256  # images a task: large enough that handing out tasks costs nothing
MAX_THREADS = 8


def decode_all(names: Sequence[str], encoded: Sequence[Path | bytes], size: int, progress: Progress = silent) -> Tensor:
    """Decode N images to (N, 3, size, size) uint8 RGB: short side resized to ``size``, then the centre cropped.

    Args:
        names: what each image is called in an error, such as its path.
        encoded: a file, or the bytes of one, for each image.
        size: side of the result in pixels.
        progress: told the number of images decoded.

    Raises:
        DuonasError: an image cannot be read; the message names it.
    """
    total = len(encoded)
    pixels = np.empty((total, 3, size, size), np.uint8)

    def decode_chunk(start: int) -> int:
        stop = min(start + CHUNK, total)
        for i in range(start, stop):
            pixels[i] = _decode(names[i], encoded[i], size)
        return stop

    pool = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1))  # decoders release the interpreter's lock
    progress(0, total)
    try:
        for done in pool.map(decode_chunk, range(0, total, CHUNK)):
            progress(done, total)
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C: what has not begun is dropped
    return torch.from_numpy(pixels)


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
