"""The four disjoint splits of a data set, made once by seed: train, val, calib, test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from duonas.core.protocols import Progress, silent
from duonas.data.images import Images, parts
from duonas.data.inspect import Inspected, inspect_data
from duonas.data.ondisk import OnDisk
from duonas.data.options import DataOptions
from duonas.data.store import remembered

Colour = tuple[float, float, float]
MIN_STD = 1 / 255  # for a channel that is constant, so that normalisation stays finite


@dataclass(frozen=True)
class Splits:
    """Four disjoint splits: train for training, val for the search, calib for the router, test for measuring.

    Each is stratified by class and in random order, so that any leading part of it is a random sample.

    Args:
        mean: mean of each colour channel of the train split, in [0, 1].
        std: standard deviation of each colour channel of the train split.
        hashes: split name to the SHA-256 of its indices, pixels and labels; test without its labels, since nothing
            before measuring may depend on them.
        inspected: what is known of the data set and its images.
    """

    train: Images
    val: Images
    calib: Images
    test: Images
    class_names: tuple[str, ...]
    mean: Colour
    std: Colour
    hashes: dict[str, str]
    inspected: Inspected

    @property
    def image_size(self) -> int:
        """Side of every image in pixels."""
        return int(self.train.pixels.shape[-1])

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)


def load_splits(options: DataOptions, seed: int, progress: Progress = silent) -> Splits:
    """Read the data set and split it; the same ``seed`` and data set always give the same splits.

    Raises:
        DuonasError: the data cannot be read, or ``Inspected.check`` refuses them.
    """
    inspected, images = inspect_data(options, seed, progress)
    inspected.check()
    return split_images(inspected, images, progress)


def split_images(inspected: Inspected, whole: Images, progress: Progress = silent) -> Splits:
    """The splits of a data set that was inspected."""
    indices = dict(inspected.indices)
    seen = replace(whole, working=None)  # only training images are cropped
    images = {name: (whole if name == "train" else seen).subset(chosen) for name, chosen in indices.items()}
    watch = progress if isinstance(whole.pixels, OnDisk) else silent
    about = remembered(whole.pixels, _key(images), lambda: _describe(images, indices, watch))
    mean, std = (cast(Colour, tuple(about[name])) for name in ("mean", "std"))
    names = inspected.listing.class_names
    return Splits(**images, class_names=names, mean=mean, std=std, hashes=about["hashes"], inspected=inspected)


def channel_histogram(pixels: Tensor) -> np.ndarray:
    """Histogram of the values of each channel of (N, 3, H, W) uint8, (3, 256)."""
    return np.stack([torch.bincount(channel.reshape(-1), minlength=256).numpy() for channel in pixels.unbind(1)])


def channel_statistics(histogram: np.ndarray) -> tuple[Colour, Colour]:
    """Mean and standard deviation of each channel in [0, 1], exact from its histogram (3, 256)."""
    levels = np.arange(256) / 255
    means, stds = [], []
    for counts in histogram:
        mean = float(counts @ levels / counts.sum())
        means.append(mean)
        stds.append(max(float(np.sqrt(counts @ (levels - mean) ** 2 / counts.sum())), MIN_STD))
    return (means[0], means[1], means[2]), (stds[0], stds[1], stds[2])


def _key(images: Mapping[str, Images]) -> str:
    """A name for a file about these splits, unique to their rows in the cache and to their labels."""
    digest = hashlib.sha256()
    for name, split in images.items():
        rows = split.pixels.rows if isinstance(split.pixels, OnDisk) else np.empty(0)
        digest.update(f"{name}/{len(split)}".encode() + rows.astype("<i8").tobytes())
        digest.update(split.labels.numpy().astype("<i8").tobytes())
    return f"splits-{digest.hexdigest()[:16]}"


def _describe(images: dict[str, Images], indices: dict[str, np.ndarray], progress: Progress) -> dict[str, Any]:
    """Mean, standard deviation and hashes as JSON, in one pass over all images."""
    total, done = sum(map(len, images.values())), 0
    hashes, histograms = {}, {}
    progress(done, total)
    for name, split in images.items():
        digest, histogram = hashlib.sha256(str(tuple(split.pixels.shape)).encode()), np.zeros((3, 256), np.int64)
        digest.update(indices[name].astype("<i8").tobytes())
        for part in parts(split.pixels):
            digest.update(part.contiguous().numpy().data)
            histogram += channel_histogram(part)
            done += len(part)
            progress(done, total)
        if name != "test":
            digest.update(split.labels.numpy().astype("<i8").tobytes())
        hashes[name], histograms[name] = digest.hexdigest(), histogram
    mean, std = channel_statistics(histograms["train"])
    return {"mean": mean, "std": std, "hashes": hashes}
