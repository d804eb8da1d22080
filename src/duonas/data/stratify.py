"""Which images go to which split: drawn once by seed, class by class, where a data set has no such split of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from duonas.data.facts import ImageFacts
from duonas.data.listing import Listing
from duonas.data.options import DataOptions

MOST = 0.15  # of the images that are not test images: share of a split that smallest_split may raise it to


def split_indices(
    listing: Listing, facts: ImageFacts, options: DataOptions, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Rows of the listing for each split, in random order.

    A val or test split that the data set comes with is used as it is; calib, and the others where they are missing, are
    drawn from all other images, class by class. Equal images of a class are drawn together, so that copies do not leak
    from one split into another, unless the class has too few different images.

    Args:
        listing: N images.
        facts: facts of these; broken images are in no split.
        options: the fractions of the splits.
        rng: the random order.
    """
    usable = facts.broken == ""
    drawn, pool = splits_to_draw(listing, usable), drawn_from(listing, usable)
    shares = _shares(int(pool.sum()), options, drawn)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in drawn}
    for label in range(len(listing.class_names)):
        rows = np.flatnonzero(pool & (listing.labels == label))
        first = _first_equal(facts.pixels, rows)
        if len(set(first.tolist())) < len(drawn):
            first = rows
        members = rng.permutation(rows[first == rows])
        sizes = _sizes(len(members), shares)
        for part, chosen in zip(parts.values(), np.split(members, np.cumsum(sizes)), strict=True):
            part += [chosen, rows[(first != rows) & np.isin(first, chosen)]]
    joined = {name: rng.permutation(np.concatenate(part)) for name, part in parts.items()}
    for name in _own(listing, usable):
        joined[name] = rng.permutation(np.flatnonzero(usable & (listing.splits == name)))
    return {name: joined[name] for name in ("train", "val", "calib", "test")}


def splits_to_draw(listing: Listing, usable: np.ndarray) -> list[str]:
    """The splits that the usable images (N,) of a data set do not come with."""
    own = _own(listing, usable)
    return [name for name in ("test", "val", "calib", "train") if name not in own]


def drawn_from(listing: Listing, usable: np.ndarray) -> np.ndarray:
    """The images (N,) bool that these splits are drawn from."""
    return usable & ~np.isin(listing.splits, _own(listing, usable))


def _own(listing: Listing, usable: np.ndarray) -> list[str]:
    return [name for name in ("val", "test") if (listing.splits[usable] == name).any()]


def _first_equal(pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """For each of some ascending rows (M,) the first of them with the same pixels."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(pixels[row], row) for row in rows.tolist()], rows.dtype)


def _shares(count: int, options: DataOptions, drawn: Sequence[str]) -> dict[str, float]:
    """The share of each split that is drawn but train: test of all images, the others of what is left.

    Args:
        count: number of images that they are drawn from.
        options: shares, and the least number of images.
        drawn: the splits, train last.
    """
    shares = {name: float(getattr(options, name)) for name in drawn[:-1]}
    left = count * (1 - shares.get("test", 0.0))
    least = min(MOST, options.smallest_split / left) if left else 0.0
    return {name: share if name == "test" else max(share, least) for name, share in shares.items()}


def _sizes(count: int, shares: Mapping[str, float]) -> list[int]:
    """How many of a class's images go to each split but train: at least one to each, and one is left to train."""
    sizes: list[int] = []
    base = rest = count
    for name, share in shares.items():
        spare = len(shares) - len(sizes)
        size = max(0, min(max(1, round(base * share)), rest - spare))
        sizes.append(size)
        rest -= size
        if name == "test":
            base = rest  # val and calib are shares of what is left
    return sizes
