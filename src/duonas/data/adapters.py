"""Listings of images that are in memory or in a PyTorch data set, for data sources of your own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np

from duonas.core.errors import DuonasError
from duonas.data.lazy import Concatenated
from duonas.data.listing import OWN_SPLITS, Listing, Stored
from duonas.runtime.pillow import is_pillow, values_of

COUNTS_OF_CHANNELS = (1, 3, 4)


def from_arrays(
    images: Any, labels: Any, class_names: Sequence[str] | None = None, splits: Sequence[str] | None = None
) -> Listing:
    """List images that are in memory.

    Args:
        images: (N, H, W), (N, H, W, C) or (N, C, H, W), or N arrays of different sizes without N, or N images of
            Pillow; C is 1, 3 or 4.
            Integers of more than 8 bits, and floats from 0 to 1, are scaled as the recipe's ``white`` says.
        labels: (N,) integers from 0.
        class_names: (K,); default: the numbers.
        splits: (N,) of train, val, test or ``""`` for images that are to be split; default: all are.

    Raises:
        DuonasError: numbers differ, values are masked, labels are not of the classes, or two classes have one name.
    """
    found = _labels(labels)
    if len(images) != len(found):
        raise DuonasError(f"there are {len(images)} images and {len(found)} labels; expected one label for each image.")
    return _listing(
        [f"image {i}" for i in range(len(found))], _arrays(images), found,
        class_names, splits,
    )  # fmt: skip


def from_dataset(dataset: Any, class_names: Sequence[str] | None = None) -> Listing:
    """List the images of a PyTorch ``Dataset``, which are read when they are needed.

    Args:
        dataset: gives (image, label) for each index; or such data sets by split: ``{"train": ..., "test": ...}``. An
            image is one of Pillow, a tensor (C, H, W) or an array (H, W, C), without random changes and not normalised.
        class_names: (K,); default: ``dataset.classes`` where there is such an attribute, else the numbers.

    Raises:
        DuonasError: a split or a label is not one.
    """
    parts = dict(dataset) if isinstance(dataset, Mapping) else {"": dataset}
    names, labels, splits = list[str](), list[Any](), list[str]()
    for split, part in parts.items():
        names += [f"{split} image {i}".strip() for i in range(len(part))]
        labels += _labels_of(part)
        splits += [split] * len(part)
    if class_names is None:
        class_names = getattr(next(iter(parts.values()), None), "classes", None)
    images = Concatenated([DatasetImages(part) for part in parts.values()])
    return _listing(names, images, _labels(labels), class_names, splits)


class DatasetImages(Sequence[Stored]):
    """The images of a data set as arrays (H, W, C); one is read at a time, since data sets need not allow more."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, i: Any) -> Any:
        with self._lock:
            image = self._dataset[i][0]
        return values_of(image) if is_pillow(image) else _upright(np.asanyarray(image))


def _labels_of(dataset: Any) -> list[Any]:
    """The label of each image: as an attribute of torchvision's data sets, or from each item."""
    targets = getattr(dataset, "targets", None)
    if targets is not None and len(targets) == len(dataset):
        return [int(target) for target in targets]
    return [dataset[i][1] for i in range(len(dataset))]


def _upright(image: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, C) from that or from (C, H, W)."""
    first = image.ndim == 3 and image.shape[0] in COUNTS_OF_CHANNELS and image.shape[2] not in COUNTS_OF_CHANNELS
    return image.transpose(1, 2, 0) if first else image


def _arrays(images: Any) -> list[np.ndarray]:
    arrays = [values_of(image) if is_pillow(image) else _upright(np.asanyarray(image)) for image in images]
    for number, array in enumerate(arrays):
        if isinstance(array, np.ma.MaskedArray) and array.mask.any():
            raise DuonasError(f"image {number} has masked values: fill them first, as by images.filled(0).")
    return [np.asarray(array) for array in arrays]


def _labels(labels: Any) -> np.ndarray:
    if isinstance(labels, np.ma.MaskedArray) and labels.mask.any():
        raise DuonasError(f"{int(labels.mask.sum())} labels are masked; expected one for each image.")
    try:
        found = np.asarray(labels)
    except (TypeError, ValueError) as error:
        raise DuonasError(f"labels must be one integer for each image: {error}.") from error
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise DuonasError(f"labels must be integers (N,), got {found.dtype} {found.shape}.")
    return found.astype(np.int64)


def _listing(
    names: Sequence[str],
    images: Sequence[Stored],
    labels: np.ndarray,
    class_names: Sequence[str] | None,
    splits: Sequence[str] | None,
) -> Listing:
    classes = tuple(map(str, class_names if class_names is not None else range(int(labels.max(initial=-1)) + 1)))
    for name in (name for at, name in enumerate(classes) if name in classes[:at]):
        raise DuonasError(f"two classes have the name {name!r}; expected a name of its own for each class.")
    wrong = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if len(wrong):
        raise DuonasError(f"{names[wrong[0]]} has the label {labels[wrong[0]]}; expected 0 to {len(classes) - 1}.")
    own = np.array(["" if splits is None else splits[i] for i in range(len(labels))], object)
    for split in sorted(set(own) - {*OWN_SPLITS, ""}):
        raise DuonasError(f"there is no split {split!r}; expected one of {', '.join(OWN_SPLITS)}, or ''.")
    return Listing(names=names, images=images, labels=labels, splits=own, class_names=classes)
