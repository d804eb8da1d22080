from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as V

from duonas.data.augmentation import Batch
from duonas.data.augmentations.resized_crop import draw_crops, enlarge

sides = st.integers(1, 24)


@settings(max_examples=40)
@given(st.integers(0, 5), sides, sides, st.floats(0.01, 1), st.integers(0, 2**40))
def test_it_is_torchvisions_resized_crop(n: int, height: int, width: int, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.integers(0, 256, (n, 3, height, width), dtype=np.uint8))
    crops = draw_crops(scale, Batch(n, height, width), rng)
    zoomed = enlarge(pixels, crops)
    assert zoomed.shape == pixels.shape and zoomed.dtype == torch.uint8
    for image, crop, found in zip(pixels, crops.T, zoomed, strict=True):
        expected = V.resized_crop(image.float(), *crop.tolist(), size=[height, width], antialias=False)
        assert (found - expected).abs().max() <= 0.51  # rounded to a whole level


def test_the_whole_image_stays_as_it_is() -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 320, 224), dtype=np.uint8))
    assert torch.equal(enlarge(pixels, np.array([[0] * 4, [0] * 4, [320] * 4, [224] * 4])), pixels)


def test_what_an_image_becomes_does_not_depend_on_the_others() -> None:
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(rng.integers(0, 256, (9, 3, 15, 15), dtype=np.uint8))
    crops = draw_crops(0.1, Batch(9, 15, 15), rng)
    alone = [enlarge(pixels[i : i + 1], crops[:, i : i + 1]) for i in range(9)]
    assert torch.equal(enlarge(pixels, crops), torch.cat(alone))


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
