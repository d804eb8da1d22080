"""Data sets made up for the tests, without any image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from duonas.data.facts import ImageFact, ImageFacts
from duonas.data.inspect import Inspected
from duonas.data.listing import Listing, Problem
from duonas.runtime.prepare import Preparation

SPLITS = ("train", "val", "calib", "test")


def listed(counts: dict[str, int], **changes: object) -> Listing:
    """So many images of each class, named ``cat/0``, ``cat/1`` and so on."""
    names = [f"{name}/{number}" for name, count in counts.items() for number in range(count)]
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    splits = np.full(len(names), "", dtype="<U5")
    return replace(Listing(names, [b""] * len(names), labels, splits, tuple(counts)), **changes)  # type: ignore[arg-type]


def known(listing: Listing, **changes: object) -> ImageFacts:
    """Facts of different, sound RGB images of 64 x 48 pixels."""
    rows = [ImageFact(64, 48, "RGB", f"file {number}", f"pixels {number}", 60.0) for number in range(len(listing))]
    return replace(ImageFacts.of(rows), **changes)  # type: ignore[arg-type]


def broken(facts: ImageFacts, **reasons: str) -> ImageFacts:
    """The facts with images that cannot be read: ``_3="truncated"`` is the image at row 3."""
    rows = [ImageFact(*row) for row in zip(*(getattr(facts, name) for name in ImageFact._fields), strict=True)]
    for row, reason in reasons.items():
        rows[int(row.removeprefix("_"))] = ImageFact(broken=reason)
    return ImageFacts.of(rows)


def in_turn(listing: Listing) -> dict[str, np.ndarray]:
    """Splits that take the images in turn."""
    return {name: np.arange(at, len(listing), len(SPLITS)) for at, name in enumerate(SPLITS)}


def inspected(
    listing: Listing, facts: ImageFacts | None = None, problems: tuple[Problem, ...] = (), image_size: int = 32
) -> Inspected:
    """The data set split in turn, without its broken images."""
    facts = known(listing) if facts is None else facts
    indices = {name: rows[facts.broken[rows] == ""] for name, rows in in_turn(listing).items()}
    return Inspected(listing, facts, indices, (*listing.problems, *problems), Preparation(image_size))
