"""Classes with too few images for the splits: an error, or left out with their images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from duonas.core.text import plural
from duonas.data.facts import ImageFacts
from duonas.data.images import Images
from duonas.data.lazy import Subset
from duonas.data.listing import Listing, Problem
from duonas.data.stratify import drawn_from, splits_to_draw

EACH = 3  # classes that are too small, of which more are one error


def small_classes(listing: Listing, usable: np.ndarray) -> list[Problem]:
    """An error for each class with fewer images than there are splits to draw from them, or one for many of them.

    Args:
        listing: N images.
        usable: (N,) bool, the images that count. Where a run stops for broken images, these count too: that a class has
            too few without them is no second error.
    """
    small = _small(listing, usable)
    if len(small) <= EACH:
        messages = [f"{_size(listing, usable, label)}; {_need(listing, usable)}" for label in small]
        return [Problem("too small class", message, error=True) for message in messages]
    names = tuple(_size(listing, usable, label).removeprefix("class ") for label in small)
    return [Problem("too small class", _many(listing, usable, len(small)), names, error=True)]


def without_small_classes(
    listing: Listing, facts: ImageFacts, images: Images
) -> tuple[Listing, ImageFacts, Images, list[Problem]]:
    """Leave out the classes with too few readable images, unless fewer than two would remain.

    Returns:
        Listing, facts and images without these classes, with labels that count on; and a warning for each of them, or
        errors where fewer than two classes would remain.
    """
    usable = facts.broken == ""
    small = _small(listing, usable)
    if not small:
        return listing, facts, images, []
    kept = np.setdiff1d(np.arange(len(listing.class_names)), small)
    if len(kept) < 2:
        left = plural(len(kept), "class", "classes")
        message = f"without the classes that are too small {left} would be left; at least two are needed"
        few = Problem("too few classes", message, error=True)
        return listing, facts, images, [*small_classes(listing, usable), few]
    problems = [_left_out(listing, usable, label) for label in small]
    rows = np.flatnonzero(np.isin(listing.labels, kept))
    labels = np.searchsorted(kept, listing.labels[rows])
    listing = replace(
        listing,
        names=[listing.names[row] for row in rows.tolist()],
        images=Subset(listing.images, rows.tolist()),
        labels=labels,
        splits=listing.splits[rows],
        class_names=tuple(listing.class_names[label] for label in kept.tolist()),
    )
    # A val or test split of left-out classes alone is gone with them, so that more splits are drawn from the others.
    images = replace(images.subset(rows), labels=torch.from_numpy(labels))
    listing, facts, images, more = without_small_classes(listing, facts.at(rows), images)
    return listing, facts, images, [*problems, *more]


def _many(listing: Listing, usable: np.ndarray, small: int) -> str:
    """What is wrong where many classes are too small."""
    classes, images = len(listing.class_names), int(drawn_from(listing, usable).sum())
    message = f"{small:,} of {classes:,} classes have too few images; {_need(listing, usable)} in each"
    if images < 2 * classes:
        message += f", but there are {plural(images, 'image')} in all, fewer than two a class"
    return message


def _small(listing: Listing, usable: np.ndarray) -> list[int]:
    drawn = splits_to_draw(listing, usable)
    counts = np.bincount(listing.labels[drawn_from(listing, usable)], minlength=len(listing.class_names))
    return np.flatnonzero(counts < len(drawn)).tolist()


def _size(listing: Listing, usable: np.ndarray, label: int) -> str:
    number = int((drawn_from(listing, usable) & (listing.labels == label)).sum())
    return f"class {listing.class_names[label]!r} has {plural(number, 'image')}"


def _need(listing: Listing, usable: np.ndarray) -> str:
    drawn = splits_to_draw(listing, usable)
    order = [split for split in ("train", "val", "calib", "test") if split in drawn]
    return f"{', '.join(order[:-1])} and {order[-1]} need one each, so at least {len(drawn)}"


def _left_out(listing: Listing, usable: np.ndarray, label: int) -> Problem:
    names = tuple(listing.names[row] for row in np.flatnonzero(listing.labels == label).tolist())
    message = f"{_size(listing, usable, label)} and is left out; {_need(listing, usable)}"
    return Problem("class left out", message, names)
