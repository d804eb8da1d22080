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


def test_floats_are_in_the_unit_interval_and_channels_last() -> None:
    pixels = torch.randint(0, 256, (4, 3, 5, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    floats = to_float(pixels)
    assert floats.dtype == torch.float32
    assert floats.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(floats, pixels.float() / 255)
