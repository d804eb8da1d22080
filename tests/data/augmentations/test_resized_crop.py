from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms.v2 import functional as V

from duonas.data.augmentation import Batch
from duonas.data.augmentations.resized_crop import _sampled, draw_crops, resized

sides = st.integers(1, 24)


def drawn(n: int, height: int, width: int, scale: float, seed: int) -> tuple[Tensor, np.ndarray, tuple[int, int]]:
    """Images, crops of them, and the size that these get: that of the images, or a smaller one."""
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.integers(0, 256, (n, 3, height, width), dtype=np.uint8))
    size = (1 + height * 3 // 4, 1 + width // 2) if seed % 2 else (height, width)
    return pixels, draw_crops(scale, Batch(n, height, width), rng), size


@settings(max_examples=40)
@given(st.integers(0, 5), sides, sides, st.floats(0.01, 1), st.integers(0, 2**40))
def test_it_is_torchvisions_resized_crop(n: int, height: int, width: int, scale: float, seed: int) -> None:
    pixels, crops, size = drawn(n, height, width, scale, seed)
    found = resized(pixels, crops, size)
    assert found.shape == (n, 3, *size) and found.dtype == torch.uint8
    for image, crop, one in zip(pixels, crops.T, found, strict=True):
        expected = V.resized_crop(image.float(), *crop.tolist(), size=list(size), antialias=True)
        assert (one - expected).abs().max() <= 1.01  # rounded to a whole level, along one side after the other


@settings(max_examples=40)
@given(st.integers(0, 5), sides, sides, st.floats(0.01, 1), st.integers(0, 2**40))
def test_all_at_once_it_is_that_without_averages(n: int, height: int, width: int, scale: float, seed: int) -> None:
    """What a GPU gets."""
    pixels, crops, size = drawn(n, height, width, scale, seed)
    for image, crop, one in zip(pixels, crops.T, _sampled(pixels, crops, size), strict=True):
        expected = V.resized_crop(image.float(), *crop.tolist(), size=list(size), antialias=False)
        assert one.shape == (3, *size) and (one - expected).abs().max() <= 0.51


def test_the_whole_image_stays_as_it_is() -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 320, 224), dtype=np.uint8))
    assert torch.equal(resized(pixels, np.array([[0] * 4, [0] * 4, [320] * 4, [224] * 4]), (320, 224)), pixels)


def test_what_an_image_becomes_does_not_depend_on_the_others() -> None:
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(rng.integers(0, 256, (9, 3, 15, 15), dtype=np.uint8))
    crops = draw_crops(0.1, Batch(9, 15, 15), rng)
    alone = [resized(pixels[i : i + 1], crops[:, i : i + 1], (12, 12)) for i in range(9)]
    assert torch.equal(resized(pixels, crops, (12, 12)), torch.cat(alone))


@settings(max_examples=40)
@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.01, 1), st.integers(0, 2**40))
def test_crops_lie_in_the_image(height: int, width: int, scale: float, seed: int) -> None:
    top, left, tall, wide = draw_crops(scale, Batch(50, height, width), np.random.default_rng(seed))
    assert (top >= 0).all() and (left >= 0).all() and (tall >= 1).all() and (wide >= 1).all()
    assert (top + tall <= height).all() and (left + wide <= width).all()


def test_areas_shapes_and_places_are_spread_as_asked_for() -> None:
    top, left, tall, wide = draw_crops(0.08, Batch(4000, 224, 224), np.random.default_rng(0))
    area, ratio = tall * wide / 224**2, wide / tall
    assert area.min() > 0.07 and 0.47 < area.mean() < 0.49  # torchvision: 0.481; not every large one fits
    assert ratio.min() > 0.73 and ratio.max() < 1.36 and abs(np.log(ratio).mean()) < 0.02
    room = tall < 150
    assert abs((top / (224 - tall).clip(1))[room].mean() - 0.5) < 0.02
    assert abs((left / (224 - wide).clip(1))[room].mean() - 0.5) < 0.02
