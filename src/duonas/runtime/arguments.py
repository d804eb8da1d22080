"""Check the arguments that a program on a device gives: numbers, numbers of threads, paths, and images."""

from __future__ import annotations

import math
import numbers
import os
from pathlib import Path
from typing import Any

import numpy as np

from .errors import BundleError, one_line
from .pillow import is_pillow, values_of
from .prepare import ROUNDING, Preparation
from .units import NUMBER, Quantity, parse


def number(value: Any, what: str) -> float:
    """Return ``value`` as a float; infinite ones are allowed.

    Args:
        value: an int or float, also of NumPy, or an array of one number without dimensions.
        what: name of the value in messages.

    Raises:
        BundleError: it is something else, or NaN.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise BundleError(f"{what} must be a number, got {short(value)}.")
    try:
        found = float(value)
    except OverflowError:
        found = -math.inf if value != abs(value) else math.inf
    if math.isnan(found):
        raise BundleError(f"{what} must be a number or infinite, got NaN.")
    return found


def figure(value: Any, quantity: Quantity, what: str) -> float:
    """Return a number, or a text with a unit such as ``"2ms"``, as a float in the quantity's base unit.

    Raises:
        BundleError: it is neither; the message names the possible units.
    """
    if not isinstance(value, str):
        return number(value, what)
    try:
        return parse(value, quantity, what)
    except ValueError as error:
        raise BundleError(str(error)) from None


def has_unit_of(text: str, quantity: Quantity) -> bool:
    """Whether a text is a number with a unit of the quantity, such as ``"2ms"`` of a time."""
    try:
        parse(text, quantity, "")
    except ValueError:
        return False
    found = NUMBER.fullmatch(text.strip())
    return found is not None and bool(found[2].strip())


def folder_path(value: Any) -> Path:
    """Return the path of a bundle's folder.

    Raises:
        BundleError: it is no path.
    """
    try:
        return Path(value)
    except TypeError as error:
        raise BundleError(f"the folder of a bundle must be a path, got {short(value)}.") from error


def thread_count(value: Any) -> int:
    """Return ``value`` as a number of threads, 0 or more.

    Raises:
        BundleError: it is something else.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not 0 <= int(value) < 2**31:
        raise BundleError(
            f"threads must be a whole number of at least 0 (0: ONNX Runtime's default), got {short(value)}."
        )
    return int(value)


def prepared_image(image: Any, preparation: Preparation, place: int) -> np.ndarray:
    """Return one image as (3, H, W) uint8.

    Args:
        image: an array, or an image of Pillow.
        preparation: what is done to it.
        place: its number in the list, for messages.

    Raises:
        BundleError: it is not an image.
    """
    if isinstance(image, str | os.PathLike):
        raise BundleError(
            f"image {place} is a path, {short(os.fspath(image))}: open it first, as by PIL.Image.open(path), and give "
            "the image."
        )
    if isinstance(image, bytes | bytearray | memoryview):
        raise BundleError(
            f"image {place} is encoded, {len(image):,} bytes: open it first, as by PIL.Image.open(io.BytesIO(data))."
        )
    if not isinstance(image, np.ndarray) and callable(getattr(image, "numpy", None)):
        raise BundleError(
            f"image {place} is a tensor: give it as an array (H, W, 3), as by tensor.permute(1, 2, 0).numpy()."
        )
    try:  # a mask is kept, to be refused
        return preparation(values_of(image) if is_pillow(image) else np.asanyarray(image))
    except Exception as error:  # of a file that Pillow reads only now, which fails with many types
        raise BundleError(f"image {place} cannot be prepared: {one_line(error)}.") from error


def checked_images(images: Any, shape: tuple[int, int, int]) -> np.ndarray:
    """Return images (N, 3, H, W) as contiguous float32 in [0, 1].

    Args:
        images: float32 in [0, 1] or uint8; N may be 0.
        shape: (3, H, W).

    Raises:
        BundleError: shape, type or range are wrong, or values are masked; the message says what is expected.
    """
    if isinstance(images, np.ma.MaskedArray) and images.mask.any():
        raise BundleError(
            f"images has {int(images.mask.sum())} masked values: fill them first, as by images.filled(0)."
        )
    if isinstance(images, list | tuple) and len({each.shape for each in images if isinstance(each, np.ndarray)}) > 1:
        raise BundleError("images must be of one size: bundle.prepare(images) makes an array of them for predict.")
    try:
        images = np.asarray(images)
    except Exception as error:  # of any library whose arrays are given
        raise BundleError(f"images must be an array: {' '.join(str(error).split())[:200]}") from error
    _check_shape(images.shape, shape)
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    if images.dtype != np.float32:
        raise BundleError(f"images must be float32 in [0, 1] or uint8, got {images.dtype}.")
    least, most = (float(images.min()), float(images.max())) if len(images) else (0.0, 0.0)
    if not (least >= -ROUNDING and most <= 1 + ROUNDING):  # true for NaN too
        raise BundleError(f"float32 images must lie in [0, 1], got {least:g} to {most:g}; pass 0 to 255 as uint8.")
    return np.ascontiguousarray(images)


def _check_shape(given: tuple[int, ...], shape: tuple[int, int, int]) -> None:
    if len(given) == 4 and given[1:] == shape:
        return
    channels, *sides = shape
    hint = ""
    if given[1:] == (*sides, channels):
        hint = ": the channels come before the rows, as by images.transpose(0, 3, 1, 2)"
    elif given == shape:
        hint = ": one image needs a leading axis, as by images[None]"
    elif given == (*sides, channels):
        hint = ": the channels come first and there is a leading axis, as by images.transpose(2, 0, 1)[None]"
    expected = ", ".join(map(str, shape))
    raise BundleError(f"images must have the shape (N, {expected}), got {given}{hint}.")


def short(value: Any) -> str:
    """Return what a value looks like, on one line and shortened, for messages."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
