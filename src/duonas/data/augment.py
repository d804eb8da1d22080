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
from duonas.data.images import to_device, to_float
from duonas.data.mix import cutmix, mixup, one_hot, random_box


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
    """

    crop_padding: int = 0
    flip: bool = False
    randaugment: int = 0
    magnitude: float = 9.0
    mixup: float = 0.0
    cutmix: float = 0.0

    @classmethod
    def from_options(cls, options: DataOptions) -> Augment:
        """The augmentation that the recipe's ``[data]`` table asks for."""
        return cls(**{field.name: getattr(options, field.name) for field in fields(cls)})

    def __call__(
        self, pixels: Tensor, labels: Tensor, num_classes: int, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Vary a batch.

        Args:
            pixels: (B, 3, H, W) uint8; left as it is.
            labels: (B,) int64.
            num_classes: K, the length of soft targets.
            rng: where all draws come from.

        Returns:
            Images (B, 3, H, W) float32 in [0, 1], channels last; targets (B,) int64, or (B, K) float32 that sum to 1.
        """
        batch = pixels.shape[0]
        if self.crop_padding:
            top, left = rng.integers(0, 2 * self.crop_padding + 1, (2, batch))
            pixels = crop(pixels, self.crop_padding, top, left)
        if self.flip:
            pixels = mirror(pixels, rng.random(batch) < 0.5)
        if self.randaugment:
            from duonas.data.randaugment import randaugment  # here, because importing torchvision takes seconds

            pixels = randaugment(pixels, self.randaugment, self.magnitude, rng)
        return self._mix(to_float(pixels), labels, num_classes, rng)

    def _mix(self, images: Tensor, labels: Tensor, num_classes: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        alphas = {name: alpha for name, alpha in (("mixup", self.mixup), ("cutmix", self.cutmix)) if alpha}
        if not alphas:
            return images, labels
        name = list(alphas)[rng.integers(len(alphas))]
        share = rng.beta(alphas[name], alphas[name])
        partner = to_device(rng.permutation(images.shape[0]), images.device)
        targets = one_hot(labels, num_classes)
        if name == "mixup":
            return mixup(images, targets, share, partner)
        height, width = images.shape[-2:]
        return cutmix(images, targets, random_box(height, width, 1 - share, rng), partner)


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
