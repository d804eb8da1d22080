"""RandAugment (Cubuk et al., 2020, section 3): every image gets some operations drawn from one list, at one magnitude.

Images that drew the same operation are varied together, so a batch costs a few dozen calls and not one for each image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as V

from duonas.data.images import to_device

MAX_MAGNITUDE = 30
MAX_FACTOR = 0.9  # how far brightness and its like move from 1
MAX_DEGREES = 30
MAX_SHEAR = 0.3
MAX_SHIFT = 150 / 331  # of the side
MAX_BITS = 4  # taken away by posterize

Operation = Callable[[Tensor, float], Tensor]


def draw(operations: int, batch: int, rng: np.random.Generator) -> np.ndarray:
    """What each of B images gets: numbers of operations and their ways, 1 or -1 (brighter, darker), (2, N, B)."""
    numbers = rng.integers(len(OPERATIONS), size=(operations, batch))
    return np.stack([numbers, rng.choice([-1, 1], size=numbers.shape)])


def randaugment(pixels: Tensor, drawn: np.ndarray, magnitude: float) -> Tensor:
    """Vary (B, 3, H, W) uint8 by what was drawn for them, (2, N, B), at a magnitude from 0 to 30."""
    strength = magnitude / MAX_MAGNITUDE
    pixels = pixels.clone()
    for chosen, sign in zip(*drawn, strict=True):
        for number, operation in enumerate(OPERATIONS.values()):
            for way in (-1, 1):
                _apply(pixels, operation, way * strength, np.flatnonzero((chosen == number) & (sign == way)))
    return pixels


def _apply(pixels: Tensor, operation: Operation, level: float, indices: np.ndarray) -> None:
    if operation is identity or not len(indices):
        return
    chosen = to_device(indices, pixels.device)
    pixels.index_copy_(0, chosen, operation(pixels.index_select(0, chosen), level))


def identity(pixels: Tensor, level: float) -> Tensor:
    """Leave the images as they are."""
    return pixels


def _factor(level: float) -> float:
    return 1 + MAX_FACTOR * level


def _affine(pixels: Tensor, shift: tuple[float, float], degrees: float, shear: tuple[float, float]) -> Tensor:
    """Shift in fractions of the side, shear as a slope; what comes in from outside is black."""
    height, width = pixels.shape[-2:]
    moved: Tensor = V.affine(
        pixels,
        angle=degrees,
        translate=[shift[0] * width, shift[1] * height],
        scale=1.0,
        shear=[math.degrees(math.atan(slope)) for slope in shear],
        interpolation=InterpolationMode.BILINEAR,
    )
    return moved


def _solarize(pixels: Tensor, level: float) -> Tensor:
    """Invert what is brighter than a threshold that sinks with the level; level 0 leaves all but pure white."""
    solarized: Tensor = V.solarize(pixels, 255 * (1 - abs(level)))
    return solarized


OPERATIONS: Mapping[str, Operation] = {
    "identity": identity,
    "brightness": lambda pixels, level: V.adjust_brightness(pixels, _factor(level)),
    "contrast": lambda pixels, level: V.adjust_contrast(pixels, _factor(level)),
    "saturation": lambda pixels, level: V.adjust_saturation(pixels, _factor(level)),
    "sharpness": lambda pixels, level: V.adjust_sharpness(pixels, _factor(level)),
    "posterize": lambda pixels, level: V.posterize(pixels, 8 - round(MAX_BITS * abs(level))),
    "solarize": _solarize,
    "autocontrast": lambda pixels, level: V.autocontrast(pixels),
    "equalize": lambda pixels, level: V.equalize(pixels),
    "rotate": lambda pixels, level: _affine(pixels, (0, 0), MAX_DEGREES * level, (0, 0)),
    "shear_x": lambda pixels, level: _affine(pixels, (0, 0), 0, (MAX_SHEAR * level, 0)),
    "shear_y": lambda pixels, level: _affine(pixels, (0, 0), 0, (0, MAX_SHEAR * level)),
    "translate_x": lambda pixels, level: _affine(pixels, (MAX_SHIFT * level, 0), 0, (0, 0)),
    "translate_y": lambda pixels, level: _affine(pixels, (0, MAX_SHIFT * level), 0, (0, 0)),
}
