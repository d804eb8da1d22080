from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from duonas.data.listing import Listing
from duonas.data.look import look, look_around


def test_the_head_of_an_image_says_its_sides(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[:-20])
    for stored in (tmp_path / "a.jpg", whole, np.zeros((20, 30, 3), np.uint8), tmp_path / "half.jpg"):
        assert (look(stored).width, look(stored).height) == (30, 20)
    for broken in (tmp_path, tmp_path / "none.jpg", b"", b"text"):
        assert look(broken).width == 0
    file = io.BytesIO()
    Image.fromarray(np.full((2, 3), 4000, np.uint16)).save(file, "TIFF")
    assert look(file.getvalue()).peak == 4000


class Failing(list[bytes]):
    """Images of which one cannot be had."""

    def __getitem__(self, i):  # type: ignore[no-untyped-def]
        if i == 0:
            raise OSError("gone")
        return np.zeros((i, 2 * i), np.uint8)


def test_images_that_are_looked_at_are_spread_over_the_listing() -> None:
    listing = Listing([""] * 101, Failing([b""] * 101), np.zeros(101, int), np.full(101, ""), ("a", "b"))
    assert [fact.height for fact in look_around(listing, 3)] == [0, 50, 100]
    assert len(look_around(listing, 500)) == 101
