from __future__ import annotations

import hashlib
import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from duonas.data.decode import CHUNK, Stored, decode_all
from duonas.data.facts import ImageFact, ImageFacts
from duonas.runtime.prepare import Preparation


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(image: Stored, size: int, white: float | None = None) -> tuple[torch.Tensor, ImageFact]:
    """Pixels (3, H, H) and facts of one image."""
    pixels, facts = decode_all([image], Preparation(size, white=white, float_white=white))
    return pixels[0], row(facts, 0)


def row(facts: ImageFacts, i: int) -> ImageFact:
    return ImageFact(**{name: getattr(facts, name)[i] for name in ImageFact._fields})


def noise(*shape: int, dtype: type = np.uint8, top: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(0, top, shape).astype(dtype)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_an_image_of_the_right_size_is_decoded_pixel_for_pixel(seed: int, size: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    for stored in (encoded(Image.fromarray(pixels)), pixels):
        assert torch.equal(decoded(stored, size)[0], torch.from_numpy(pixels.transpose(2, 0, 1)))


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["RGB", "L", "1", "P", "RGBA", "LA", "I;16"]),
    st.sampled_from(["crop", "squash", "pad"]),
)
def test_any_shape_and_mode_becomes_a_square_of_rgb(width: int, height: int, mode: str, resize: str) -> None:
    pixels, facts = decode_all([encoded(Image.new(mode, (width, height)))], Preparation(16, resize))  # type: ignore[arg-type]
    assert pixels.shape == (1, 3, 16, 16)
    assert pixels.dtype == torch.uint8
    assert row(facts, 0)[:3] == (width, height, mode)


def test_the_centre_is_kept_or_all_of_it_squashed_or_padded() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200  # the middle third
    squashed, padded = (decode_all([wide], Preparation(30, how))[0][0, 0] for how in ("squash", "pad"))
    assert (decode_all([wide], Preparation(10))[0] == 200).all()
    assert squashed[:, 15].tolist() == [200] * 30 and squashed[:, 0].tolist() == [0] * 30
    assert (padded[10:20, 10:20] == 200).all() and padded.sum() == 200 * 100


def test_a_photograph_is_turned_upright() -> None:
    image = Image.new("RGB", (8, 8), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 8, 4))  # white above
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels = decoded(encoded(image, exif=exif), 8)[0][0]
    assert pixels[0].tolist() == [0] * 8
    assert pixels[-1].tolist() == [255] * 8


@pytest.mark.parametrize("odd", ["type", "junk", "range"])
def test_odd_exif_is_no_reason_to_refuse_an_image(odd: str) -> None:
    plain = encoded(Image.fromarray(noise(8, 8, 3)), "JPEG")
    if odd == "junk":
        exif = b"Exif\0\0II*\0\xff\xff\xff\xffjunk"
    else:
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[0x0112] = 77 if odd == "range" else 1
        tags.tagtype[0x0112] = 3 if odd == "range" else 10  # a signed rational, of a number of the wrong kind
        tags[0x9286] = 5  # a comment that is a number
        exif = b"Exif\0\0" + tags.tobytes() if odd == "range" else b"Exif\0\0" + _signed(tags)
    pixels, fact = decoded(plain[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + plain[2:], 8)
    assert fact.broken == ""
    assert torch.equal(pixels, decoded(plain, 8)[0])


def _signed(tags: TiffImagePlugin.ImageFileDirectory_v2) -> bytes:
    """One EXIF tag whose stored type does not fit its value: XResolution as an unsigned rational that is negative."""
    entry = (0x011A).to_bytes(2, "little") + (2).to_bytes(2, "little") + (1).to_bytes(4, "little") + b"\xff\xfe\0\0"
    return b"II*\0\x08\0\0\0" + (1).to_bytes(2, "little") + entry + b"\0\0\0\0"


@pytest.mark.parametrize(
    ("values", "white", "expected"),
    [
        (np.full((4, 4), 257 * 100, np.uint16), None, 100),
        (np.full((4, 4), 4095, np.uint16), 4095, 255),
        (np.full((4, 4), 2048, np.uint16), 4095, 128),
        (np.full((4, 4), 60_000, np.uint16), 4095, 255),  # above white
        (np.full((4, 4), 0.5, np.float32), None, 128),
        (np.full((4, 4), 51.0, np.float32), 255, 51),
        (np.full((4, 4), True), None, 255),
    ],
)
def test_values_of_other_ranges_are_scaled_so_that_white_is_255(
    values: np.ndarray, white: float | None, expected: int
) -> None:
    stored: list[Stored] = [values]
    if values.dtype != np.bool_:
        stored.append(encoded(Image.fromarray(values), "TIFF"))
    for each in stored:
        pixels, fact = decoded(each, 4, white)
        assert pixels.unique().tolist() == [expected]
        assert fact.peak == (0 if values.dtype == np.bool_ else values.max())


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.full((4, 4), np.nan, np.float32), "not finite"),
        (np.full((4, 4), -3, np.int32), "negative values, down to -3"),
    ],
)
def test_what_no_rule_scales_is_refused(values: np.ndarray, why: str) -> None:
    for each in (values, encoded(Image.fromarray(values), "TIFF")):
        assert why in decoded(each, 4)[1].broken


def test_what_is_transparent_is_white() -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2, :, 3] = 255  # the upper half is opaque black, the lower one transparent
    palette = Image.new("P", (4, 4))
    palette.putpalette([0, 0, 0] * 256)
    palette.paste(1, (0, 2, 4, 4))
    grey = Image.fromarray(pixels).convert("LA")
    for each in (
        pixels,
        encoded(Image.fromarray(pixels)),
        encoded(grey),
        encoded(palette, transparency=1),
        encoded(Image.fromarray(pixels), "WEBP", lossless=True),
    ):
        shown = decoded(each, 4)[0]
        assert shown[:, :2].unique().tolist() == [0]
        assert shown[:, 2:].unique().tolist() == [255]


def test_an_opaque_alpha_channel_changes_nothing() -> None:
    pixels = noise(6, 6, 4)
    pixels[..., 3] = 255
    assert torch.equal(decoded(encoded(Image.fromarray(pixels)), 6)[0], decoded(pixels[..., :3].copy(), 6)[0])


def test_cmyk_becomes_rgb() -> None:
    ink = encoded(Image.new("CMYK", (4, 4), (255, 0, 0, 0)), "TIFF")  # cyan
    pixels, fact = decoded(ink, 4)
    assert pixels[:, 0, 0].tolist() == [0, 255, 255] and fact.mode == "CMYK"


def test_a_fourth_band_is_refused_rather_than_cut_off() -> None:
    image = Image.fromarray(noise(4, 4, 4))
    for extra in ({338: 0}, {}):
        data = encoded(Image.merge("RGBX", image.split()), "TIFF", tiffinfo=extra)
        assert decoded(data, 4)[1].broken == "it has 4 bands, expected grey or RGB, either with or without alpha"
    assert decoded(encoded(image, "TIFF"), 4)[1].broken == ""  # Pillow says that this one is alpha
    assert "(4, 4, 5) is not an image" in decoded(noise(4, 4, 5), 4)[1].broken


def test_colour_of_16_bits_is_read_by_its_upper_8_and_noted() -> None:
    fact = decoded(png_of_16_bits(noise(4, 4, 3, dtype=np.uint16, top=65536)), 4)[1]
    assert (fact.broken, fact.note) == ("", "colour of 16 bits, of which Pillow reads the upper 8")
    assert 0 < fact.peak <= 65535


def png_of_16_bits(values: np.ndarray) -> bytes:
    """A PNG of 16-bit RGB (H, W, 3), which Pillow cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = values.shape
    rows = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP"])
def test_of_several_frames_the_first_is_read_and_that_noted(kind: str) -> None:
    frames = [Image.new("L", (4, 4), shade).convert("RGB") for shade in (0, 250)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    pixels, fact = decoded(data, 4)
    assert pixels.max() < 10 and fact.note == "the first of several frames"
    assert decoded(encoded(frames[0], kind), 4)[1].note == ""


def test_facts_are_those_of_the_image(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(noise(6, 9, 3)))
    (tmp_path / "a.png").write_bytes(data)
    for stored in (data, tmp_path / "a.png"):
        pixels, fact = decoded(stored, 4)
        values = pixels.numpy()
        assert (fact.width, fact.height, fact.mode, fact.broken) == (9, 6, "RGB", "")
        assert fact.encoded == hashlib.sha256(data).hexdigest()
        assert fact.pixels == hashlib.sha256(values.tobytes()).hexdigest()
        assert fact.std == pytest.approx(values.std(), rel=1e-6)
    half = np.zeros((4, 4, 3), np.uint8)
    half[:2] = 7
    assert decoded(half, 4)[1].clipped == 0.5 and decoded(half, 4)[1].mode == "RGB uint8"


def test_the_order_is_kept_and_progress_told_over_many_chunks() -> None:
    images = [np.array([[[i % 256, i // 256, 0]]], np.uint8) for i in range(2 * CHUNK + 3)]
    told: list[tuple[int, int]] = []
    pixels, facts = decode_all(images, Preparation(1), lambda done, total, **figures: told.append((done, total)))
    assert (pixels[:, 0, 0, 0].int() + 256 * pixels[:, 1, 0, 0].int()).tolist() == list(range(len(images)))
    assert len(facts) == len(images)
    assert told == [(0, len(images)), (CHUNK, len(images)), (2 * CHUNK, len(images)), (len(images), len(images))]


def test_no_images_at_all() -> None:
    pixels, facts = decode_all([], Preparation(4))
    assert pixels.shape == (0, 3, 4, 4) and len(facts) == 0


def test_every_image_that_cannot_be_read_is_black_with_the_reason(tmp_path: Path) -> None:
    whole = encoded(Image.fromarray(noise(32, 32, 3)))
    (tmp_path / "broken.png").write_bytes(b"this is text")
    (tmp_path / "link.png").symlink_to(tmp_path / "away.png")
    images: dict[str, Stored] = {
        "not an image file": tmp_path / "broken.png",
        "No such file": tmp_path / "gone.png",
        "a link to .*away.png, which does not exist": tmp_path / "link.png",
        "not a file": tmp_path,
        "the file is empty": b"",
        "truncated": whole[: len(whole) // 2],
        "HEIC images need pillow-heif": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "not an image file that": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n",  # would start a program
        "": whole,
    }
    pixels, facts = decode_all(list(images.values()), Preparation(4))
    for why, fact, pixel in zip(images, map(lambda i: row(facts, i), range(len(images))), pixels, strict=True):
        if why:
            assert re.search(why, fact.broken), fact.broken
            assert not pixel.any() and fact.pixels == "" and fact.width == 0
        else:
            assert fact.broken == "" and pixel.any()
