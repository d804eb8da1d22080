"""How the images of a data set become squares of 8-bit RGB: what the options leave open follows from the images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from duonas.core.errors import DuonasError
from duonas.core.text import plural
from duonas.data.augment import Augment
from duonas.data.facts import ImageFact, ImageFacts
from duonas.data.listing import Listing, Problem
from duonas.data.look import look_around
from duonas.data.modes import dtype_of, reads_upper_half, white_of_mode
from duonas.data.options import DataOptions
from duonas.runtime.prepare import Preparation

DEFAULT_SIDE, LARGEST_OWN_SIDE = 32, 64
ROOM = 1.25  # working size over image size: crops of two thirds of the area are then not enlarged
LOOKED_AT = 64  # images that the defaults follow from
WHITES = (255, 1023, 4095, 16383, 65535)  # of 8, 10, 12, 14 and 16 bits
DARK = 1 / 8  # of white: where all images stay below it, white is probably wrong
INTEGER, FLOAT, COLOUR = KINDS = ("integers of more than 8 bits", "floats", "colour of 16 bits")
REMEDY = dict.fromkeys(KINDS, "set [data] white, or convert them to 8 bits") | {COLOUR: "convert them to 8 bits"}


def prepare_for(listing: Listing, options: DataOptions) -> Preparation:
    """How the images of a listing become squares; what the options leave open follows from a look at some of them.

    ``image_size`` is by default the images' own where all of them are squares of one size up to 64 pixels, else 32;
    ``white`` of integers that of the least number of bits (8, 10, 12, 14 or 16) that holds all of more than 8 bits, and
    of floats 1.
    """
    size, white, given = options.image_size, options.white, options.white
    if size is None or white is None:
        seen = look_around(listing, LOOKED_AT)
        size = size or _own_side(seen)
        white = white or _own_white(seen)
    return Preparation(size, options.resize, white, float_white=given)


def working_for(listing: Listing, options: DataOptions, preparation: Preparation) -> Preparation | None:
    """How training images become the larger squares that random crops are cut out of; ``None`` where nothing is.

    Args:
        listing: the images.
        options: the ``[data]`` table.
        preparation: of what the networks see.

    Raises:
        DuonasError: ``working_size`` is smaller than what the networks see.
    """
    if Augment.from_options(options).crop is None:
        return None
    least, side = preparation.image_size, options.working_size
    if side is None:
        usual = int(_usual_side(look_around(listing, LOOKED_AT), preparation))
        side = max(least, min(round(ROOM * least), usual))  # not enlarged, which would only blur them
    if side < least:
        raise DuonasError(
            f"[data] working_size = {side} is smaller than the {least} x {least} pixels that the networks see: random "
            f"crops are cut out of larger images, so it must be at least {least}."
        )
    return replace(preparation, image_size=side) if side > least else None


def white_problems(
    listing: Listing, facts: ImageFacts, preparation: Preparation, options: DataOptions
) -> list[Problem]:
    """Images of more than 8 bits that are brighter than white; and floats, integers or colour that are all so dark that
    white is probably wrong, whether there are others or not."""
    kinds = np.array([_kind(mode) for mode in facts.mode], object)
    problems = list[Problem]()
    for kind in KINDS:
        rows = np.flatnonzero((kinds == kind) & (facts.peak > 0))
        if len(rows):
            whites = np.array([white_of_mode(facts.mode[row], preparation) for row in rows])
            problems += _of_kind(kind, rows, facts.peak[rows], whites, listing, automatic=options.white is None)
    return problems


def _of_kind(
    kind: str, rows: np.ndarray, peaks: np.ndarray, whites: np.ndarray, listing: Listing, *, automatic: bool
) -> Iterator[Problem]:
    above = rows[peaks > whites]
    if len(above):
        message = (
            f"{len(above):,} of {plural(len(rows), 'image')} of {kind} {'has' if len(above) == 1 else 'have'} values "
            "above white, "
            f"up to {peaks.max():g}, where white is {whites.min():g}: set [data] white"
        )
        yield Problem("brighter than white", message, _names(listing, above), error=automatic)
    elif (peaks < whites * DARK).all():
        message = (
            f"the values of all {plural(len(rows), 'image')} of {kind} end at {peaks.max():g}, but white is "
            f"{whites.max():g}, so they would be almost black: {REMEDY[kind]}"
        )
        yield Problem("dark", message, _names(listing, rows), error=automatic)


def _kind(mode: str) -> str:
    if reads_upper_half(mode):
        return COLOUR
    return FLOAT if dtype_of(mode).kind == "f" else INTEGER


def _usual_side(seen: Sequence[ImageFact], preparation: Preparation) -> float:
    """The median of the side that decides how large the square of an image can be without enlarging it."""
    deciding = max if preparation.resize == "pad" else min
    sides = [deciding(fact.width, fact.height) for fact in seen if fact.width]
    return float(np.median(sides)) if sides else 0.0


def _names(listing: Listing, rows: np.ndarray) -> tuple[str, ...]:
    return tuple(listing.names[row] for row in rows)


def _own_side(seen: Sequence[ImageFact]) -> int:
    sides = {side for fact in seen for side in (fact.width, fact.height) if side}
    (side,) = sides if len(sides) == 1 else (DEFAULT_SIDE,)
    return side if side <= LARGEST_OWN_SIDE else DEFAULT_SIDE


def _own_white(seen: Sequence[ImageFact]) -> float | None:
    """White of the integers; floats do not count, since theirs is 1."""
    peaks = [fact.peak for fact in seen if fact.peak and _kind(fact.mode) == INTEGER]
    return next((float(white) for white in WHITES if white >= max(peaks)), None) if peaks else None
