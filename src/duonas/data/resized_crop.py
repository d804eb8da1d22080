"""Crops of random size, enlarged to the size of the image (Szegedy et al., 2015; torchvision's RandomResizedCrop)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from duonas.data.images import to_device

RATIOS = (3 / 4, 4 / 3)  # of width to height
TRIES = 10  # to draw a crop that fits into the image


def draw_crops(scale: float, batch: int, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Top, left, height and width in pixels of a crop of each image, (4, B): a part of ``scale`` to 1 of its area.

    Where none that is drawn fits, it is the whole image.
    """
    area = rng.uniform(scale, 1, (TRIES, batch)) * height * width
    ratio = np.exp(rng.uniform(math.log(RATIOS[0]), math.log(RATIOS[1]), (TRIES, batch)))
    sizes = np.rint(np.sqrt([area / ratio, area * ratio])).clip(1)  # (2, TRIES, B)
    fits = (sizes <= np.array([height, width])[:, None, None]).all(0)
    whole = np.array([[height], [width]])
    chosen = np.where(fits.any(0), sizes[:, fits.argmax(0), np.arange(batch)], whole)
    places = np.floor(rng.random((2, batch)) * (whole - chosen + 1))
    return np.concatenate([places, chosen]).astype(np.int64)


def zoom(pixels: Tensor, crops: np.ndarray) -> Tensor:
    """The crops (4, B) of images (B, 3, H, W) uint8, each enlarged to (H, W) by bilinear interpolation within it."""
    height, width = pixels.shape[-2:]
    top, left, tall, wide = crops
    rows = to_device(_places(top, tall, height), pixels.device)[:, :, None].expand(-1, -1, width)
    columns = to_device(_places(left, wide, width), pixels.device)[:, None, :].expand(-1, height, -1)
    grid = torch.stack([columns, rows], -1)
    enlarged = F.grid_sample(pixels.float(), grid, padding_mode="border", align_corners=True)
    return enlarged.round_().clamp_(0, 255).to(torch.uint8)


def _places(start: np.ndarray, length: np.ndarray, size: int) -> np.ndarray:
    """Where each of ``size`` pixels lies in the image along one side, (B, size), from -1 to 1 as ``grid_sample`` asks.

    Args:
        start: (B,) first pixel of the crop.
        length: (B,) its pixels.
        size: those of the image.
    """
    inside = (np.arange(size) + 0.5) * length[:, None] / size - 0.5
    places = start[:, None] + np.clip(inside, 0, length[:, None] - 1)
    return (2 * places / max(size - 1, 1) - 1).astype(np.float32)
