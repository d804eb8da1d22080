from __future__ import annotations

import numpy as np
import torch

from duonas.data.images import Images, to_float


def images(n: int = 6, side: int = 8) -> Images:
    pixels = torch.arange(n * 3 * side * side).reshape(n, 3, side, side) % 256
    return Images(pixels.to(torch.uint8), torch.arange(n))


def test_a_subset_keeps_the_order_asked_for() -> None:
    subset = images().subset(np.array([4, 0, 4]))
    assert len(subset) == 3
    assert subset.labels.tolist() == [4, 0, 4]
    assert torch.equal(subset.pixels, images().pixels[[4, 0, 4]])


def test_an_empty_subset_is_allowed() -> None:
    assert images().subset(np.array([], np.int64)).pixels.shape == (0, 3, 8, 8)


def test_resizing_to_the_same_size_changes_nothing() -> None:
    original = images()
    assert original.resized(8) is original


def test_resizing_keeps_flat_colours_and_halves_by_averaging() -> None:
    pixels = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    pixels[0] = 201
    pixels[1, :, :, 4:] = 100
    resized = Images(pixels, torch.zeros(2, dtype=torch.int64)).resized(4).pixels
    assert resized.dtype == torch.uint8
    assert torch.equal(resized[0], torch.full((3, 4, 4), 201, dtype=torch.uint8))
    assert resized[1, 0, 0].tolist()[0] == 0
    assert resized[1, 0, 0].tolist()[-1] == 100


def test_floats_are_in_the_unit_interval_and_channels_last() -> None:
    pixels = torch.randint(0, 256, (4, 3, 5, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    floats = to_float(pixels)
    assert floats.dtype == torch.float32
    assert floats.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(floats, pixels.float() / 255)
