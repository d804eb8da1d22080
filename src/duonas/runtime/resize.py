"""Pillow's bilinear resize with numpy alone, bit for bit: in fixed point, one side after the other.

What is resized is cut into tiles that stay in the processor's cache, and each is one product of matrices, which takes
two to four times as long as Pillow.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

BITS = 22  # of the fraction of a weight: 32, less 8 of a value and 2 to spare
ONE, HALF = 1 << BITS, 1 << (BITS - 1)
TOGETHER = 8  # new pixels of a product: with more of them most weights are 0, with fewer it is all overhead
LINES, VALUES = 128, 2048  # of a tile: about a megabyte of float64 where an image shrinks ten times
SIZES = 64  # that are remembered: a camera has one, a folder of photographs a few
Box = tuple[float, float, float, float]


class _Step(NamedTuple):
    """Some new pixels of a line.

    Args:
        place: of the first of them.
        first: old pixel that the first of them begins at.
        last: old pixel that the last of them ends before.
        weights: (new, old) float64 weights as whole numbers.
    """

    place: int
    first: int
    last: int
    weights: np.ndarray


def columns_first(size: tuple[int, int], box: Box) -> bool:
    """Whether columns are resized before rows: that side first which shrinks more, which leaves less to do.

    The order is part of the result, and versions of Pillow differ in it; so each side is a resize of its own.
    """
    return (box[3] - box[1]) / size[1] > (box[2] - box[0]) / size[0]


def resize_bilinear(pixels: np.ndarray, size: tuple[int, int], box: Box) -> np.ndarray:
    """Resize one side after the other, as ``PIL.Image.resize`` with ``BILINEAR`` does; smaller images are averages.

    Args:
        pixels: (H, W, C) uint8.
        size: width and height of the result.
        box: the part to resize: left, upper, right and lower edge in pixels.

    Returns:
        (height, width, C) uint8.
    """
    across = _steps(pixels.shape[1], box[0], box[2], size[0])
    down = _steps(pixels.shape[0], box[1], box[3], size[1])
    left, right = across[0].first, max(step.last for step in across)
    top, bottom = down[0].first, max(step.last for step in down)
    needed = pixels[top:bottom, left:right]
    if columns_first(size, box):
        return _along_rows(_along_columns(needed, down, top), across, left)
    return _along_columns(_along_rows(needed, across, left), down, top)


def _along_columns(pixels: np.ndarray, steps: tuple[_Step, ...], cut: int) -> np.ndarray:
    """Resize each column; sums of integers are exact in float64. ``cut`` rows are missing above."""
    height, width, channels = pixels.shape
    lines = pixels.reshape(height, width * channels)
    out = np.empty((steps[-1].place + len(steps[-1].weights), width * channels), np.uint8)
    for place, first, last, weights in steps:
        for begin in range(0, width * channels, VALUES):
            tile = np.s_[begin : begin + VALUES]
            out[place : place + len(weights), tile] = _rounded(
                weights @ lines[first - cut : last - cut, tile].astype(np.float64)
            )
    return out.reshape(len(out), width, channels)


def _along_rows(pixels: np.ndarray, steps: tuple[_Step, ...], cut: int) -> np.ndarray:
    """Resize each row; ``cut`` columns are missing at the left."""
    height, width, channels = pixels.shape
    out = np.empty((height, steps[-1].place + len(steps[-1].weights), channels), np.uint8)
    for begin in range(0, height, LINES):
        planes = np.ascontiguousarray(pixels[begin : begin + LINES].transpose(0, 2, 1))  # of bytes, which is quick
        lines = planes.reshape(-1, width)
        found = np.empty((len(lines), out.shape[1]), np.uint8)
        for place, first, last, weights in steps:
            sums = lines[:, first - cut : last - cut].astype(np.float64) @ weights.T
            found[:, place : place + len(weights)] = _rounded(sums)
        out[begin : begin + LINES] = found.reshape(len(planes), channels, -1).transpose(0, 2, 1)
    return out


def _rounded(sums: np.ndarray) -> np.ndarray:
    """Sums of weights that are whole numbers as values of 8 bits, from 0 to 255; they are not negative."""
    sums += HALF
    sums *= 1 / ONE  # a power of two, so that nothing is rounded but by the conversion
    return np.minimum(sums, 255, out=sums).astype(np.uint8)


@lru_cache(maxsize=SIZES)
def _steps(length: int, start: float, end: float, size: int) -> tuple[_Step, ...]:
    windows = _windows(length, start, end, size)
    steps = []
    for place in range(0, size, TOGETHER):
        part = windows[place : place + TOGETHER]
        first, last = min(at for at, _ in part), max(at + len(weights) for at, weights in part)
        matrix = np.zeros((len(part), last - first))
        for row, (at, weights) in enumerate(part):
            matrix[row, at - first : at - first + len(weights)] = weights
        steps.append(_Step(place, first, last, matrix))
    return tuple(steps)


def _windows(length: int, start: float, end: float, size: int) -> list[tuple[int, np.ndarray]]:
    """For each of ``size`` new pixels the first old pixel of its window, and the weights as whole numbers."""
    scale = float(np.float32(end) - np.float32(start)) / size
    reach = max(scale, 1.0)  # the filter is two reaches wide
    windows = []
    for i in range(size):
        centre = float(np.float32(start)) + (i + 0.5) * scale
        first, last = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), length)
        distances = np.abs((np.arange(last - first) + first - centre + 0.5) * (1 / reach))
        weights = np.where(distances < 1, 1 - distances, 0.0)
        total = np.add.accumulate(weights)[-1]  # in order, as in C
        weights = weights / total if total else weights
        windows.append((first, np.floor(0.5 + weights * ONE)))
    return windows
