from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.data.augment import Augment
from duonas.data.augmentation import Crop, Variation
from duonas.data.augmentations.flip import mirror
from duonas.data.augmentations.random_crop import crop
from duonas.recipe.schema import options_for

CLASSES = 4


def augmented(**keys: object) -> Augment:
    return Augment.from_options(options_for("data", **keys))


augments = st.builds(
    augmented,
    crop_padding=st.integers(0, 4),
    flip=st.booleans(),
    randaugment=st.integers(0, 3),
    magnitude=st.floats(0, 30),
    mixup=st.sampled_from([0.0, 0.01, 0.2, 1.0, 8.0]),
    cutmix=st.sampled_from([0.0, 0.01, 1.0]),
    crop_scale=st.sampled_from([1.0, 0.3, 0.01]),
)


def batch_of(seed: int, n: int, height: int = 9, width: int = 9) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.integers(0, 256, (n, 3, height, width), dtype=np.uint8))
    return pixels, torch.from_numpy(rng.integers(0, CLASSES, n))


def reference_crop(image: np.ndarray, padding: int, top: int, left: int) -> np.ndarray:
    _, height, width = image.shape
    result = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            y, x = row + top - padding, column + left - padding
            if 0 <= y < height and 0 <= x < width:
                result[:, row, column] = image[:, y, x]
    return result


@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(0, 5), st.integers(0, 4), st.integers(1, 8), st.integers(1, 8))
def test_crop_equals_the_plain_loop(data: st.DataObject, n: int, padding: int, height: int, width: int) -> None:
    pixels, _ = batch_of(0, n, height, width)
    offsets = st.lists(st.integers(0, 2 * padding), min_size=n, max_size=n).map(lambda v: np.array(v, np.int64))
    top, left = data.draw(offsets), data.draw(offsets)
    cropped = crop(pixels, padding, top, left).numpy()
    assert cropped.shape == pixels.shape
    for i in range(n):
        assert np.array_equal(cropped[i], reference_crop(pixels[i].numpy(), padding, top[i], left[i]))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.booleans(), max_size=6))
def test_only_the_chosen_images_are_mirrored(chosen: list[bool]) -> None:
    pixels, _ = batch_of(0, len(chosen))
    mirrored = mirror(pixels, np.array(chosen, bool)).numpy()
    for before, after, flipped in zip(pixels.numpy(), mirrored, chosen, strict=True):
        assert np.array_equal(after, before[:, :, ::-1] if flipped else before)


@settings(max_examples=80, deadline=None)
@given(augments, st.integers(0, 2**40), st.integers(1, 12))
def test_what_comes_out_is_in_bounds_and_follows_the_generator(augment: Augment, seed: int, n: int) -> None:
    pixels, labels = batch_of(seed, n)
    before = pixels.clone()
    images, targets = augment(pixels, labels, CLASSES, np.random.default_rng(seed))
    assert images.shape == pixels.shape
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images.min() >= 0
    assert images.max() <= 1
    if augment.mixtures:
        assert targets.shape == (n, CLASSES)
        assert targets.dtype == torch.float32
        assert targets.min() >= 0
        assert torch.allclose(targets.sum(1), torch.ones(n))
    else:
        assert torch.equal(targets, labels)
    again = augment(pixels, labels, CLASSES, np.random.default_rng(seed))
    assert torch.equal(images, again[0])
    assert torch.equal(targets, again[1])
    assert torch.equal(pixels, before)


def test_nothing_is_varied_by_default() -> None:
    pixels, labels = batch_of(0, 5)
    images, targets = Augment()(pixels, labels, CLASSES, np.random.default_rng(0))
    assert torch.equal(images, pixels.float() / 255)
    assert torch.equal(targets, labels)


def test_about_half_of_the_images_are_mirrored_and_all_offsets_occur() -> None:
    pixels = torch.zeros(2000, 3, 5, 5, dtype=torch.uint8)
    pixels[:, :, 2, 1] = 255
    images, _ = augmented(flip=True)(pixels, torch.zeros(2000).long(), CLASSES, np.random.default_rng(0))
    assert 900 < images[:, 0, 2, 3].sum() < 1100
    images, _ = augmented(crop_padding=1)(pixels, torch.zeros(2000).long(), CLASSES, np.random.default_rng(0))
    places = images[:, 0].sum(0)
    assert (places > 0).sum() == 9
    assert places[places > 0].min() > 2000 / 9 * 0.7


def test_with_both_on_a_batch_is_either_mixed_or_cut() -> None:
    pixels = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    pixels[1] = 255
    kinds = set()
    for seed in range(40):
        images, _ = augmented(mixup=1.0, cutmix=1.0)(pixels, torch.tensor([0, 1]), 2, np.random.default_rng(seed))
        kinds.add("mixup" if ((images > 0) & (images < 1)).any() else "cutmix")
    assert kinds == {"mixup", "cutmix"}


def test_options_are_taken_over() -> None:
    """In the order in which images are varied, whatever the order of the keys."""
    keys = {"mixup": 0.1, "randaugment": 2, "magnitude": 7.0, "flip": True, "crop_padding": 3, "cutmix": 0.5}
    augment = augmented(**keys, crop_scale=0.2)
    assert [each.name for each in augment.variations] == ["random_crop", "flip", "randaugment"]
    assert augment.crop is not None and augment.crop.name == "resized_crop"
    assert [each.name for each in augment.mixtures] == ["mixup", "cutmix"]
    options = augment.variations[0].options
    assert augment.crop.options.crop_scale == 0.2
    assert (options.crop_scale, options.crop_padding, options.flip, options.magnitude) == (0.2, 3, True, 7.0)
    assert augmented() == Augment()


class Shaken(Variation):
    """An augmentation of the user's own that does what it is told."""

    def __init__(self, drawn: object, varied: Callable[[Tensor], object]) -> None:
        self.drawn, self.varied = drawn, varied

    active = True

    def draw(self, batch, rng):
        return self.drawn

    def vary(self, pixels, drawn):
        return self.varied(pixels)


@pytest.mark.parametrize(
    ("drawn", "varied", "message"),
    [
        (np.zeros(5), lambda pixels: None, r"vary\(\) must return \(5, 3, 9, 9\) torch.uint8, got NoneType"),
        (np.zeros(5), lambda pixels: pixels[:4], r"got \(4, 3, 9, 9\) torch.uint8"),
        (np.zeros(5), lambda pixels: pixels[..., :4], r"got \(5, 3, 9, 4\) torch.uint8"),
        (np.zeros(5), lambda pixels: pixels / 255, r"got \(5, 3, 9, 9\) torch.float32"),
        (np.zeros(3), lambda pixels: pixels, r"draw\(\) must return an array \(..., 5\), .* got the shape \(3,\)"),
        (None, lambda pixels: pixels, r"got the shape \(\)"),
    ],
)
def test_what_an_augmentation_of_ones_own_must_return_is_said(drawn, varied, message):
    pixels, labels = batch_of(0, 5)
    with pytest.raises(DuonasError, match=f"augmentation Shaken.*{message}"):
        Augment((Shaken(drawn, varied),))(pixels, labels, CLASSES, np.random.default_rng(0))


class Half(Crop):
    """A crop of the user's own that does what it is told."""

    active = True

    def __init__(self, cut: Callable[[Tensor, tuple[int, int]], object]) -> None:
        self.does = cut

    def draw(self, batch, rng):
        return np.zeros(batch.images)

    def cut(self, pixels, drawn, size):
        return self.does(pixels, size)


def test_a_crop_of_ones_own_sets_the_size_before_anything_else() -> None:
    pixels, labels = batch_of(0, 5, 12, 12)
    augment = Augment(
        (Shaken(np.zeros(5), lambda given: given + 1),), crop=Half(lambda given, size: given[..., :9, :9])
    )
    images, _ = augment(pixels, labels, CLASSES, np.random.default_rng(0), side=9)
    assert torch.equal((images * 255).round().byte(), pixels[..., :9, :9] + 1)
    wrong = Augment(crop=Half(lambda given, size: given))
    with pytest.raises(DuonasError, match=r"Half.cut\(\) must return \(5, 3, 9, 9\) torch.uint8, got \(5, 3, 12, 12\)"):
        wrong(pixels, labels, CLASSES, np.random.default_rng(0), side=9)


def test_two_crops_at_once_are_refused(tmp_path) -> None:
    (tmp_path / "mine.py").write_text(
        "from duonas.data.augmentations.resized_crop import ResizedCrop\nclass Mine(ResizedCrop):\n    active = True\n"
    )
    keys = {"augmentations": [f"{tmp_path / 'mine.py'}:Mine"]}
    assert augmented(**keys).crop.name.endswith(":Mine")
    with pytest.raises(DuonasError, match=r"switches on resized_crop and .*:Mine, .* only one of them can"):
        augmented(**keys, crop_scale=0.5)
