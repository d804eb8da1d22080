"""Apply all augmentations to a batch of training images, on their device.

Random numbers are drawn on the host, and only index tensors are copied to the device, so that a GPU never waits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.registry import adapted, find, names
from duonas.data.augmentation import Augmentation, Batch, Crop, Mixture, Variation
from duonas.data.images import select, take, to_float
from duonas.data.mix import one_hot
from duonas.data.ondisk import Pixels, read
from duonas.data.options import DataOptions


@dataclass(frozen=True)
class Augment:
    """All augmentations that are on, and the conversion of images to float.

    Args:
        variations: augmentations of single images, applied in this order.
        mixtures: augmentations that mix two images; each batch gets one of them.
        crop: what cuts images out of their working images; ``None``: they are used whole.
    """

    variations: tuple[Variation, ...] = ()
    mixtures: tuple[Mixture, ...] = ()
    crop: Crop | None = None

    @classmethod
    def from_options(cls, options: DataOptions) -> Augment:
        """Build the augmentations of the ``[data]`` table.

        Raises:
            DuonasError: more than one crop is on.
        """
        kinds = [find("augmentation", name) for name in (*names("augmentation"), *options.augmentations)]
        every: list[Augmentation] = [kind(adapted(options, kind.Options)) for kind in sorted(kinds, key=_order)]
        active = [each for each in every if each.active]
        crops = [each for each in active if isinstance(each, Crop)]
        if len(crops) > 1:
            raise DuonasError(
                f"[data] switches on {' and '.join(each.name for each in crops)}, which all cut images out of larger "
                "ones: only one of them can."
            )
        return cls(
            tuple(each for each in active if isinstance(each, Variation)),
            tuple(each for each in active if isinstance(each, Mixture)),
            crops[0] if crops else None,
        )

    def __call__(
        self,
        pixels: Pixels,
        labels: Tensor,
        num_classes: int,
        rng: np.random.Generator,
        rows: np.ndarray | None = None,
        side: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Vary a batch, or some of its rows; the result for an image does not depend on ``rows``.

        Args:
            pixels: (B, 3, H, W) uint8, the whole batch; not modified. Only the rows that are needed are read from disk.
            labels: (B,) int64.
            num_classes: number K of classes.
            rng: random generator; draws are always for the whole batch.
            rows: indices (M,) in the batch; default: all.
            side: side H of the result in pixels, where ``pixels`` are larger working images; default: their own.

        Returns:
            Images (M, 3, H, W) float32 in [0, 1], channels last; targets (M,) int64, or (M, K) float32 that sum to 1.
        """
        rows = np.arange(len(pixels)) if rows is None else rows
        height, width = pixels.shape[-2:] if side is None else (side, side)
        batch = Batch(len(pixels), height, width)
        mixing = self.mixtures[rng.integers(len(self.mixtures))].draw(batch, rng) if self.mixtures else None
        if mixing is None:
            return to_float(self._vary(pixels, batch, rows, rng)), select(labels, rows)
        # A partner may be any image of the batch, and gets the same variation as in its own row.
        chosen, place = np.unique(np.concatenate([rows, mixing.partner[rows]]), return_inverse=True)
        varied = self._vary(pixels, batch, chosen, rng)
        targets = one_hot(select(labels, chosen), num_classes)
        own, partners = np.split(place, 2)
        images = mixing.images(to_float(select(varied, own)), to_float(select(varied, partners)))
        return images, mixing.targets(select(targets, own), select(targets, partners))

    def _vary(self, whole: Pixels, batch: Batch, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        pixels, size = read(take(whole, rows)), (batch.height, batch.width)
        if self.crop is not None:
            drawn = _drawn(self.crop, Batch(len(whole), *whole.shape[-2:]), rng)
            pixels = _checked(self.crop, "cut", self.crop.cut(pixels, drawn[..., rows], size), (len(rows), 3, *size))
        for variation in self.variations:
            drawn = _drawn(variation, batch, rng)
            varied = variation.vary(pixels, drawn[..., rows])
            pixels = _checked(variation, "vary", varied, tuple(pixels.shape))
        return pixels


def _drawn(augmentation: Variation | Crop, batch: Batch, rng: np.random.Generator) -> np.ndarray:
    """The random numbers (..., B) of an augmentation for a batch."""
    drawn = np.asarray(augmentation.draw(batch, rng))
    if drawn.shape[-1:] != (batch.images,):
        raise DuonasError(
            f"{_called(augmentation)}.draw() must return an array (..., {batch.images}), numbers for every image "
            f"of the batch, got the shape {drawn.shape}."
        )
    return drawn


def _checked(augmentation: Augmentation, method: str, varied: Tensor, shape: tuple[int, ...]) -> Tensor:
    """What an augmentation returned, if it has this shape and is uint8; other images would train unnoticed."""
    if isinstance(varied, Tensor) and (tuple(varied.shape), varied.dtype) == (shape, torch.uint8):
        return varied
    got = f"{tuple(varied.shape)} {varied.dtype}" if isinstance(varied, Tensor) else type(varied).__name__
    raise DuonasError(f"{_called(augmentation)}.{method}() must return {shape} {torch.uint8}, got {got}.")


def _called(augmentation: Augmentation) -> str:
    return f"augmentation {type(augmentation).__name__}"


def _order(kind: type[Augmentation]) -> int:
    return kind.order
