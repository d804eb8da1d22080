"""Pillow's bilinear resize with numpy alone, bit for bit: in fixed point, one side after the other."""

from __future__ import annotations

import numpy as np

BITS = 22  # of the fraction of a weight: 32, less 8 of a value and 2 to spare
ONE, HALF = 1 << BITS, 1 << (BITS - 1)
Box = tuple[float, float, float, float]


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
    across = _windows(pixels.shape[1], box[0], box[2], size[0])
    down = _windows(pixels.shape[0], box[1], box[3], size[1])
    if columns_first(size, box):
        return _along_rows(_along_columns(pixels, down), across)
    return _along_columns(_along_rows(pixels, across), down)


def _along_columns(pixels: np.ndarray, windows: list[tuple[int, np.ndarray]]) -> np.ndarray:
    return _along_rows(pixels.transpose(1, 0, 2), windows).transpose(1, 0, 2)


def _along_rows(pixels: np.ndarray, windows: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """Resize each row (H, W, C) to one value for each window; sums of integers are exact in float64."""
    out = np.empty((pixels.shape[0], len(windows), pixels.shape[2]), np.uint8)
    for i, (start, weights) in enumerate(windows):
        part = pixels[:, start : start + len(weights)].astype(np.float64)
        sums = np.einsum("hwc,w->hc", part, weights)
        out[:, i] = np.clip(np.floor((sums + HALF) / ONE), 0, 255)
    return out


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
