from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.data.operations import OPERATIONS, draw, randaugment

PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 200, (5, 3, 16, 16), dtype=np.uint8))
UNSIGNED = {"identity", "posterize", "solarize", "autocontrast", "equalize"}
GRADED = set(OPERATIONS) - {"identity", "autocontrast", "equalize"}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(OPERATIONS)), st.floats(-1, 1))
def test_an_operation_keeps_shape_and_type_and_treats_images_apart(name: str, level: float) -> None:
    varied = OPERATIONS[name](PIXELS, level)
    assert varied.shape == PIXELS.shape
    assert varied.dtype == torch.uint8
    assert torch.equal(varied[2:3], OPERATIONS[name](PIXELS[2:3], level))


@pytest.mark.parametrize("name", sorted(GRADED))
def test_level_zero_changes_nothing_and_full_level_changes_much(name: str) -> None:
    assert torch.equal(OPERATIONS[name](PIXELS, 0.0), PIXELS)
    assert (OPERATIONS[name](PIXELS, 1.0) != PIXELS).float().mean() > 0.2


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_the_sign_matters_where_there_are_two_ways(name: str) -> None:
    forth, back = (OPERATIONS[name](PIXELS, level) for level in (0.5, -0.5))
    assert torch.equal(forth, back) == (name in UNSIGNED)


def test_brighter_and_darker() -> None:
    dark, bright = (OPERATIONS["brightness"](PIXELS, level).float().mean() for level in (-0.5, 0.5))
    assert dark < PIXELS.float().mean() < bright


def test_translation_moves_by_the_share_of_the_side() -> None:
    moved = OPERATIONS["translate_x"](PIXELS, 4 / 16 / (150 / 331))
    assert torch.equal(moved[..., 4:], PIXELS[..., :-4])
    assert moved[..., :4].max() == 0


def test_each_image_gets_operations_of_its_own() -> None:
    same = PIXELS[:1].repeat(200, 1, 1, 1)
    varied = randaugment(same, draw(1, len(same), np.random.default_rng(0)), 20.0)
    kinds = {image.numpy().tobytes() for image in varied}
    ways = {OPERATIONS[name](PIXELS[:1], way * 20 / 30).numpy().tobytes() for name in OPERATIONS for way in (-1, 1)}
    assert kinds == ways  # every operation was drawn, and nothing else happened


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**40), st.integers(0, 3), st.floats(0, 30))
def test_draws_follow_the_generator(seed: int, operations: int, magnitude: float) -> None:
    before = PIXELS.clone()
    first, again = (
        randaugment(PIXELS, draw(operations, len(PIXELS), np.random.default_rng(seed)), magnitude) for _ in range(2)
    )
    assert torch.equal(first, again)
    assert torch.equal(PIXELS, before)
    assert operations or torch.equal(first, PIXELS)
