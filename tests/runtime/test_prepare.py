"""What a device does to an image is what training did to it, to the bit."""

from __future__ import annotations

import io
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from duonas.data.decode import decode_all
from duonas.data.listing import Listing
from duonas.data.modes import kinds_of
from duonas.data.preparation import prepare_for
from duonas.recipe.schema import options_for
from duonas.runtime import Bundle, BundleError
from duonas.runtime.policy import read_preparation
from duonas.runtime.prepare import Preparation, to_rgb
from duonas.runtime.resize import resize_bilinear

side = st.integers(1, 90)


def noise(seed: int, *shape: int, top: int = 256, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, top, shape).astype(dtype)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@settings(max_examples=40, deadline=None)
@given(side, side, side, st.booleans(), st.integers(0, 99))
@example(640, 7, 32, False, 0)
def test_it_is_pillows_resize(length: int, other: int, new: int, turned: bool, seed: int) -> None:
    pixels = noise(seed, *((length, other) if turned else (other, length)), 3)
    size = (other, new) if turned else (new, other)
    expected = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
    box = (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))
    assert np.array_equal(resize_bilinear(pixels, size, box), np.asarray(expected))


@settings(max_examples=60, deadline=None)
@given(
    side, side, side, st.sampled_from(["crop", "squash", "pad"]), st.sampled_from([0, 2, 3, 4, 16]), st.integers(0, 99)
)
@example(333, 500, 64, "crop", 3, 0)
def test_a_device_sees_what_training_saw(width: int, height: int, size: int, resize: str, kind: int, seed: int) -> None:
    shape = (height, width, kind) if kind in (2, 3, 4) else (height, width)
    pixels = noise(seed, *shape, top=4096, dtype=np.uint16) if kind == 16 else noise(seed, *shape)
    preparation = Preparation(size, resize, 4095.0 if kind == 16 else None)  # type: ignore[arg-type]
    trained, facts = decode_all([png(pixels)], preparation)
    assert facts.broken[0] == ""
    assert np.array_equal(preparation(pixels), trained[0].numpy())


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (np.zeros((3, 32, 32), np.uint8), r"shape \(3, 32, 32\) is not an image: expected \(H, W\)"),
        (np.zeros((0, 4, 3), np.uint8), "is not an image"),
        (np.zeros(5, np.uint8), "is not an image"),
        (np.full((4, 4), -1.0), "negative values, down to -1"),
        (np.full((4, 4), np.inf), "not finite"),
        (np.full((4, 4), "a"), "values of type <U1 are not an image"),
        (np.full((4, 4), 1j), "values of type complex128 are not an image"),
    ],
)
def test_what_is_no_image_is_explained(image: np.ndarray, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        to_rgb(image)


def test_a_bundle_prepares_images_of_any_size(exported) -> None:
    bundle = Bundle.load(exported[2], threads=1)
    photos = [noise(1, 40, 30, 3), noise(2, 12, 12), Image.fromarray(noise(3, 9, 20, 3))]
    prepared = bundle.prepare(photos)
    assert prepared.dtype == np.uint8 and prepared.shape == (3, *bundle.image_shape)
    trained = decode_all([png(np.asarray(photo)) for photo in photos], Preparation(12))[0]
    assert np.array_equal(prepared, trained.numpy())
    assert np.array_equal(bundle.prepare(photos[0]), prepared[:1])
    assert len(bundle.predict(prepared).labels) == 3
    assert bundle.prepare([]).shape == (0, 3, 12, 12)


TWELVE = Preparation(4, white=4095.0, kinds=("integers",))


@pytest.mark.parametrize(
    ("preparation", "image", "why"),
    [
        (
            Preparation(4, kinds=("8 bits",)),
            np.full((4, 4), 4000, np.uint16),
            "type uint16, from 4000 to 4000, but .* 8 bits",
        ),
        (
            Preparation(4, kinds=("8 bits",)),
            np.full((4, 4), 200),
            "type int64, from 200 to 200, but .*: give it as uint8",
        ),
        (Preparation(4, kinds=("8 bits",)), np.full((4, 4), 300.0), "from 300 to 300, expected 0 to 1 "),
        (Preparation(4, kinds=("floats",)), np.full((4, 4), 9, np.uint16), "training images had only floats"),
        (Preparation(4), np.full((4, 4), 1.1), r"from 1\.1 to 1\.1, expected 0 to 1 "),
        (Preparation(4), np.full((4, 4), -0.1), r"from -0\.1 to"),
        (TWELVE, np.full((4, 4), 4096, np.uint16), "from 4096 to 4096, expected 0 to 4095 "),
        (TWELVE, np.full((4, 4), 4095.0), "expected 0 to 1 "),
        (Preparation(4, float_white=255.0, kinds=("floats",)), np.full((4, 4), 256.0), "expected 0 to 255 "),
        (TWELVE, np.full((4, 4), np.nan), "not finite"),
    ],
)
def test_values_in_another_scale_are_refused(preparation: Preparation, image: np.ndarray, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        preparation(image)


@pytest.mark.parametrize(
    ("preparation", "image", "seen"),
    [
        (Preparation(4, kinds=("8 bits",)), np.full((4, 4), 1.0005, np.float32), 255),
        (Preparation(4, kinds=("8 bits",)), np.full((4, 4), -0.0005), 0),
        (TWELVE, np.full((4, 4), 0.2), 51),  # floats are from 0 to 1 where training had none
        (TWELVE, np.full((4, 4), 4095, np.int32), 255),
        (TWELVE, np.full((4, 4), 7, np.uint8), 7),
        (TWELVE, np.dstack([np.full((4, 4), each, np.uint16) for each in (4095, 65535)]), 255),  # alpha has no white
        (Preparation(4, white=4095.0, float_white=4095.0, kinds=("integers",)), np.full((4, 4), 0.2), 51),
        (Preparation(4, white=4095.0, kinds=("integers", "floats")), np.full((4, 4), 0.2), 51),
        (Preparation(4, float_white=255.0, kinds=("floats",)), np.full((4, 4), 51.0), 51),
        (Preparation(4, float_white=255.0, kinds=("floats",)), np.ones((4, 4), bool), 255),
    ],
)
def test_values_in_the_scale_of_training_are_taken(preparation: Preparation, image: np.ndarray, seen: int) -> None:
    assert (preparation(image) == seen).all()


@pytest.mark.parametrize("top", [(1000, np.uint16), (1, np.float32), (200, np.uint8)])
def test_a_device_takes_what_training_took(top: tuple[float, type]) -> None:
    image = (np.arange(16).reshape(4, 4) * (top[0] / 15)).astype(top[1])
    listing = Listing(list("abcdefgh"), [image] * 8, np.arange(8) % 2, np.full(8, ""), ("x", "y"))
    own = prepare_for(listing, options_for("data"))
    pixels, facts = decode_all(listing.images, own)
    assert np.array_equal(replace(own, kinds=kinds_of(facts.mode))(image), pixels[0].numpy())


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("photo.jpg", r"image 1 is a path, 'photo\.jpg': open it first, as by PIL\.Image\.open"),
        (Path("photo.jpg"), r"image 1 is a path, 'photo\.jpg'"),
        (b"\xff\xd8", "image 1 is encoded, 2 bytes: open it first"),
        (None, "image 1 cannot be prepared: values of type object"),
    ],
)
def test_what_has_to_be_opened_first_is_said(exported, image: object, why: str) -> None:
    with pytest.raises(BundleError, match=why):
        Bundle.load(exported[2], threads=1).prepare([noise(1, 4, 4), image])


def test_a_file_that_breaks_off_is_said(exported) -> None:
    half = Image.open(io.BytesIO(png(noise(1, 64, 64, 3))[:3000]))
    with pytest.raises(BundleError, match=r"image 0 cannot be prepared: .*truncated"):
        Bundle.load(exported[2], threads=1).prepare(half)


def test_images_that_a_bundle_cannot_prepare_are_numbered(exported) -> None:
    bundle = Bundle.load(exported[2], threads=1)
    fine = noise(1, 4, 4)
    with pytest.raises(BundleError, match=r"image 1 is a tensor: give it as an array \(H, W, 3\), as by tensor.*numpy"):
        bundle.prepare([fine, torch.zeros(3, 4, 4)])
    with pytest.raises(BundleError, match=r"image 0 cannot be prepared: it has 1 masked values: fill them first"):
        bundle.prepare(np.ma.masked_equal(np.arange(16, dtype=np.uint8).reshape(4, 4), 3))
    with pytest.raises(BundleError, match=r"image 2 cannot be prepared: an array of shape \(3, 9, 9\) is not an image"):
        bundle.prepare([fine, fine, np.zeros((3, 9, 9), np.uint8)])


@pytest.mark.parametrize(
    ("given", "whites"),
    [({}, (None, None)), ({"white": 255}, (255, 255)), ({"white": 4095, "float_white": None}, (4095, None)),
     ({"white": None, "float_white": 2}, (None, 2))],
)  # fmt: skip
def test_files_that_have_one_white_mean_it_for_floats_too(given: dict, whites: tuple) -> None:
    read = read_preparation({"image_size": 8} | given)
    assert (read.white, read.float_white) == whites
    assert read_preparation(asdict(read)) == read


def test_a_white_of_floats_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="float_white must be above 0, got 0"):
        read_preparation({"image_size": 8, "white": 4095, "float_white": 0})
