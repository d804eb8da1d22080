from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from duonas.data.inspect import inspect_data
from duonas.data.sources.digits import Digits
from duonas.recipe.schema import options_for


def test_digits_are_the_bundled_ones_in_rgb() -> None:
    listing, bundled = Digits(Digits.Options()).list(), load_digits()
    assert listing.labels.tolist() == bundled.target.tolist()
    assert listing.class_names == tuple("0123456789")
    assert set(listing.splits) == {""}
    inspected, images = inspect_data(options_for("data"), 0)
    assert images.pixels.shape == (1797, 3, 8, 8) and not inspected.problems
    red, green, blue = images.pixels.numpy().transpose(1, 0, 2, 3)
    assert np.array_equal(red, green) and np.array_equal(green, blue)
    assert np.array_equal((red * 16.0 / 255).round(), bundled.images)
    assert red.max() == 255
