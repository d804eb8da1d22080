"""Counts of images by class, size and mode, and what so many images can prove."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import beta

from duonas.data.facts import ImageFacts
from duonas.data.listing import Listing

CONFIDENCE = 0.95
COMMON = 10  # sizes that are listed; of more sizes, the most common ones

Size = tuple[int, int]  # width and height in pixels


@dataclass(frozen=True)
class Group:
    """Counts of some images, as they are stored.

    Args:
        images: how many.
        sizes: number of images by (width, height) in pixels, of at most 10 sizes, the most common first.
        different_sizes: number of different sizes.
        smallest: width and height of the image with the smallest area; ``None`` without images.
        largest: the same of the largest.
        modes: number of images by mode, such as ``"RGB"``, the most common first.
    """

    images: int
    sizes: Mapping[Size, int]
    different_sizes: int
    smallest: Size | None
    largest: Size | None
    modes: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON."""
        sizes = [{"width": width, "height": height, "images": number} for (width, height), number in self.sizes.items()]
        return asdict(self) | {"sizes": sizes}


@dataclass(frozen=True)
class Part:
    """A split, or all images.

    Args:
        total: all images of the part.
        classes: its images by class (K,), in the order of the class names.
        own: whether the data set came with this split.
        origin: the split of the data set that its images come from; empty where they come from several or from none.
    """

    total: Group
    classes: tuple[Group, ...]
    own: bool = False
    origin: str = ""

    @property
    def images(self) -> int:
        """Number of images."""
        return self.total.images

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of images (K,) of each class."""
        return tuple(group.images for group in self.classes)

    @property
    def majority(self) -> int:
        """Index of the largest class."""
        return int(np.argmax(self.counts))

    @property
    def majority_share(self) -> float:
        """Accuracy in [0, 1] of always answering the largest class; 0 without images."""
        return max(self.counts) / self.images if self.images else 0.0


def count(listing: Listing, facts: ImageFacts, rows: np.ndarray, split: str = "") -> Part:
    """Count the images at ``rows`` (M,) of a listing, which are a split or, without a name, all images."""
    order = rows[np.argsort(listing.labels[rows], kind="stable")]
    counts = np.bincount(listing.labels[rows], minlength=len(listing.class_names))
    classes = [_group(facts, each) for each in np.split(order, np.cumsum(counts)[:-1])]
    own = bool(split) and bool((listing.splits[rows] == split).any())
    origins = set(listing.splits[rows].tolist())
    origin = next(iter(origins)) if len(origins) == 1 else ""
    return Part(_group(facts, rows), tuple(classes[: len(listing.class_names)]), own, origin)


def certifies(split: str, images: int) -> dict[str, float]:
    """What a split of so many images can prove, with 95 % confidence.

    Returns:
        ``margin``: an accuracy is known to within this, in [0, 1] (half the width of the exact interval of Clopper and
        Pearson where it is widest, at an accuracy of one half). ``highest_floor`` of calib: the highest accuracy that
        can be guaranteed, which takes a pair that is right on all images of the half that chooses the threshold.
    """
    found = {"margin": margin(images)}
    if split == "calib":
        found["highest_floor"] = (1 - CONFIDENCE) ** (1 / max(-(-images // 2), 1)) if images else 0.0
    return found


def margin(images: int) -> float:
    """Half the width of the exact 95 % interval of an accuracy of one half, measured on so many images."""
    if images == 0:
        return 1.0
    right, tail = images // 2, (1 - CONFIDENCE) / 2
    upper = float(beta.ppf(1 - tail, right + 1, images - right))
    return upper - right / images


def _group(facts: ImageFacts, rows: np.ndarray) -> Group:
    sizes = Counter(zip(facts.width[rows].tolist(), facts.height[rows].tolist(), strict=True))
    modes = Counter(facts.mode[rows].tolist())
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    return Group(
        images=len(rows),
        sizes=dict(_most_common(sizes)[:COMMON]),
        different_sizes=len(sizes),
        smallest=by_area[0] if by_area else None,
        largest=by_area[-1] if by_area else None,
        modes=dict(_most_common(modes)),
    )


def _most_common(counted: Counter[Any]) -> list[tuple[Any, int]]:
    """What was counted, the most common first, ties in their own order."""
    return sorted(counted.items(), key=lambda each: (-each[1], each[0]))
