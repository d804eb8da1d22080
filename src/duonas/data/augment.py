"""Apply all augmentations to a batch of training images, on their device.

Random numbers are drawn on the host, and only index tensors are copied to the device, so that a GPU never waits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.registry import adapted, find, names
from duonas.data.augmentation import Augmentation, Batch, Mixture, Variation
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
    """

    variations: tuple[Variation, ...] = ()
    mixtures: tuple[Mixture, ...] = ()

    @classmethod
    def from_options(cls, options: DataOptions) -> Augment:
        """Build the augmentations of the ``[data]`` table."""
        kinds = [find("augmentation", name) for name in (*names("augmentation"), *options.augmentations)]
        every: list[Augmentation] = [kind(adapted(options, kind.Options)) for kind in sorted(kinds, key=_order)]
        active = [each for each in every if each.active]
        return cls(
            tuple(each for each in active if isinstance(each, Variation)),
            tuple(each for each in active if isinstance(each, Mixture)),
        )

    def __call__(
        self,
        pixels: Pixels,
        labels: Tensor,
        num_classes: int,
        rng: np.random.Generator,
        rows: np.ndarray | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Vary a batch, or some of its rows; the result for an image does not depend on ``rows``.

        Args:
            pixels: (B, 3, H, W) uint8, the whole batch; not modified. Only the rows that are needed are read from disk.
            labels: (B,) int64.
            num_classes: number K of classes.
            rng: random generator; draws are always for the whole batch.
            rows: indices (M,) in the batch; default: all.

        Returns:
            Images (M, 3, H, W) float32 in [0, 1], channels last; targets (M,) int64, or (M, K) float32 that sum to 1.
        """
        rows = np.arange(len(pixels)) if rows is None else rows
        count, _, height, width = pixels.shape
        batch = Batch(count, height, width)
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
        pixels = read(take(whole, rows))
        for variation in self.variations:
            drawn = np.asarray(variation.draw(batch, rng))
            if drawn.shape[-1:] != (batch.images,):
                raise DuonasError(
                    f"{_called(variation)}.draw() must return an array (..., {batch.images}), numbers for every image "
                    f"of the batch, got the shape {drawn.shape}."
                )
            pixels = _same_kind(variation, variation.vary(pixels, drawn[..., rows]), pixels)
        return pixels


def _same_kind(variation: Variation, varied: Tensor, pixels: Tensor) -> Tensor:
    """What an augmentation returned, if its size and type are those of the images; others would train unnoticed."""
    if isinstance(varied, Tensor) and (varied.shape, varied.dtype) == (pixels.shape, pixels.dtype):
        return varied
    got = f"{tuple(varied.shape)} {varied.dtype}" if isinstance(varied, Tensor) else type(varied).__name__
    raise DuonasError(f"{_called(variation)}.vary() must return {tuple(pixels.shape)} {pixels.dtype}, got {got}.")


def _called(augmentation: Augmentation) -> str:
    return f"augmentation {type(augmentation).__name__}"


def _order(kind: type[Augmentation]) -> int:
    return kind.order
