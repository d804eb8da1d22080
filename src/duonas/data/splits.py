"""The four disjoint splits of a data set, made once by seed: train, val, calib, test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.protocols import Progress, silent
from duonas.core.registry import adapted, find
from duonas.core.rng import stream
from duonas.data.images import Images, parts
from duonas.data.ondisk import OnDisk
from duonas.data.options import DataOptions
from duonas.data.source import DataSet
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
    """

    train: Images
    val: Images
    calib: Images
    test: Images
    class_names: tuple[str, ...]
    mean: Colour
    std: Colour
    hashes: dict[str, str]

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
        DuonasError: the data cannot be read, or a class has too few images for every split to hold one.
    """
    if options.val + options.calib >= 1:
        raise DuonasError(
            f"data.val = {options.val} and data.calib = {options.calib} leave nothing to train on; "
            "their sum must be below 1."
        )
    source = find("source", options.name)
    whole: DataSet = source(adapted(options, source.Options)).read(progress)
    indices = split_indices(whole, options, stream(seed, "splits", options.name))
    images = {name: whole.images.subset(chosen) for name, chosen in indices.items() if name != "test"}
    images["test"] = (whole.images if whole.test is None else whole.test).subset(indices["test"])
    if options.image_size is not None:
        images = {name: part.resized(options.image_size) for name, part in images.items()}
    watch = progress if isinstance(whole.images.pixels, OnDisk) else silent
    about = remembered(whole.images.pixels, _key(indices), lambda: _describe(images, indices, watch))
    mean, std = (cast(Colour, tuple(about[name])) for name in ("mean", "std"))
    return Splits(**images, class_names=whole.class_names, mean=mean, std=std, hashes=about["hashes"])


def split_indices(source: DataSet, options: DataOptions, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Split name to int64 indices into ``source.images``; those of a separate test split are into ``source.test``."""
    labels = source.images.labels.numpy()
    own_test = source.test is not None
    parts: dict[str, list[np.ndarray]] = {"test": [], "val": [], "calib": [], "train": []}
    for label, name in enumerate(source.class_names):
        members = rng.permutation(np.flatnonzero(labels == label))
        sizes = _sizes(len(members), name, options, own_test)
        for part, chosen in zip(parts.values(), np.split(members, np.cumsum(sizes)), strict=True):
            part.append(chosen)
    joined = {name: rng.permutation(np.concatenate(part)) for name, part in parts.items()}
    if source.test is not None:
        joined["test"] = rng.permutation(len(source.test))
    return joined


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


def _sizes(count: int, class_name: str, options: DataOptions, own_test: bool) -> list[int]:
    """How many of a class's images go to test, val and calib: at least one to each, and one is left to train."""
    needed = 3 if own_test else 4
    if count < needed:
        splits = "train, val and calib" if own_test else "train, val, calib and test"
        images = "image" if count == 1 else "images"
        raise DuonasError(f"class {class_name!r} has {count} {images}; {splits} need one each, so at least {needed}.")
    test = 0 if own_test else _share(count, options.test, spare=3)
    val = _share(count - test, options.val, spare=2)
    # calib is a fraction of the same images as val
    calib = min(max(1, round((count - test) * options.calib)), count - test - val - 1)
    return [test, val, calib]


def _share(count: int, fraction: float, spare: int) -> int:
    return min(max(1, round(count * fraction)), count - spare)


def _key(indices: dict[str, np.ndarray]) -> str:
    """A name for a file about these splits, unique to their indices."""
    digest = hashlib.sha256()
    for name, chosen in indices.items():
        digest.update(f"{name}/{len(chosen)}".encode() + chosen.astype("<i8").tobytes())
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
