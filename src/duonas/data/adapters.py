"""Listings of images that are in memory or in a PyTorch data set, for data sources of your own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from duonas.core.errors import DuonasError, nearest
from duonas.core.text import listed, plural
from duonas.data.lazy import Concatenated, Subset
from duonas.data.listing import OWN_SPLITS, Listing, Problem, Stored
from duonas.data.sources._rows import IMAGES, LABELS
from duonas.data.sources._split_names import split_name
from duonas.runtime.pillow import is_pillow, values_of

COUNTS_OF_CHANNELS = (1, 3, 4)


def from_arrays(
    images: Any, labels: Any, class_names: Sequence[str] | None = None, splits: Sequence[str] | None = None
) -> Listing:
    """List images that are in memory.

    Args:
        images: (N, H, W), (N, H, W, C) or (N, C, H, W), or N arrays of different sizes without N, or N images of
            Pillow; C is 1, 3 or 4. Integers of more than 8 bits, and floats from 0 to 1, are scaled as the recipe's
            ``white`` says.
        labels: (N,) integers from 0, or names of classes.
        class_names: (K,); default: the numbers, or the sorted names of all images but those of val and test.
        splits: (N,) of train, val, test or ``""`` for images that are to be split; default: all are.

    Raises:
        DuonasError: numbers differ, values are masked, labels are not of the classes, or two classes have one name.
    """
    images, found = _in_memory(images), _labels(labels)
    if len(images) != len(found):
        raise DuonasError(f"there are {len(images)} images and {len(found)} labels; expected one label for each image.")
    own = _own_splits([""] * len(found) if splits is None else splits, len(found))
    names = [f"image {i}" for i in range(len(found))]
    part = Labelled(names, found, None)
    if found.dtype.kind == "U" and class_names is None:
        class_names = sorted(set(found[~np.isin(own, ("val", "test"))].tolist()))
    classes, numbers = _classes([part], class_names)
    return Listing(
        names, [_array(name, image) for name, image in zip(names, images, strict=True)], numbers, own, classes
    )


def from_dataset(dataset: Any, class_names: Sequence[str] | None = None) -> Listing:
    """List the images of a PyTorch ``Dataset``, or one of Hugging Face, which are read when they are needed.

    Args:
        dataset: gives (image, label), or an object with the keys image and label, for each index; or such data sets by
            split: ``{"train": ..., "test": ...}``. An image is one of Pillow, a tensor (C, H, W) or an array
            (H, W, C), without random changes and not normalised.
        class_names: (K,); default: ``dataset.classes`` where there is such an attribute, else as in ``from_arrays``. If
            data sets differ in their ``classes``, labels are compared by name.

    Raises:
        DuonasError: a split or a label is not one, or the data set has no length.
    """
    given = dict(dataset) if isinstance(dataset, Mapping) else {"": dataset}
    parts, images, splits, problems = list[Labelled](), list[Sequence[Stored]](), list[str](), list[Problem]()
    for split, each in given.items():
        rows, labels, broken = _labels_of(each, split)
        names = [f"{split} image {i}".strip() for i in rows]
        parts.append(Labelled(names, _labels(labels), _class_names_of(each), _split(split) not in ("val", "test")))
        images.append(Subset(DatasetImages(each), rows))
        splits += [split] * len(rows)
        if broken:
            problems.append(Problem("broken", f"{plural(len(broken), 'image')} cannot be read", broken, error=True))
    classes, numbers = _classes(parts, class_names)
    return Listing(
        names=[name for part in parts for name in part.names],
        images=Concatenated(images),
        labels=numbers,
        splits=_own_splits(splits, len(numbers)),
        class_names=classes,
        problems=tuple(problems),
    )


@dataclass(frozen=True)
class Labelled:
    """The labels of a data set.

    Args:
        names: name (N,) of each image.
        labels: (N,) int64, or names of classes.
        class_names: what the numbers mean, if it is known.
        trains: whether its classes are to be learned.
    """

    names: Sequence[str]
    labels: np.ndarray
    class_names: tuple[str, ...] | None
    trains: bool = True

    def texts(self, class_names: Sequence[str] | None) -> list[str]:
        """The class of each image by name; ``class_names`` where the data set does not know its own."""
        if self.labels.dtype.kind == "U":
            return [str(label) for label in self.labels]
        names = self.class_names or class_names
        if names is None:
            raise DuonasError(
                f"{self.names[0]} has a number for a class, where another data set has names, so they cannot be "
                "compared: give class_names."
            )
        self.check(len(names))
        return [names[label] for label in self.labels]

    def check(self, count: int) -> None:
        """Refuse numbers that are none of ``count`` classes."""
        wrong = np.flatnonzero((self.labels < 0) | (self.labels >= count))
        if len(wrong):
            first = wrong[0]
            raise DuonasError(f"{self.names[first]} has the label {self.labels[first]}; expected 0 to {count - 1}.")


def _classes(parts: Sequence[Labelled], class_names: Sequence[str] | None) -> tuple[tuple[str, ...], np.ndarray]:
    """The names of the classes, and the number of each image's class."""
    given = None if class_names is None else tuple(map(str, class_names))
    for each in filter(None, (given, *(part.class_names for part in parts))):
        for name in (name for at, name in enumerate(each) if name in each[:at]):
            raise DuonasError(f"two classes have the name {name!r}; expected a name of its own for each class.")
    own = {part.class_names for part in parts if part.class_names is not None}
    usual = given or (next(iter(own)) if len(own) == 1 else None)
    if len(own) <= 1 and all(part.labels.dtype.kind == "i" for part in parts):
        most = max((int(part.labels.max(initial=-1)) for part in parts), default=-1)
        names = usual or tuple(map(str, range(most + 1)))
        for part in parts:
            part.check(len(names))
        return names, np.concatenate([np.empty(0, np.int64), *(part.labels for part in parts)])
    texts = [part.texts(usual) for part in parts]
    known = (
        part.class_names or usual or sorted(set(found)) for part, found in zip(parts, texts, strict=True) if part.trains
    )
    names = given or tuple(dict.fromkeys(name for each in known for name in each))
    numbers = {name: number for number, name in enumerate(names)}
    for part, found in zip(parts, texts, strict=True):
        for image, text in zip(part.names, found, strict=True):
            if text not in numbers:
                raise DuonasError(
                    f"{image} has the class {text!r}, which is not one to train on: {nearest(text, names)}."
                )
    return names, np.array([numbers[text] for found in texts for text in found], np.int64)


class DatasetImages(Sequence[Stored]):
    """The images of a data set as arrays (H, W, C); one is read at a time, since data sets need not allow more."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, i: Any) -> Any:
        with self._lock:
            image = _item(self._dataset[i])[0]
        if isinstance(image, Mapping):  # of Hugging Face, not decoded
            image = image.get("bytes") or image.get("path")
        if isinstance(image, str | bytes | Path):
            return Path(image) if isinstance(image, str) else image
        return _pixels(image)


def _item(item: Any) -> tuple[Any, Any]:
    """The image and the label of an item of a data set."""
    if isinstance(item, Mapping):
        image, label = (next((name for name in usual if name in item), None) for usual in (IMAGES, LABELS))
        if image is not None and label is not None:
            return item[image], item[label]
        raise DuonasError(
            f"items of the data set have the keys {listed(list(map(str, item)), 9)}; expected image and label."
        )
    if not isinstance(item, tuple | list) or len(item) < 2:
        raise DuonasError(f"items of the data set are {type(item).__name__}; expected (image, label).")
    return item[0], item[1]


def _labels_of(dataset: Any, split: str) -> tuple[list[int], Any, tuple[str, ...]]:
    """The rows that can be read, their labels, from an attribute or from each item, and why others cannot."""
    what = f"the data set {split!r}" if split else "the data set"
    try:
        count = len(dataset)
    except (TypeError, NotImplementedError) as error:
        raise DuonasError(
            f"{what} is {type(dataset).__name__} without a length; expected len() and items by index, such as a list "
            "of (image, label)."
        ) from error
    targets: Any = getattr(dataset, "targets", None)
    if hasattr(targets, "__len__") and len(targets) == count:
        return list(range(count)), targets, ()
    rows, labels, broken = [], [], []
    for i in range(count):
        try:
            item = dataset[i]
        except Exception as error:  # a user's own data set may fail in any way
            broken.append(f"{split} image {i} ({' '.join(str(error).split()) or type(error).__name__})".strip())
            continue
        rows.append(i)
        labels.append(_item(item)[1])
    if broken and not rows:
        raise DuonasError(f"no item of {what} can be read: {broken[0]}.")
    return rows, labels, tuple(broken)


def _class_names_of(dataset: Any) -> tuple[str, ...] | None:
    """The names of the classes, as torchvision's data sets and those of Hugging Face have them."""
    names = getattr(dataset, "classes", None)
    features = getattr(dataset, "features", None)
    if names is None and isinstance(features, Mapping):
        names = next((getattr(features[name], "names", None) for name in LABELS if name in features), None)
    return tuple(map(str, names)) if isinstance(names, Iterable) and not isinstance(names, str) else None


def _in_memory(values: Any) -> Any:
    """Values with a length; those of a generator as a list."""
    return values if hasattr(values, "__len__") or not isinstance(values, Iterable) else list(values)


def _array(name: str, image: Any) -> np.ndarray:
    try:
        array = _pixels(image)
    except (TypeError, ValueError, RuntimeError) as error:  # such as a tensor that is not on the CPU
        raise DuonasError(f"{name} is not an array: {error}.") from error
    if isinstance(array, np.ma.MaskedArray) and array.mask.any():
        raise DuonasError(f"{name} has masked values: fill them first, as by images.filled(0).")
    return np.asarray(array)


def _pixels(image: Any) -> np.ndarray:
    return values_of(image) if is_pillow(image) else _upright(np.asanyarray(image))


def _upright(image: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, C) from that or from (C, H, W)."""
    first = image.ndim == 3 and image.shape[0] in COUNTS_OF_CHANNELS and image.shape[2] not in COUNTS_OF_CHANNELS
    return image.transpose(1, 2, 0) if first else image


def _labels(labels: Any) -> np.ndarray:
    """Labels (N,) as int64 or text."""
    if isinstance(labels, np.ma.MaskedArray) and labels.mask.any():
        raise DuonasError(f"{int(labels.mask.sum())} labels are masked; expected one for each image.")
    try:
        found = np.asarray(_in_memory(labels))
    except (TypeError, ValueError, RuntimeError) as error:
        raise DuonasError(f"labels must be one integer or name for each image: {error}.") from error
    if found.ndim == 1 and found.dtype.kind == "O" and all(isinstance(label, str) for label in found):
        found = found.astype(str)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iubU"):
        hint = ""
        if found.ndim == 2:
            hint = "; of one-hot labels pass labels.argmax(1)" if found.shape[1] > 1 else "; pass labels.reshape(-1)"
        raise DuonasError(f"labels must be integers (N,), or names, got {found.dtype} {found.shape}{hint}.")
    return found if found.size and found.dtype.kind == "U" else found.astype(np.int64)


def _own_splits(splits: Iterable[Any], count: int) -> np.ndarray:
    found = np.array([_split(split) for split in splits], object)
    if len(found) != count:
        raise DuonasError(f"there are {len(found)} splits and {count} images; expected one split for each image.")
    for split in sorted(set(found) - {*OWN_SPLITS, ""}):
        raise DuonasError(f"there is no split {split!r}; expected one of {', '.join(OWN_SPLITS)}, or ''.")
    return found


def _split(name: Any) -> str:
    """A split by any of its names, such as validation."""
    return split_name(str(name)) or str(name)
