from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from duonas.core.errors import DuonasError
from duonas.data.decode import CHUNK, decode_all


def png(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_an_image_of_the_right_size_is_decoded_pixel_for_pixel(seed: int, size: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    decoded = decode_all(["a"], [png(Image.fromarray(pixels))], size)
    assert torch.equal(decoded[0], torch.from_numpy(pixels.transpose(2, 0, 1)))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["RGB", "L", "1", "P", "RGBA", "LA", "I;16"]))
def test_any_shape_and_mode_becomes_a_square_of_rgb(width: int, height: int, mode: str) -> None:
    decoded = decode_all(["a"], [png(Image.new(mode, (width, height)))], 16)
    assert decoded.shape == (1, 3, 16, 16)
    assert decoded.dtype == torch.uint8


def test_the_centre_is_kept() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200  # the middle third
    decoded = decode_all(["a"], [png(Image.fromarray(wide))], 10)
    assert torch.equal(decoded, torch.full((1, 3, 10, 10), 200, dtype=torch.uint8))


def test_16_bit_gray_is_scaled_and_not_clipped() -> None:
    gray = np.full((4, 4), 257 * 100, np.uint16)
    assert decode_all(["a"], [png(Image.fromarray(gray))], 4).unique().tolist() == [100]


def test_a_photograph_is_turned_upright() -> None:
    image = Image.new("RGB", (8, 8), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 8, 4))  # white above
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    decoded = decode_all(["a"], [png(image, exif=exif)], 8)[0, 0]
    assert decoded[0].tolist() == [0] * 8
    assert decoded[-1].tolist() == [255] * 8


def test_the_order_is_kept_and_progress_told_over_many_chunks() -> None:
    images = [png(Image.new("RGB", (2, 2), (i % 256, i // 256, 0))) for i in range(2 * CHUNK + 3)]
    told: list[tuple[int, int]] = []
    decoded = decode_all([""] * len(images), images, 2, lambda done, total, **figures: told.append((done, total)))
    assert (decoded[:, 0, 0, 0].int() + 256 * decoded[:, 1, 0, 0].int()).tolist() == list(range(len(images)))
    assert told == [(0, len(images)), (CHUNK, len(images)), (2 * CHUNK, len(images)), (len(images), len(images))]


def test_no_images_at_all() -> None:
    assert decode_all([], [], 4).shape == (0, 3, 4, 4)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.png"
    file.write_bytes(b"this is text")
    with pytest.raises(DuonasError, match=r"cannot read the image .*broken\.png: not an image file"):
        decode_all([str(file)], [file], 4)


def test_a_truncated_image_is_named() -> None:
    whole = png(Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)))
    with pytest.raises(DuonasError, match="cannot read the image row 7"):
        decode_all(["row 7"], [whole[: len(whole) // 2]], 4)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DuonasError, match=r"gone\.png: No such file"):
        decode_all(["gone.png"], [tmp_path / "gone.png"], 4)
