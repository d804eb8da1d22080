"""Random resized crops (Szegedy et al., 2015; torchvision's RandomResizedCrop)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from duonas.core.fields import Width
from duonas.data.augmentation import Batch, Crop
from duonas.data.images import to_device

RATIOS = (3 / 4, 4 / 3)  # range of width / height
TRIES = 10  # tries before the whole image is taken


class ResizedCrop(Crop):
    """Crops each image to a random size and aspect ratio, and resizes the crop to the size that the networks see."""

    order = 10

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[data]``."""

        crop_scale: Width = 1.0
        """Smallest fraction of the area for random resized crops; 1: off."""

    @property
    def active(self) -> bool:
        """Whether crops may be smaller than the image."""
        return bool(self.options.crop_scale < 1)

    def draw(self, batch: Batch, rng: np.random.Generator) -> np.ndarray:
        """Draw top, left, height and width of a crop of each image in pixels, (4, B)."""
        return draw_crops(self.options.crop_scale, batch, rng)

    def cut(self, pixels: Tensor, drawn: np.ndarray, size: tuple[int, int]) -> Tensor:
        """Resize the crops (4, M) of images (M, 3, H, W)."""
        return resized(pixels, drawn, size)


def draw_crops(scale: float, batch: Batch, rng: np.random.Generator) -> np.ndarray:
    """Draw top, left, height and width in pixels (4, B) of crops of ``scale`` to 1 of the images' area.

    If none of ten tries fits into the image, the crop is the whole image.
    """
    height, width, shape = batch.height, batch.width, (TRIES, batch.images)
    area = rng.uniform(scale, 1, shape) * height * width
    ratio = np.exp(rng.uniform(math.log(RATIOS[0]), math.log(RATIOS[1]), shape))
    sizes = np.rint(np.sqrt([area / ratio, area * ratio])).clip(1)  # (2, TRIES, B)
    fits = (sizes <= np.array([height, width])[:, None, None]).all(0)
    whole = np.array([[height], [width]])
    chosen = np.where(fits.any(0), sizes[:, fits.argmax(0), np.arange(batch.images)], whole)
    places = np.floor(rng.random((2, batch.images)) * (whole - chosen + 1))
    return np.concatenate([places, chosen]).astype(np.int64)


def resized(pixels: Tensor, crops: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Resize the crops (4, B) of images (B, 3, H, W) uint8 to ``size`` by bilinear interpolation.

    On a CPU each image is resized by itself, in 8 bits and with averages of what becomes smaller: that is three to nine
    times as fast as ``grid_sample``, which needs floats. Elsewhere a call for each image would cost more than its work.
    """
    if pixels.device.type != "cpu":
        return _sampled(pixels, crops, size)
    found = pixels.new_empty((len(pixels), 3, *size))
    for i, (top, left, tall, wide) in enumerate(crops.T.tolist()):
        part = pixels[i : i + 1, :, top : top + tall, left : left + wide]
        found[i : i + 1] = F.interpolate(part, size=size, mode="bilinear", antialias=True)
    return found


def _sampled(pixels: Tensor, crops: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Resize all crops at once, without averages of what becomes smaller, which is a fifth of the side at most."""
    top, left, tall, wide = crops
    (height, width), (new_height, new_width) = pixels.shape[-2:], size
    rows = to_device(_places(top, tall, height, new_height), pixels.device)[:, :, None].expand(-1, -1, new_width)
    columns = to_device(_places(left, wide, width, new_width), pixels.device)[:, None, :].expand(-1, new_height, -1)
    grid = torch.stack([columns, rows], -1)
    found = F.grid_sample(pixels.float(), grid, padding_mode="border", align_corners=True)
    return found.round_().clamp_(0, 255).to(torch.uint8)


def _places(start: np.ndarray, length: np.ndarray, whole: int, size: int) -> np.ndarray:
    """Return sampling positions (B, size) along a side of ``whole`` pixels, from -1 to 1 as in ``grid_sample``."""
    inside = (np.arange(size) + 0.5) * length[:, None] / size - 0.5
    places = start[:, None] + np.clip(inside, 0, length[:, None] - 1)
    return (2 * places / max(whole - 1, 1) - 1).astype(np.float32)
