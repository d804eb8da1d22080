"""The values of an image of Pillow, which is not imported: read in the same way for training and on a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .prepare import to_bytes

ORIENTATION = 0x0112
TURNED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: np.rot90(values, -1),
    7: lambda values: values.swapaxes(0, 1)[::-1, ::-1],
    8: lambda values: np.rot90(values),
}
# Tags of TIFF, and how many bands its kinds of colour have.
BITS, KIND_OF_COLOUR, BANDS, EXTRA_BANDS, SAMPLE_FORMAT = 258, 262, 277, 338, 339
WHITE_IS_ZERO, SIGNED = 0, 2
COLOUR_BANDS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}
ALPHA = (1, 2)
STREAM, DEPTH, HEAD = b"\xff\x4f\xff\x51", 42, 1 << 16  # of JPEG 2000: its begin, where its depth is, where to look
OWN_RANGE = 65535  # to which Pillow scales grey values of a file that says what white is
OWN_WHITE = ";white="  # in a mode, before the value
SIXTEEN = "colour of 16 bits, of which Pillow reads the upper 8"


class _Coding(NamedTuple):
    """How a file, which is not loaded yet, holds its values; nothing is known of images that are not of a file.

    Args:
        raw: Pillow's raw mode, such as ``"I;16BS"``.
        white: what the file says is white, where Pillow scales values by it; 0 for others.
        tags: of TIFF.
        shift: by how many bits Pillow shifts grey values of JPEG 2000 up.
        shifted: whether Pillow adds to signed values, so that none is negative.
    """

    raw: str
    white: int
    tags: Any
    shift: int = 0
    shifted: bool = False

    @classmethod
    def of(cls, image: Any) -> _Coding:
        raw, white, shift, shifted = "", 0, 0, False
        for tile in getattr(image, "tile", None) or ():
            decoder, arguments = tile[0], tile[3]
            raw = str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)
            if decoder in ("ppm", "ppm_plain") and image.mode in ("I", "RGB"):
                white = int(arguments[-1])
            if decoder == "jpeg2k":
                depth, shifted = _depth(image.fp)
                white, shift = (0, max(16 - depth, 0)) if is_deep(image) else (2**depth - 1, 0)
        if white == OWN_RANGE:  # nothing but the number of bits
            raw, white = f"{image.mode};16", 0
        return cls(raw, white, getattr(image, "tag_v2", {}), shift, shifted)

    @property
    def sixteen(self) -> bool:
        """Whether values have 16 bits."""
        return ";16" in self.raw or self.tag(BITS, 0) == 16

    @property
    def signed(self) -> bool:
        """Whether values may be negative."""
        return self.tag(SAMPLE_FORMAT, 1) == SIGNED

    def tag(self, number: int, missing: int) -> int:
        """The first value of a tag."""
        found = self.tags.get(number, missing)
        return int(found[0] if isinstance(found, tuple) else found)


def is_pillow(image: Any) -> bool:
    """Whether something is an image of Pillow."""
    return isinstance(getattr(image, "mode", None), str) and callable(getattr(image, "getexif", None))


def is_deep(image: Any) -> bool:
    """Whether an image of Pillow has one band of more than 8 bits."""
    return str(image.mode).startswith(("I", "F"))


def stored_mode(image: Any) -> str:
    """The mode of an image that is not loaded yet, and what Pillow's mode does not say of its values."""
    coding, mode = _Coding.of(image), str(image.mode)
    if coding.white > 255:
        return f"{'L' if mode == 'I' else mode}{OWN_WHITE}{coding.white}"
    if coding.sixteen and (mode == "I" or not is_deep(image)):
        return "I int16" if coding.signed else f"{mode};16"
    return "I uint32" if mode == "I" and coding.tag(BITS, 0) == 32 and not coding.signed else mode


def lost_bits(image: Any) -> str:
    """What is lost of the bits of an image that is not loaded yet; empty for most."""
    coding = _Coding.of(image)
    if is_deep(image):
        return ""
    if coding.sixteen:
        return SIXTEEN
    return "colour of more than 8 bits, of which Pillow keeps 8" if coding.white > 255 else ""


def values_of(image: Any) -> np.ndarray:
    """The values of an image of Pillow, upright, as ``to_rgb`` takes them: (H, W), or (H, W, 2 to 4).

    What the image carries is applied: EXIF orientation, palette, a transparent colour, the kind of values that a file
    says it has. To know the latter it should not be loaded yet.

    Raises:
        ValueError: it has bands that are neither colour nor alpha, or values that cannot be taken for light.
    """
    coding = _Coding.of(image)
    _check_bands(coding)
    if coding.shifted:
        raise ValueError("it has signed values, which Pillow shifts")
    values = _deep(image, coding) if is_deep(image) else _shallow(image, coding)
    turn = TURNED.get(_orientation(image))
    return values if turn is None else turn(values)


def _depth(file: Any) -> tuple[int, bool]:
    """Bits of the values of a file of JPEG 2000, and whether they are signed."""
    place = file.tell()
    file.seek(0)
    head = file.read(HEAD)
    file.seek(place)
    at = head.find(STREAM)
    if at < 0 or at + DEPTH >= len(head):
        return 8, False
    return (head[at + DEPTH] & 127) + 1, head[at + DEPTH] > 127


def _shallow(image: Any, coding: _Coding) -> np.ndarray:
    """8 bits a value."""
    mode, info = image.mode, image.info
    if mode in ("1", "L", "RGB"):
        values = np.asarray(image)
        if coding.signed:
            _check_sign(values.view(np.int8))
        return _with_alpha(values, _key(image, coding)) if "transparency" in info else values
    palette = getattr(getattr(image, "palette", None), "mode", "")
    if mode in ("PA", "RGBa") or (mode == "P" and ("transparency" in info or palette.endswith("A"))):
        image = image.convert("RGBA")
    elif mode == "La":
        image = image.convert("LA")
    elif mode not in ("LA", "RGBA"):
        image = image.convert("RGB")
    return np.asarray(image)


def _deep(image: Any, coding: _Coding) -> np.ndarray:
    """More than 8 bits a value, of one band."""
    values = np.asarray(image)
    signed = coding.signed
    white_is_zero = bool(coding.tags) and coding.tag(KIND_OF_COLOUR, WHITE_IS_ZERO) == WHITE_IS_ZERO
    if values.dtype.kind == "f":
        if white_is_zero:
            raise ValueError("it has floats of which 0 is white, but none is said to be black")
        return values
    if signed:
        _check_sign(values)
    elif coding.tag(BITS, 0) == 32:
        values = values.view(np.uint32)
    if coding.sixteen or values.dtype.itemsize == 2:  # 16 bits that Pillow keeps in 32 are 16 again
        values = values.astype(np.int16 if signed else np.uint16)
    values = values >> coding.shift if coding.shift else values
    if white_is_zero:
        values = np.iinfo(values.dtype).max - values
    alpha = _key(image, coding) if "transparency" in image.info else None
    if coding.white:
        own = np.rint(values * (coding.white / OWN_RANGE))  # as the file has them
        values = to_bytes(own, coding.white)
    return values if alpha is None else _with_alpha(values, alpha)


def _check_sign(values: np.ndarray) -> None:
    if values.min() < 0:
        raise ValueError(f"it has negative values, down to {values.min()}")


def _key(image: Any, coding: _Coding) -> np.ndarray:
    """Which pixels (H, W) have the one colour that is transparent."""
    values, key = np.asarray(image), np.asarray(image.info["transparency"])
    if key.dtype.kind not in "iu" or key.shape != values.shape[2:]:
        raise ValueError(f"its transparent colour is none of the mode {image.mode}: {image.info['transparency']!r}")
    if image.mode == "1":
        key = key != 0
    elif coding.raw in ("L;2", "L;4"):  # Pillow scales the values but not the key
        key = key * {"L;2": 85, "L;4": 17}[coding.raw]
    elif image.mode == "RGB" and coding.sixteen:  # of which Pillow reads the upper 8 bits
        key = key >> 8
    same = np.atleast_3d(values == key)
    return np.asarray(same.all(2))


def _with_alpha(values: np.ndarray, transparent: np.ndarray) -> np.ndarray:
    """Values with a band of alpha, 0 where they are transparent and else the largest of their type."""
    if values.dtype == bool:
        values = values * np.uint8(255)
    opaque = np.iinfo(values.dtype).max
    alpha = np.where(transparent, 0, opaque).astype(values.dtype)
    return np.dstack((values, alpha))


def _check_bands(coding: _Coding) -> None:
    """Refuse bands that are neither colour nor alpha, such as near infrared, rather than cut them off."""
    colours = COLOUR_BANDS.get(coding.tag(KIND_OF_COLOUR, -1))
    bands = coding.tag(BANDS, 1)
    if colours is None or bands <= colours:
        return
    extra = coding.tags.get(EXTRA_BANDS, ())
    extra = extra if isinstance(extra, tuple) else (extra,)
    if bands > colours + 1 or not any(each in ALPHA for each in extra):
        raise ValueError(f"it has {bands} bands, expected grey or RGB, either with or without alpha")


def _orientation(image: Any) -> int:
    """The EXIF orientation, 1 where it is missing or odd, and of a TIFF, which Pillow turns by itself."""
    if hasattr(image, "tag_v2"):
        return 1
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF is no reason not to use the pixels
        return 1
    return found if isinstance(found, int) else 1
