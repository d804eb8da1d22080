"""Finds images that a data set holds more than once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from duonas.data.facts import ImageFacts
from duonas.data.listing import Listing

SHOWN = 4  # names of equal images in a message; the report has all


@dataclass(frozen=True)
class Copies:
    """Two or more images that are the same for the networks.

    Args:
        names: their names, in the order of the listing.
        splits: the split of each; ``""`` where it is in none.
        classes: the class of each.
        same_bytes: whether the files are equal, too, and not only the decoded and resized pixels.
    """

    names: tuple[str, ...]
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    same_bytes: bool

    def __str__(self) -> str:
        """The first names, each with its split or class where these differ; one of each comes before others."""
        differ = [each for each in (self.splits, self.classes) if len(set(each)) > 1]
        notes = [", ".join(filter(None, note)) for note in zip(*differ, strict=True)] or [""] * len(self.names)
        named = [f"{name} ({note})" if note else name for name, note in zip(self.names, notes, strict=True)]
        if len(named) <= SHOWN:
            return " = ".join(named)
        first = [at for at, note in enumerate(notes) if note not in notes[:at]]
        rest = [at for at in range(len(notes)) if at not in first]
        shown = sorted((first + rest)[:SHOWN])
        return f"{' = '.join(named[at] for at in shown)} and {len(named) - len(shown):,} more"


def find_copies(listing: Listing, facts: ImageFacts, splits: np.ndarray) -> tuple[Copies, ...]:
    """Return all groups of equal images, in the order of their first images.

    Images are equal if the pixels that the networks see are, which includes equal files. Broken images are left out.

    Args:
        listing: N images.
        facts: facts of these.
        splits: (N,) name of the split of each.
    """
    there = np.flatnonzero(facts.broken == "")
    pixels = facts.pixels[there].tolist()
    times = Counter(pixels)
    equal: dict[str, list[int]] = {}
    for row, each in zip(there.tolist(), pixels, strict=True):
        if times[each] > 1:
            equal.setdefault(each, []).append(row)
    return tuple(
        Copies(
            names=tuple(listing.names[row] for row in rows),
            splits=tuple(str(splits[row]) for row in rows),
            classes=tuple(listing.class_names[listing.labels[row]] for row in rows),
            same_bytes=len({facts.encoded[row] for row in rows}) == 1,
        )
        for rows in equal.values()
    )
