"""How the images of a data set become squares of 8-bit RGB: what the options leave open follows from the images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from duonas.data.decode import look
from duonas.data.facts import ImageFact, ImageFacts
from duonas.data.listing import Listing, Problem
from duonas.data.modes import kinds_of, white_of_mode
from duonas.data.options import DataOptions
from duonas.runtime.prepare import Preparation

DEFAULT_SIDE, LARGEST_OWN_SIDE = 32, 64
LOOKED_AT = 64  # images that the defaults follow from
WHITES = (255, 1023, 4095, 16383, 65535)  # of 8, 10, 12, 14 and 16 bits
DARK = 1 / 8  # of white: where all images stay below it, white is probably wrong


def prepare_for(listing: Listing, options: DataOptions) -> Preparation:
    """How the images of a listing become squares; what the options leave open follows from a look at some of them.

    ``image_size`` is by default the images' own where all of them are squares of one size up to 64 pixels, else 32;
    ``white`` that of the least number of bits (8, 10, 12, 14 or 16) that holds all integers of more than 8 bits.
    """
    size, white = options.image_size, options.white
    if size is None or white is None:
        rows = np.unique(np.linspace(0, len(listing) - 1, min(LOOKED_AT, len(listing))).astype(int))
        seen = [_look(listing, row) for row in rows.tolist()]
        size = size or _own_side(seen)
        white = white or _own_white(seen)
    return Preparation(size, options.resize, white)


def white_problems(
    listing: Listing, facts: ImageFacts, preparation: Preparation, options: DataOptions
) -> list[Problem]:
    """Images of more than 8 bits that are brighter than white, or all of them so dark that white is probably wrong."""
    deep = np.flatnonzero(facts.peak > 0)
    if not len(deep):
        return []
    whites = np.array([white_of_mode(facts.mode[row], preparation) for row in deep])
    peaks = facts.peak[deep]
    above = deep[peaks > whites]
    if len(above):
        message = (
            f"{len(above):,} of {len(deep):,} images of more than 8 bits have values above white, "
            f"up to {peaks.max():g}, where white is {whites.min():g}: set [data] white"
        )
        return [Problem("brighter than white", message, _names(listing, above), error=options.white is None)]
    if options.white is None and (peaks < whites * DARK).all():
        message = (
            f"the values of all {len(deep):,} images of more than 8 bits end at {peaks.max():g}, but white is "
            f"{whites.max():g}, so they would be almost black: set [data] white, or convert them to 8 bits"
        )
        return [Problem("dark", message, _names(listing, deep), error=True)]
    return []


def _look(listing: Listing, row: int) -> ImageFact:
    try:
        return look(listing.images[row])
    except Exception:  # of a user's own data set; the pass over all images says why
        return ImageFact()


def _names(listing: Listing, rows: np.ndarray) -> tuple[str, ...]:
    return tuple(listing.names[row] for row in rows)


def _own_side(seen: Sequence[ImageFact]) -> int:
    sides = {side for fact in seen for side in (fact.width, fact.height) if side}
    (side,) = sides if len(sides) == 1 else (DEFAULT_SIDE,)
    return side if side <= LARGEST_OWN_SIDE else DEFAULT_SIDE


def _own_white(seen: Sequence[ImageFact]) -> float | None:
    peaks = [fact.peak for fact in seen if fact.peak]
    if "floats" in kinds_of(fact.mode for fact in seen) or not peaks:  # floats are from 0 to 1
        return None
    return next((float(white) for white in WHITES if white >= max(peaks)), None)
