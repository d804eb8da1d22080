"""Batches of images as networks take them: float32 in [0, 1], channels last."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.data.augment import Augment
from duonas.data.balance import balanced_order
from duonas.data.distributed import Process, own_rows
from duonas.data.images import Images, select, take, to_float
from duonas.data.ondisk import OnDisk, Pixels, read
from duonas.data.prefetch import Prefetch
from duonas.data.rate import Rate

ALONE = Process()
EVALUATION_BATCH = 250  # images a forward pass, where no recipe says how many


class Batches:
    """Endless training batches, shuffled anew every epoch; ``batch(step)`` is a pure function of the step.

    Processes that share a batch get together the images that a single process would get, augmented in the same way.
    For images on disk the next batch is prefetched in a thread while the last one is used. Crops are cut out of the
    working images, where there are some.

    Args:
        images: the train split, on the device where batches are wanted.
        batch_size: images in a batch, over all processes that share it. An incomplete batch at an epoch's end is
            dropped; a split smaller than one batch makes one smaller batch.
        num_classes: length of the soft targets of mixup and cutmix.
        seed: random seed for the order and the augmentation.
        augment: the augmentation.
        process: this one of the processes that share a batch; each takes its own rows of it.
        balanced: whether every class is drawn equally often, so that an epoch, which is as long, has images of rare
            classes several times and leaves out images of common ones.

    Attributes:
        rate: images a second that batches are made at, over all processes that share them.

    Raises:
        DuonasError: there are no images, or a batch cannot be split evenly over the processes.
    """

    def __init__(
        self,
        images: Images,
        batch_size: int,
        *,
        num_classes: int,
        seed: int,
        augment: Augment,
        process: Process = ALONE,
        balanced: bool = False,
    ) -> None:
        world = process.world
        if len(images) == 0:
            raise DuonasError("there are no images to make batches of.")
        if len(images) < world:
            raise DuonasError(f"{len(images)} images cannot be split over {world} processes.")
        if batch_size % world:
            below = batch_size // world * world
            raise DuonasError(
                f"[train] batch_size = {batch_size} cannot be split evenly over {world} processes: "
                f"the nearest that can is {below or world}."
            )
        self.images = images
        self.batch_size = min(batch_size, len(images) // world * world)
        self.num_classes = num_classes
        self.seed = seed
        self.augment = augment
        self.process = process
        self._balanced = images.labels.cpu().numpy() if balanced else None
        self._order = (0, self._shuffled(0))  # of the epoch drawn from last; redrawn whenever another one is asked for
        larger = None if augment.crop is None else images.working
        self._pixels = images.pixels if larger is None else larger
        self._side = None if larger is None else int(images.pixels.shape[-1])
        self.rate = Rate()
        self._made = Prefetch(self._make) if isinstance(self._pixels, OnDisk) else self._make

    def __len__(self) -> int:
        """Steps an epoch."""
        return len(self.images) // self.batch_size

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of a step, counted from 0 over all epochs.

        Returns:
            Images (B, 3, H, W) float32, and targets: labels (B,) int64, or (B, K) float32 under mixup or cutmix; B is
            this process's part of the batch.
        """
        return self._made(step)

    def _make(self, step: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(step, len(self))
        if epoch != self._order[0]:
            self._order = (epoch, self._shuffled(epoch))
        chosen = self._order[1][place * self.batch_size : (place + 1) * self.batch_size]
        rows, rng = own_rows(np.arange(self.batch_size), *self.process), stream(self.seed, "augment", step)
        with self.rate.making(self.batch_size):
            pixels, labels = take(self._pixels, chosen), select(self.images.labels, chosen)
            return self.augment(pixels, labels, self.num_classes, rng, rows, self._side)

    def _shuffled(self, epoch: int) -> np.ndarray:
        rng = stream(self.seed, "order", epoch)
        return rng.permutation(len(self.images)) if self._balanced is None else balanced_order(self._balanced, rng)


def evaluation_batches(pixels: Pixels, batch_size: int = EVALUATION_BATCH, least: int = 1) -> Iterator[Tensor]:
    """Images (N, 3, H, W) uint8 in order, in float batches of at most ``batch_size``; N = 0 gives none.

    The sizes of the batches differ by one at most, so that a mean over batches, as recalibration takes it, is one over
    images. For images on disk the next batch is prefetched.

    Args:
        pixels: the images.
        batch_size: the largest number of images in a batch.
        least: the smallest number; it comes before ``batch_size``, and after N.
    """
    count = min(math.ceil(len(pixels) / batch_size), max(len(pixels) // least, min(len(pixels), 1)))
    rows = np.array_split(np.arange(len(pixels)), count) if count else []

    def make(number: int) -> Tensor:
        return to_float(read(pixels[rows[number][0] : rows[number][-1] + 1]))

    made = Prefetch(make, count) if isinstance(pixels, OnDisk) else make
    yield from map(made, range(count))


def recalibration_batches(pixels: Pixels, batch_size: int) -> Iterator[Tensor]:
    """``evaluation_batches`` of at least two images, if there are two, since a single value has no variance."""
    return evaluation_batches(pixels, batch_size, least=2)


def outputs(network: Callable[[Tensor], Tensor], pixels: Pixels, batch_size: int = EVALUATION_BATCH) -> Tensor:
    """What a network in eval mode gives for images (N, 3, H, W) uint8, N > 0, as float32 (N, ...) on the CPU."""
    with torch.inference_mode():
        return torch.cat([network(batch).float().cpu() for batch in evaluation_batches(pixels, batch_size)])
