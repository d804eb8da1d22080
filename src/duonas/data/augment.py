"""Training images varied a batch at a time, on whatever device they lie.

Everything random is drawn on the host from the generator that is passed in; only index tensors travel to the device, so
that a GPU never waits.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from duonas.core.options import DataOptions
from duonas.data.images import select, take, to_device, to_float
from duonas.data.mix import Mixing, one_hot
from duonas.data.ondisk import Pixels, read
from duonas.data.resized_crop import draw_crops, zoom


@dataclass(frozen=True)
class Augment:
    """The augmentation of ``[data]``; with every field at its default, images are only converted to float.

    Args:
        crop_padding: pixels of black added on each side before a random crop back to size.
        flip: mirror every other image, at random.
        randaugment: operations an image (Cubuk et al., RandAugment, section 3).
        magnitude: their strength, 0 to 30.
        mixup: alpha of mixup's Beta distribution (Zhang et al., mixup, section 2); 0 is off.
        cutmix: alpha of cutmix's (Yun et al., CutMix, section 3.1); with both on, each batch gets one of them.
        crop_scale: the least part of the area that a crop of random size keeps, before all else; 1 is off.
    """

    crop_padding: int = 0
    flip: bool = False
    randaugment: int = 0
    magnitude: float = 9.0
    mixup: float = 0.0
    cutmix: float = 0.0
    crop_scale: float = 1.0

    @classmethod
    def from_options(cls, options: DataOptions) -> Augment:
        """The augmentation that the recipe's ``[data]`` table asks for."""
        return cls(**{field.name: getattr(options, field.name) for field in fields(cls)})

    def __call__(
        self,
        pixels: Pixels,
        labels: Tensor,
        num_classes: int,
        rng: np.random.Generator,
        rows: np.ndarray | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Vary a batch, or some rows of it: an image becomes the same whichever others are asked for.

        Args:
            pixels: (B, 3, H, W) uint8, of the whole batch; left as it is. Those on disk are read
                as far as they are needed.
            labels: (B,) int64.
            num_classes: K, the length of soft targets.
            rng: where all draws come from; always those for the whole batch.
            rows: (M,) of the batch; default: all.

        Returns:
            Images (M, 3, H, W) float32 in [0, 1], channels last; targets (M,) int64, or (M, K) float32 that sum to 1.
        """
        rows = np.arange(len(pixels)) if rows is None else rows
        mixing = self._draw_mixing(pixels, rng)
        if mixing is None:
            return to_float(self._vary(pixels, rows, rng)), select(labels, rows)
        # A partner may be any image of the batch; it is varied as where it is an image of its own.
        chosen, place = np.unique(np.concatenate([rows, mixing.partner[rows]]), return_inverse=True)
        varied = self._vary(pixels, chosen, rng)
        targets = one_hot(select(labels, chosen), num_classes)
        own, partners = np.split(place, 2)
        images = mixing.images(to_float(select(varied, own)), to_float(select(varied, partners)))
        return images, mixing.targets(select(targets, own), select(targets, partners))

    def _draw_mixing(self, pixels: Pixels, rng: np.random.Generator) -> Mixing | None:
        batch, _, height, width = pixels.shape
        kinds = [name for name in ("mixup", "cutmix") if getattr(self, name)]
        if not kinds:
            return None
        if kinds[rng.integers(len(kinds))] == "mixup":
            return Mixing.mixup(batch, self.mixup, rng)
        return Mixing.cutmix(batch, self.cutmix, height, width, rng)

    def _vary(self, whole: Pixels, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        """The rows of (B, 3, H, W) uint8, each varied by what is drawn for it."""
        batch, _, height, width = whole.shape
        pixels = read(take(whole, rows))
        if self.crop_scale < 1:
            pixels = zoom(pixels, draw_crops(self.crop_scale, batch, height, width, rng)[:, rows])
        if self.crop_padding:
            top, left = rng.integers(0, 2 * self.crop_padding + 1, (2, batch))[:, rows]
            pixels = crop(pixels, self.crop_padding, top, left)
        if self.flip:
            pixels = mirror(pixels, (rng.random(batch) < 0.5)[rows])
        if self.randaugment:
            from duonas.data.randaugment import draw, randaugment  # here, because importing torchvision takes seconds

            pixels = randaugment(pixels, draw(self.randaugment, batch, rng)[..., rows], self.magnitude)
        return pixels


def crop(pixels: Tensor, padding: int, top: np.ndarray, left: np.ndarray) -> Tensor:
    """Crop every image of (B, 3, H, W), padded with black, to its own window of the old size.

    Args:
        pixels: of any type.
        padding: pixels added on each side.
        top: (B,) first row of each window in the padded image, 0 to 2 * padding.
        left: (B,) first column likewise.
    """
    height, width = pixels.shape[-2:]
    padded = F.pad(pixels, (padding,) * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: (B, 3, 2p+1, 2p+1, H, W)
    image, top_index, left_index = to_device(np.stack([np.arange(len(top)), top, left]), pixels.device)
    return windows[image, :, top_index, left_index]


def mirror(pixels: Tensor, mirrored: np.ndarray) -> Tensor:
    """Mirror left to right those images of (B, 3, H, W) where ``mirrored`` (B,) is true."""
    chosen = to_device(mirrored, pixels.device)[:, None, None, None]
    return torch.where(chosen, pixels.flip(3), pixels)
