"""Which images go to which split: drawn once by seed, class by class, where a data set has no such split of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from duonas.data.listing import Listing, Problem
from duonas.data.options import DataOptions


def split_indices(
    listing: Listing, usable: np.ndarray, options: DataOptions, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], tuple[Problem, ...]]:
    """Rows of the listing for each split, in random order, and the classes with too few images.

    A val or test split that the data set comes with is used as it is; calib, and the others where they are missing, are
    drawn from all other images, class by class.

    Args:
        listing: N images.
        usable: (N,) bool, whether each can be used.
        options: the fractions of the splits.
        rng: the random order.
    """
    own = [name for name in ("val", "test") if (listing.splits[usable] == name).any()]
    drawn = [name for name in ("test", "val", "calib", "train") if name not in own]
    pool = usable & ~np.isin(listing.splits, own)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in drawn}
    problems = []
    for label, name in enumerate(listing.class_names):
        members = rng.permutation(np.flatnonzero(pool & (listing.labels == label)))
        if len(members) < len(drawn):
            problems.append(_too_small(name, len(members), drawn))
        sizes = _sizes(len(members), options, drawn)
        for part, chosen in zip(parts.values(), np.split(members, np.cumsum(sizes)), strict=True):
            part.append(chosen)
    joined = {name: rng.permutation(np.concatenate(part)) for name, part in parts.items()}
    for name in own:
        joined[name] = rng.permutation(np.flatnonzero(usable & (listing.splits == name)))
    return {name: joined[name] for name in ("train", "val", "calib", "test")}, tuple(problems)


def _sizes(count: int, options: DataOptions, drawn: Sequence[str]) -> list[int]:
    """How many of a class's images go to each split but train: at least one to each, and one is left to train."""
    sizes: list[int] = []
    base = rest = count
    for name in drawn[:-1]:
        spare = len(drawn) - len(sizes) - 1
        size = max(0, min(max(1, round(base * getattr(options, name))), rest - spare))
        sizes.append(size)
        rest -= size
        if name == "test":
            base = rest  # val and calib are shares of what is left
    return sizes


def _too_small(name: str, count: int, drawn: Sequence[str]) -> Problem:
    order = [split for split in ("train", "val", "calib", "test") if split in drawn]
    splits = f"{', '.join(order[:-1])} and {order[-1]}"
    images = "image" if count == 1 else "images"
    message = f"class {name!r} has {count} {images}; {splits} need one each, so at least {len(drawn)}"
    return Problem("too small class", message, error=True)
