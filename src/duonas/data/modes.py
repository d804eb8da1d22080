"""What a mode of images says: their type, their value of white, and how people call it.

Modes are Pillow's, such as ``"RGB"`` or ``"I;16"``; ``";16"`` after one of colour for 16 bits a value; and for arrays a
colour and a type, such as ``"L float32"``; ``";white=4095"`` for files that say themselves what is white.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from duonas.runtime.pillow import OWN_WHITE
from duonas.runtime.prepare import KINDS, Kind, Preparation, kind_of

TYPES = {"1": "bool", "I": "int32", "F": "float32"}
COLOURS = {"L": "grey", "I": "grey", "F": "grey", "LA": "grey with alpha", "P": "palette", "PA": "palette with alpha"}


def dtype_of(mode: str) -> np.dtype:
    """The type of the values of images of a mode."""
    colour, _, given = mode.partition(" ")
    return np.dtype(given or ("uint16" if ";16" in mode else TYPES.get(colour, "uint8")))


def words(mode: str) -> str:
    """A mode as people call it, such as ``"grey, 16 bits"``."""
    if mode == "1":
        return "black and white"
    colour, dtype = mode.partition(" ")[0].partition(";")[0], dtype_of(mode)
    if OWN_WHITE in mode:
        return f"{COLOURS.get(colour, colour)}, 0 to {mode.partition(OWN_WHITE)[2]}"
    depth = "float" if dtype.kind == "f" else f"{8 * dtype.itemsize} bits"
    return f"{COLOURS.get(colour, colour)}, {depth}"


def white_of_mode(mode: str, preparation: Preparation) -> float:
    """The value that is white in images of a mode; Pillow reads colour of 16 bits by its upper 8, so all 16 count."""
    return 65535.0 if reads_upper_half(mode) else preparation.white_of(dtype_of(mode))


def reads_upper_half(mode: str) -> bool:
    """Whether Pillow reads the upper 8 of 16 bits."""
    return ";16" in mode and not mode.startswith("I")


def kinds_of(modes: Iterable[str]) -> tuple[Kind, ...]:
    """The kinds of values that images of some modes have."""
    found = {kind_of(dtype_of(mode)) for mode in modes}
    return tuple(kind for kind in KINDS if kind in found)


def scales(modes: Iterable[str], preparation: Preparation) -> dict[str, float]:
    """The value of white of each mode of more than 8 bits."""
    return {mode: white_of_mode(mode, preparation) for mode in modes if dtype_of(mode).itemsize > 1}


def scaled(scales: Mapping[str, float], modes: Iterable[str]) -> str:
    """Say what is scaled to 8 bits, such as ``"values 0 to 4095 are scaled to 8 bits"``; empty if nothing is.

    Args:
        scales: see ``scales``.
        modes: all modes; which of them is meant is said where they are not all scaled alike.
    """
    if not scales:
        return ""
    if len(set(scales.values())) == 1 and set(modes) == set(scales):
        return f"values 0 to {next(iter(scales.values())):.10g} are scaled to 8 bits"
    each = [f"0 to {white:.10g} ({words(mode)})" for mode, white in scales.items()]
    return f"values {', '.join(each)} are scaled to 8 bits"
