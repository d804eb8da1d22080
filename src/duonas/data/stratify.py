"""Which images go to which split: drawn once by seed, class by class, where a data set has no such split of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from duonas.core.text import plural
from duonas.data.facts import ImageFacts
from duonas.data.listing import Listing, Problem
from duonas.data.options import DataOptions


def split_indices(
    listing: Listing, facts: ImageFacts, options: DataOptions, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], tuple[Problem, ...]]:
    """Rows of the listing for each split, in random order, and the classes with too few images.

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
    own = [name for name in ("val", "test") if (listing.splits[usable] == name).any()]
    drawn = [name for name in ("test", "val", "calib", "train") if name not in own]
    pool = usable & ~np.isin(listing.splits, own)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in drawn}
    problems = []
    for label, name in enumerate(listing.class_names):
        rows = np.flatnonzero(pool & (listing.labels == label))
        if len(rows) < len(drawn):
            problems.append(_too_small(name, len(rows), drawn))
        first = _first_equal(facts.pixels, rows)
        if len(set(first.tolist())) < len(drawn):
            first = rows
        members = rng.permutation(rows[first == rows])
        sizes = _sizes(len(members), options, drawn)
        for part, chosen in zip(parts.values(), np.split(members, np.cumsum(sizes)), strict=True):
            part += [chosen, rows[(first != rows) & np.isin(first, chosen)]]
    joined = {name: rng.permutation(np.concatenate(part)) for name, part in parts.items()}
    for name in own:
        joined[name] = rng.permutation(np.flatnonzero(usable & (listing.splits == name)))
    return {name: joined[name] for name in ("train", "val", "calib", "test")}, tuple(problems)


def _first_equal(pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """For each of some ascending rows (M,) the first of them with the same pixels."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(pixels[row], row) for row in rows.tolist()], rows.dtype)


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
    message = f"class {name!r} has {plural(count, 'image')}; {splits} need one each, so at least {len(drawn)}"
    return Problem("too small class", message, error=True)
