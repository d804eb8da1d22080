from __future__ import annotations

import torch
from sklearn.datasets import load_digits

from duonas.data.sources.digits import Digits


def test_digits_are_the_bundled_ones_in_rgb() -> None:
    source = Digits(Digits.Options()).read()
    bundled = load_digits()
    assert source.images.pixels.shape == (1797, 3, 8, 8)
    assert source.images.pixels.dtype == torch.uint8
    assert source.images.labels.tolist() == bundled.target.tolist()
    assert source.class_names == tuple("0123456789")
    assert source.test is None
    red, green, blue = source.images.pixels.unbind(1)
    assert torch.equal(red, green)
    assert torch.equal(green, blue)
    assert torch.equal((red.double() * 16 / 255).round(), torch.from_numpy(bundled.images))
    assert red.max() == 255
