"""Modes of images as people call them, and what is white in them."""

from __future__ import annotations

import pytest

from duonas.data.modes import kinds_of, scaled, scales, words
from duonas.runtime.prepare import Preparation


@pytest.mark.parametrize(
    ("mode", "called"),
    [
        ("RGB", "RGB, 8 bits"), ("L", "grey, 8 bits"), ("1", "black and white"), ("I;16", "grey, 16 bits"),
        ("I;16B", "grey, 16 bits"), ("I", "grey, 32 bits"), ("F", "grey, float"), ("RGB;16", "RGB, 16 bits"),
        ("L uint8", "grey, 8 bits"), ("RGB >u2", "RGB, 16 bits"), ("LA float64", "grey with alpha, float"),
        ("P", "palette, 8 bits"), ("L;white=1600", "grey, 0 to 1600"), ("I int16", "grey, 16 bits"),
        ("CMYK", "CMYK, 8 bits"),
    ],
)  # fmt: skip
def test_modes_have_names(mode: str, called: str) -> None:
    assert words(mode) == called


def test_what_is_scaled_is_said() -> None:
    twelve = Preparation(8, white=4095.0)
    assert scaled(scales(["I;16"], twelve), ["I;16"]) == "values 0 to 4095 are scaled to 8 bits"
    assert (
        scaled(scales(["I;16", "L"], twelve), ["I;16", "L"]) == "values 0 to 4095 (grey, 16 bits) are scaled to 8 bits"
    )
    modes = ["F", "RGB;16"]
    assert scales(modes, Preparation(8)) == {"F": 1.0, "RGB;16": 65535.0}
    assert scaled(scales(modes, Preparation(8)), modes) == (
        "values 0 to 1 (grey, float), 0 to 65535 (RGB, 16 bits) are scaled to 8 bits"
    )
    assert scaled(scales(["L", "RGB"], Preparation(8)), ["L", "RGB"]) == ""


def test_kinds_of_values_follow_from_the_modes() -> None:
    assert kinds_of(["F", "L uint8", "1"]) == ("8 bits", "floats")
    assert kinds_of(["RGB;16", "L float16", "I"]) == ("integers", "floats")
