"""What is done to an image before the networks see it, with numpy alone: the same for training and on the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from .resize import Box, resize_bilinear

Resize = Literal["crop", "squash", "pad"]
Kind = Literal["8 bits", "integers", "floats"]  # of the values of images
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_SIZE = 1 << 13  # pixels of a side of the square
ROUNDING = 1e-3  # tolerance of the range of floats, as a fraction of white, for rounding errors


@dataclass(frozen=True)
class Preparation:
    """How an image becomes a square of 8-bit RGB.

    Args:
        image_size: side of the square in pixels.
        resize: ``"crop"``: the short side is resized and the centre cropped; ``"squash"``: both sides are resized,
            which changes the proportions; ``"pad"``: the long side is resized and the rest is black.
        white: the value that is white in integers of more than 8 bits; ``None``: the largest of their type.
        float_white: the value that is white in floats; ``None``: 1.
        kinds: the kinds of values that the training images had; empty where that is not known.
    """

    image_size: int
    resize: Resize = "crop"
    white: float | None = None
    float_white: float | None = None
    kinds: tuple[Kind, ...] = ()

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Prepare one image, as ``to_rgb`` takes it; the result (3, H, H) uint8 is bit for bit what training saw.

        Raises:
            ValueError: it is not an image, or has values in another scale than the training images.
        """
        pixels = self.rgb(self._in_range(image, self.white_of(image.dtype)))
        height, width, _ = pixels.shape
        size = self.size(width, height)
        left, upper = self.place(size)
        square = np.zeros((3, self.image_size, self.image_size), np.uint8)
        fitted = resize_bilinear(pixels, size, self.box(width, height))
        square[:, upper : upper + size[1], left : left + size[0]] = fitted.transpose(2, 0, 1)
        return square

    def rgb(self, image: np.ndarray) -> np.ndarray:
        """RGB (H, W, 3) uint8 of an image, as ``to_rgb`` takes it, not resized; what is above white is cut off."""
        return to_rgb(image, self.white_of(image.dtype))

    def white_of(self, dtype: np.dtype) -> float:
        """The value that is white in images of a type; 1 for floats where there were none in training.

        Raises:
            ValueError: the type is not one of images.
        """
        kind, own = kind_of(dtype), white_of(dtype)
        foreign = kind == "floats" and bool(self.kinds) and "floats" not in self.kinds
        given = {"8 bits": None, "integers": self.white, "floats": None if foreign else self.float_white}[kind]
        return given or own

    def _in_range(self, image: np.ndarray, white: float) -> np.ndarray:
        """The image, of which floats are at most white, if its values are in the scale of the training images."""
        kind = kind_of(image.dtype)
        if kind == "8 bits" or not image.size or not np.isfinite(image).all():  # what is not finite is refused later
            return image
        colours = colours_of(image)
        least, most = float(colours.min()), float(colours.max())
        if kind == "integers" and self.kinds and "integers" not in self.kinds:
            raise ValueError(
                f"it has values of type {image.dtype}, from {least:g} to {most:g}, but training images had only "
                f"{' and '.join(self.kinds)}: give it as uint8 from 0 to 255"
            )
        allowed = ROUNDING * white if kind == "floats" else 0.0
        if least < -allowed or most > white + allowed:
            raise ValueError(
                f"it has values of type {image.dtype} from {least:g} to {most:g}, expected 0 to {white:.10g} (white)"
            )
        return image.clip(0, white) if kind == "floats" else image

    def place(self, size: tuple[int, int]) -> tuple[int, int]:
        """Left and upper edge of an image of this width and height in the square."""
        return (self.image_size - size[0]) // 2, (self.image_size - size[1]) // 2

    def box(self, width: int, height: int) -> Box:
        """The part of an image that is kept: left, upper, right and lower edge in pixels."""
        if self.resize != "crop":
            return (0.0, 0.0, float(width), float(height))
        side = min(width, height)
        left, upper = (width - side) / 2, (height - side) / 2
        return (left, upper, left + side, upper + side)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height in pixels of the resized image: both ``image_size``, or one of them when padded."""
        if self.resize != "pad":
            return self.image_size, self.image_size
        scale = self.image_size / max(width, height)
        return max(1, round(width * scale)), max(1, round(height * scale))


def to_rgb(image: np.ndarray, white: float | None = None) -> np.ndarray:
    """Grey, grey with alpha, RGB or RGBA to RGB (H, W, 3) uint8; what is transparent is shown on white.

    Args:
        image: (H, W) or (H, W, 1 to 4) of bool, integers or floats.
        white: the value that is white; ``None``: see ``white_of``.

    Raises:
        ValueError: the image has another shape or type, or values that are masked, negative or not finite.
    """
    if isinstance(image, np.ma.MaskedArray):
        if image.mask.any():
            raise ValueError(f"it has {int(image.mask.sum())} masked values: fill them first, as by image.filled(0)")
        image = image.data
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 2, 3, 4) or 0 in image.shape:
        raise ValueError(f"an array of shape {image.shape} is not an image: expected (H, W), (H, W, 3) or (H, W, 4)")
    values = to_bytes(image, white)
    colours, alpha = (values[..., :-1], values[..., -1:]) if values.shape[2] in (2, 4) else (values, None)
    if alpha is not None:
        opaque = alpha.astype(np.uint32)
        colours = ((colours * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3)))


def colours_of(image: np.ndarray) -> np.ndarray:
    """The bands of an image that are not alpha."""
    return image[..., :-1] if image.ndim == 3 and image.shape[2] in (2, 4) else image


def kind_of(dtype: np.dtype) -> Kind:
    """The kind of the values of images of a type.

    Raises:
        ValueError: the type is not one of images.
    """
    white_of(dtype)
    if dtype.kind == "f":
        return "floats"
    return "8 bits" if dtype.itemsize == 1 else "integers"


def white_of(dtype: np.dtype) -> float:
    """The value that is white in images of a type: 255 of 8 bits, the largest integer of more bits, or 1 for floats.

    Raises:
        ValueError: the type is not one of images.
    """
    if dtype.kind == "b" or dtype.kind == "f":
        return 1.0
    if dtype.kind not in "iu":
        raise ValueError(f"values of type {dtype} are not an image")
    return 255.0 if dtype.itemsize == 1 else float(np.iinfo(dtype).max)


def to_bytes(values: np.ndarray, white: float | None = None) -> np.ndarray:
    """Scale so that white is 255; what is above it is cut off.

    Raises:
        ValueError: values are negative or not finite.
    """
    if values.dtype == np.uint8:
        return values
    top = white_of(values.dtype) if white is None else white
    scaled = values.astype(np.float64)
    if not np.isfinite(scaled).all():
        raise ValueError("it has values that are not finite")
    if scaled.min() < 0:
        raise ValueError(f"it has negative values, down to {scaled.min():g}")
    return np.rint(np.minimum(scaled * (255 / top), 255)).astype(np.uint8)
