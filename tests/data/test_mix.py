from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.data.augmentation import Batch
from duonas.data.augmentations.cutmix import CutMix
from duonas.data.mix import Mixing, one_hot, random_box

IMAGES = torch.rand(3, 3, 6, 8, generator=torch.Generator().manual_seed(0))
TARGETS = one_hot(torch.tensor([0, 2, 1]), 4)
PARTNER = np.array([1, 2, 0])


def mixed(mixing: Mixing) -> tuple[torch.Tensor, torch.Tensor]:
    return mixing.images(IMAGES, IMAGES[mixing.partner]), mixing.targets(TARGETS, TARGETS[mixing.partner])


def test_one_hot() -> None:
    assert TARGETS.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]]


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1))
def test_mixup_blends_images_and_targets_alike(share: float) -> None:
    images, targets = mixed(Mixing(PARTNER, share))
    assert torch.allclose(images, share * IMAGES + (1 - share) * IMAGES[PARTNER])
    assert targets[0].tolist() == pytest.approx([share, 0, 1 - share, 0])
    assert torch.allclose(targets.sum(1), torch.ones(3))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.floats(0, 1), st.integers(0, 2**40))
def test_a_box_lies_inside_and_is_no_larger_than_asked(height: int, width: int, area: float, seed: int) -> None:
    top, bottom, left, right = random_box(height, width, area, np.random.default_rng(seed))
    assert 0 <= top <= bottom <= height
    assert 0 <= left <= right <= width
    assert (bottom - top) * (right - left) <= area * height * width + 1e-6


def test_cutmix_pastes_the_box_and_nothing_else() -> None:
    images, targets = mixed(Mixing(PARTNER, 0.625, (1, 4, 2, 8)))
    inside = torch.zeros(6, 8, dtype=torch.bool)
    inside[1:4, 2:8] = True
    assert torch.equal(images[:, :, inside], IMAGES[PARTNER][:, :, inside])
    assert torch.equal(images[:, :, ~inside], IMAGES[:, :, ~inside])
    assert targets[0].tolist() == pytest.approx([0.625, 0, 0.375, 0])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([0.1, 1.0, 8.0]), st.integers(0, 2**40))
def test_cutmix_weighs_by_the_area_that_was_pasted(height: int, width: int, alpha: float, seed: int) -> None:
    mixing = CutMix(CutMix.Options(alpha)).draw(Batch(5, height, width), np.random.default_rng(seed))
    assert mixing.box is not None and sorted(mixing.partner) == list(range(5))
    pasted = mixing.images(torch.zeros(1, 3, height, width), torch.ones(1, 3, height, width)).mean()
    assert mixing.share == pytest.approx(1 - float(pasted), abs=1e-6)


def test_an_empty_box_changes_nothing() -> None:
    images, targets = mixed(Mixing(PARTNER, 1.0, (2, 2, 3, 3)))
    assert torch.equal(images, IMAGES)
    assert torch.equal(targets, TARGETS)
