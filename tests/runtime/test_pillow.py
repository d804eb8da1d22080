"""Images of Pillow become the pixels that numpy finds, the same from a file, as items of a data set and on a device."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from duonas.data.adapters import from_arrays, from_dataset
from duonas.data.decode import decode_all
from duonas.data.facts import ImageFacts
from duonas.runtime.arguments import prepared_image
from duonas.runtime.errors import BundleError
from duonas.runtime.prepare import Preparation

SIDE = 6
TURNED = {
    1: lambda v: v,
    2: np.fliplr,
    3: lambda v: np.rot90(v, 2),
    4: np.flipud,
    5: lambda v: np.rot90(np.fliplr(v)),
    6: lambda v: np.rot90(v, -1),
    7: lambda v: np.rot90(np.fliplr(v), -1),
    8: lambda v: np.rot90(v),
}
GREY8 = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
GREY16 = np.random.default_rng(1).integers(0, 65536, (SIDE, SIDE), dtype=np.uint16)
RGB = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes, *, load: bool = False) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    if load:
        image.load()
    return image


def scaled(values: np.ndarray, white: float) -> np.ndarray:
    """What values are of 255, as RGB (3, H, W)."""
    grey = np.rint(np.minimum(values.astype(float) * 255 / white, 255)).astype(np.uint8)
    return np.stack([grey] * 3) if grey.ndim == 2 else grey.transpose(2, 0, 1)


class Items:
    """A data set of the images of Pillow that ``make`` gives."""

    def __init__(self, make) -> None:
        self.make = make

    def __len__(self) -> int:
        return 1

    def __getitem__(self, i):
        return self.make(), 0


def seen(data: bytes, white: float | None = None) -> tuple[np.ndarray, ImageFacts]:
    """Pixels (3, H, H) of a file, which are the same whichever way it comes."""
    preparation = Preparation(SIDE, white=white)
    pixels, facts = decode_all([data], preparation)
    lists = [from_dataset(Items(lambda: opened(data))), from_arrays([opened(data)], [0])]
    for other in (*(decode_all(each.images, preparation)[0][0].numpy() for each in lists),
                  prepared_image(opened(data), preparation, 0)):  # fmt: skip
        assert np.array_equal(pixels[0].numpy(), other)
    return pixels[0].numpy(), facts


def refused(data: bytes) -> str:
    """Why a file is refused, whichever way it comes."""
    why = decode_all([data], Preparation(SIDE))[1].broken[0]
    assert decode_all(from_dataset(Items(lambda: opened(data))).images, Preparation(SIDE))[1].broken[0] == why
    with pytest.raises(BundleError) as error:
        prepared_image(opened(data), Preparation(SIDE), 0)
    assert str(error.value) == f"image 0 cannot be prepared: {why}."
    return why


def tiff(values: np.ndarray, **tags: int) -> bytes:
    """A grey TIFF (H, W) as Pillow cannot write it."""
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    height, width = values.shape
    order = ">" if values.dtype.byteorder == ">" else "<"
    given = {256: width, 257: height, 258: 8 * values.dtype.itemsize, 259: 1, 262: tags.get("photometric", 1),
             273: 200, 274: tags.get("orientation", 1), 277: 1, 278: height, 279: values.nbytes, 339: kind}  # fmt: skip
    head = struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(given))
    for tag, value in given.items():
        head += struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0)
    return (head + bytes(4)).ljust(200, b"\0") + values.tobytes()


def png(values: np.ndarray, depth: int, key: tuple[int, ...] = ()) -> bytes:
    """A PNG of grey (H, W) or colour (H, W, 3) of some bits, in which one colour is transparent."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def line(row: np.ndarray) -> bytes:
        if depth >= 8:
            return row.astype(f">u{depth // 8}").tobytes()
        bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, -depth:]
        return np.packbits(bits.reshape(-1)).tobytes()

    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], depth, 2 if values.ndim == 3 else 0, 0, 0, 0)
    transparent = chunk(b"tRNS", struct.pack(f">{len(key)}H", *key)) if key else b""
    data = zlib.compress(b"".join(b"\0" + line(row) for row in values))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + transparent + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "JPEG", "TIFF", "TIFF of 16 bits", "LZW", "by hand"])
def test_an_image_is_turned_once(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if kind == "by hand":
        data, plain = (tiff(GREY16, orientation=each) for each in (orientation, 1))
    else:
        image = Image.fromarray(GREY16 if "16" in kind else RGB)
        name = "TIFF" if kind == "LZW" else kind.split()[0]
        options = {"LZW": {"compression": "tiff_lzw"}, "WEBP": {"lossless": True}}.get(kind, {})
        data, plain = encoded(image, name, exif=exif, **options), encoded(image, name, **options)
    upright = seen(plain)[0].transpose(1, 2, 0)
    assert not np.array_equal(upright, np.rot90(upright))
    assert np.array_equal(seen(data)[0].transpose(1, 2, 0), TURNED[orientation](upright))
    preparation = Preparation(SIDE)
    for image in (opened(data, load=True), opened(data).convert(opened(data).mode).copy()):
        assert np.array_equal(prepared_image(image, preparation, 0), seen(data)[0])


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_the_sides_of_an_image_are_those_after_it_is_turned(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    facts = decode_all([encoded(Image.new("RGB", (5, 9)), kind, exif=exif)], Preparation(4))[1]
    assert (facts.width[0], facts.height[0]) == (9, 5)


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4", "<i1"])
def test_negative_values_of_a_signed_file_are_refused_and_others_are_as_they_are(dtype: str) -> None:
    values = (GREY16 % 100).astype(dtype)
    white = 255 if dtype == "<i1" else 127
    assert np.array_equal(seen(tiff(values), white=127)[0], scaled(values, white))
    values[2, 3] = -1
    assert refused(tiff(values)) == "it has negative values, down to -1"


def test_integers_of_32_bits_without_sign_are_no_negative_ones() -> None:
    values = (GREY16.astype(np.uint32) << 16).astype("<u4")
    assert np.array_equal(seen(tiff(values))[0], scaled(values, 2**32 - 1))


def test_where_0_is_white_values_are_inverted() -> None:
    assert np.array_equal(seen(tiff(GREY8, photometric=0))[0], scaled(255 - GREY8, 255))
    assert np.array_equal(seen(tiff(GREY16, photometric=0))[0], scaled(65535 - GREY16, 65535))
    assert np.array_equal(seen(tiff(GREY16))[0], scaled(GREY16, 65535))
    assert "floats of which 0 is white" in refused(tiff(GREY8.astype("<f4") / 255, photometric=0))


@pytest.mark.parametrize(("depth", "white"), [(1, 1), (2, 3), (4, 15), (8, 255), (16, 65535)])
def test_the_transparent_grey_of_a_png_is_white(depth: int, white: int) -> None:
    values = GREY16 >> (16 - depth)
    key = int(values[1, 2])
    expected = scaled(values, white)
    expected[:, values == key] = 255
    assert np.array_equal(seen(png(values, depth, (key,)))[0], expected)


def test_the_transparent_grey_of_12_bits_is_white() -> None:
    values = GREY16 >> 4
    key = int(values[1, 2])
    expected = scaled(values, 4095)
    expected[:, values == key] = 255
    pixels, facts = seen(png(values, 16, (key,)), white=4095)
    assert np.array_equal(pixels, expected) and facts.peak[0] == values.max()


@pytest.mark.parametrize("depth", [8, 16])
def test_the_transparent_colour_of_a_png_is_white(depth: int) -> None:
    key = tuple(RGB[1, 2].tolist())
    scale = 257 if depth == 16 else 1
    expected = RGB.transpose(2, 0, 1).copy()
    expected[:, 1, 2] = 255
    data = png(RGB.astype(np.uint16) * scale, depth, tuple(scale * each for each in key))
    assert np.array_equal(seen(data)[0], expected)


@pytest.mark.parametrize("white", [1000, 4095, 65535])
@pytest.mark.parametrize("plain", [True, False])
def test_the_head_of_a_pgm_says_what_is_white(white: int, plain: bool) -> None:
    values = (GREY16.astype(int) % (white + 1)).astype(np.uint16)
    data = " ".join(map(str, values.ravel().tolist())).encode() if plain else values.astype(">u2").tobytes()
    file = f"P{2 if plain else 5}\n{SIDE} {SIDE}\n{white}\n".encode() + data
    for given in (None, white):
        pixels, facts = seen(file, given)
        assert np.array_equal(pixels, scaled(values, white))
        own = white < 65535
        assert (facts.peak[0], facts.mode[0]) == ((0, f"L;white={white}") if own else (values.max(), "I;16"))


@pytest.mark.parametrize(("white", "peak", "note"), [
    (65535, 257 * 255, "colour of 16 bits, of which Pillow reads the upper 8"),
    (4095, 0, "colour of more than 8 bits, of which Pillow keeps 8"), (200, 0, ""),
])  # fmt: skip
def test_bits_of_a_ppm_that_are_lost_are_noted(white: int, peak: float, note: str) -> None:
    values = np.rint(RGB * (white / 255)).astype(">u2" if white > 255 else np.uint8)
    values[0, 0, 0] = white
    pixels, facts = seen(f"P6\n{SIDE} {SIDE}\n{white}\n".encode() + values.tobytes())
    assert np.array_equal(pixels, scaled(values, white))
    assert (facts.note[0], facts.peak[0]) == (note, peak)


def test_of_an_mpo_is_read_only_the_first_image_and_that_noted() -> None:
    first, second = Image.fromarray(RGB), Image.fromarray(255 - RGB)
    facts = seen(encoded(first, "MPO", save_all=True, append_images=[second]))[1]
    assert facts.note[0] == "the first of several frames"


def transparent_palette(*, bytes_: bool) -> bytes:
    image = Image.fromarray(GREY8 % 8).copy()
    image.putpalette(RGB.reshape(-1)[:24].tolist())
    return encoded(image, transparency=bytes([255] * 3 + [128, 0]) if bytes_ else 4)


def test_items_of_any_mode_are_what_files_of_it_are() -> None:
    alpha = np.dstack((RGB, GREY8))
    for mode in ("LA", "PA", "RGBa", "La", "CMYK", "YCbCr", "HSV", "P"):
        image = Image.fromarray(alpha).convert("LA").convert(mode) if mode == "La" else Image.fromarray(
            alpha if mode in ("RGBa", "LA", "PA") else RGB).convert(mode)  # fmt: skip
        shown = prepared_image(image, Preparation(SIDE), 0)
        via = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA", "LA": "LA"}.get(mode, "RGB")
        values = np.asarray(image.convert(via)).astype(int)
        colour, opaque = (values[..., :-1], values[..., -1:]) if "A" in via else (values, 255)
        expected = (colour * opaque + 255 * (255 - opaque) + 127) // 255
        assert np.array_equal(shown, np.broadcast_to(expected, RGB.shape).transpose(2, 0, 1)), mode
        item = decode_all(from_dataset(Items(lambda image=image: image)).images, Preparation(SIDE))[0][0].numpy()
        assert np.array_equal(item, shown), mode


@pytest.mark.parametrize("mode", ["I", "I;16", "I;16B", "F"])
def test_items_of_more_than_8_bits_keep_them(mode: str) -> None:
    values = (GREY16 >> 4).astype({"I": "<i4", "I;16": "<u2", "I;16B": ">u2", "F": "<f4"}[mode])
    image = Image.frombytes(mode, (SIDE, SIDE), values.tobytes())
    preparation = Preparation(SIDE, white=4095, float_white=4095)
    item, facts = decode_all(from_dataset(Items(lambda: image)).images, preparation)
    assert np.array_equal(item[0].numpy(), scaled(values, 4095)) and facts.peak[0] == values.max()
    assert np.array_equal(prepared_image(image, preparation, 0), scaled(values, 4095))


@pytest.mark.parametrize("bytes_", [True, False])
def test_a_transparent_palette_is_shown_on_white(bytes_: bool) -> None:
    index, colours = GREY8 % 8, RGB.reshape(-1)[:24].reshape(8, 3).astype(int)
    opaque = np.full(8, 255)
    opaque[3:5] = (128, 0) if bytes_ else (255, 0)
    shown = (colours * opaque[:, None] + 255 * (255 - opaque[:, None]) + 127) // 255
    assert np.array_equal(seen(transparent_palette(bytes_=bytes_))[0], shown[index].transpose(2, 0, 1))


def jpeg2000(values: np.ndarray, depth: int, *, signed: bool = False) -> bytes:
    """A JPEG 2000 without loss of fewer bits than Pillow writes, whose head is changed."""
    half = 1 << (8 * values.dtype.itemsize - 1)
    data = bytearray(encoded(Image.fromarray(values + values.dtype.type(half - (1 << (depth - 1)))), "JPEG2000"))
    for place in (data.find(b"\xff\x4f\xff\x51") + 42, data.find(b"ihdr") + 14):
        data[place] = depth - 1 + 128 * signed
    return bytes(data)


def test_grey_values_of_a_jpeg_2000_are_those_it_holds() -> None:
    values = GREY16 >> 4
    pixels, facts = seen(jpeg2000(values, 12), white=4095)
    assert np.array_equal(pixels, scaled(values, 4095)) and facts.peak[0] == values.max()
    assert np.array_equal(seen(jpeg2000(GREY16, 16))[0], scaled(GREY16, 65535))
    assert np.array_equal(seen(jpeg2000(GREY8, 8))[0], scaled(GREY8, 255))
    assert refused(jpeg2000(values, 12, signed=True)) == "it has signed values, which Pillow shifts"


@pytest.mark.parametrize(("depth", "mode"), [(8, "RGB"), (12, "RGB;white=4095"), (16, "RGB;16")])
def test_bits_of_colour_of_a_jpeg_2000_that_are_lost_are_noted(depth: int, mode: str) -> None:
    data = bytearray(encoded(Image.fromarray(RGB), "JPEG2000"))
    for place in (*(data.find(b"\xff\x4f\xff\x51") + 42 + 3 * band for band in range(3)), data.find(b"ihdr") + 14):
        data[place] = depth - 1
    facts = seen(bytes(data))[1]
    assert (facts.mode[0], bool(facts.note[0])) == (mode, depth > 8)


@pytest.mark.parametrize(("mode", "key"), [("L", b"\0\1"), ("L", (0, 0, 0)), ("RGB", 0), ("RGB", b"\0"), ("I;16", 0.5)])
def test_a_transparent_colour_of_another_mode_is_refused(mode: str, key: object) -> None:
    image = Image.new(mode, (SIDE, SIDE))
    image.info["transparency"] = key
    with pytest.raises(BundleError, match=f"its transparent colour is none of the mode {mode}"):
        prepared_image(image, Preparation(SIDE), 0)
