from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.core.errors import DuonasError
from duonas.data.augment import Augment
from duonas.data.batches import Batches, evaluation_batches, recalibration_batches
from duonas.data.distributed import Process
from duonas.data.images import Images
from duonas.recipe.schema import options_for

CLASSES = 5
ALL = {"crop_padding": 2, "flip": True, "randaugment": 2, "mixup": 0.2, "cutmix": 1.0, "crop_scale": 0.3}
CROP = Augment.from_options(options_for("data", crop_scale=0.3, flip=True))
AUGMENTS = [Augment.from_options(options_for("data", **keys)) for keys in ({}, {"crop_padding": 2, "flip": True}, ALL)]


def numbered(n: int) -> Images:
    """Images whose first pixel is their number."""
    pixels = torch.arange(n * 3 * 64).reshape(n, 3, 8, 8).mul(7).remainder(251).to(torch.uint8)
    pixels[:, :, 0, 0] = torch.arange(n, dtype=torch.uint8)[:, None]
    return Images(pixels, torch.arange(n) % CLASSES)


def batches(n: int, size: int, seed: int = 0, augment: Augment = AUGMENTS[0]) -> Batches:
    return Batches(numbered(n), size, num_classes=CLASSES, seed=seed, augment=augment)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 3), st.integers(0, 1000))
def test_an_epoch_sees_each_image_at_most_once(n: int, size: int, epoch: int, seed: int) -> None:
    loader = batches(n, size, seed)
    assert len(loader) == max(1, n // size)
    seen: list[int] = []
    for step in range(epoch * len(loader), (epoch + 1) * len(loader)):
        images, labels = loader.batch(step)
        assert images.shape == (min(n, size), 3, 8, 8)
        numbers = (images[:, 0, 0, 0] * 255).round().long()
        assert torch.equal(numbers % CLASSES, labels)
        seen += numbers.tolist()
    assert len(set(seen)) == len(seen) == len(loader) * min(n, size)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(AUGMENTS), st.integers(0, 2**40), st.lists(st.integers(0, 40), min_size=1, max_size=4))
def test_a_batch_depends_on_seed_and_step_alone(augment: Augment, seed: int, steps: list[int]) -> None:
    undisturbed = batches(20, 6, seed, augment)
    for step in steps:  # in any order, beside one that was made anew as after a restart
        images, targets = undisturbed.batch(step)
        resumed_images, resumed_targets = batches(20, 6, seed, augment).batch(step)
        assert torch.equal(images, resumed_images)
        assert torch.equal(targets, resumed_targets)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60), st.lists(st.integers(0, 3), min_size=12, max_size=40), st.sampled_from([1, 2, 3]))
def test_balanced_batches_resume_and_are_shared_like_others(step: int, labels: list[int], world: int) -> None:
    pixels = numbered(len(labels)).pixels
    images = Images(pixels, torch.tensor(labels))
    arguments = {"num_classes": 4, "seed": 3, "augment": AUGMENTS[0], "balanced": True}
    whole = Batches(images, 6, **arguments)
    assert len(whole) == len(labels) // 6
    whole.batch(0)
    alone = whole.batch(step)
    resumed = [Batches(images, 6, process=Process(rank, world), **arguments).batch(step) for rank in range(world)]
    for rank, (pixels, targets) in enumerate(resumed):
        assert torch.equal(pixels, alone[0][rank::world]) and torch.equal(targets, alone[1][rank::world])


def test_a_balanced_epoch_has_as_many_images_of_a_rare_class_as_of_a_common_one() -> None:
    images = Images(numbered(100).pixels, (torch.arange(100) < 4).long())
    loader = Batches(images, 10, num_classes=2, seed=0, augment=AUGMENTS[0], balanced=True)
    assert sum(int(loader.batch(step)[1].sum()) for step in range(len(loader))) == 50


@given(st.integers(0, 40), st.integers(1, 12))
def test_recalibration_never_sees_an_image_alone(n: int, size: int) -> None:
    parts = [len(batch) for batch in recalibration_batches(numbered(n).pixels, size)]
    assert sum(parts) == n and min(parts, default=2) >= min(n, 2)
    assert all(part <= max(size, 3) for part in parts) and max(parts, default=0) - min(parts, default=0) <= 1
    if size > 1 and n % size != 1:
        assert parts == [len(batch) for batch in evaluation_batches(numbered(n).pixels, size)]


def test_epochs_seeds_and_steps_differ() -> None:
    loader = batches(40, 40)
    assert not torch.equal(loader.batch(0)[0], loader.batch(1)[0])
    assert not torch.equal(loader.batch(0)[0], batches(40, 40, seed=1).batch(0)[0])


def test_the_same_image_is_varied_anew_at_each_step() -> None:
    loader = batches(1, 1, augment=Augment.from_options(options_for("data", crop_padding=4)))
    assert len({loader.batch(step)[0].numpy().tobytes() for step in range(20)}) > 10


def larger(images: Images, side: int) -> Images:
    """The same images with working images, of which each is of one colour of its own."""
    colours = torch.arange(len(images), dtype=torch.uint8)[:, None, None, None]
    return replace(images, working=colours.expand(-1, 3, side, side).contiguous())


def test_crops_are_cut_out_of_the_working_images() -> None:
    images = larger(numbered(40), 20)
    loader = Batches(images, 8, num_classes=CLASSES, seed=0, augment=AUGMENTS[0])
    assert torch.equal(loader.batch(3)[0], batches(40, 8).batch(3)[0])  # nothing is cropped
    loader = Batches(images, 8, num_classes=CLASSES, seed=0, augment=CROP)
    found, labels = loader.batch(3)
    assert found.shape == (8, 3, 8, 8) and torch.equal((found[:, 0, 0, 0] * 255).round().long() % CLASSES, labels)
    assert (found.amax((1, 2, 3)) == found.amin((1, 2, 3))).all()
    for rank in (0, 1):
        part = Batches(images, 8, num_classes=CLASSES, seed=0, augment=CROP, process=Process(rank, 2))
        assert torch.equal(part.batch(3)[0], found[rank::2])


def test_the_images_themselves_are_left_as_they_are() -> None:
    images = numbered(20)
    before = images.pixels.clone()
    loader = Batches(images, 8, num_classes=CLASSES, seed=0, augment=AUGMENTS[2])
    for step in range(4):
        loader.batch(step)
    assert torch.equal(images.pixels, before)


def test_no_images_no_batches() -> None:
    with pytest.raises(DuonasError, match="no images"):
        batches(0, 4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 30), st.integers(1, 40))
def test_evaluation_goes_through_all_images_in_order(n: int, size: int) -> None:
    pixels = numbered(n).pixels
    parts = list(evaluation_batches(pixels, size))
    sizes = [len(part) for part in parts]
    assert max(sizes, default=0) <= size and max(sizes, default=0) - min(sizes, default=0) <= 1
    assert all(part.is_contiguous(memory_format=torch.channels_last) for part in parts)
    assert torch.equal(torch.cat([torch.zeros(0, 3, 8, 8), *parts]), pixels.float() / 255)


@pytest.mark.parametrize("augment", AUGMENTS, ids=["none", "crop and flip", "all"])
def test_processes_share_every_batch_and_vary_it_as_one_would(augment: Augment) -> None:
    """Mixed with whom, cropped where, turned by what: nothing depends on how many processes there are."""
    one = batches(40, 8, augment=augment)
    two = [
        Batches(numbered(40), 8, num_classes=CLASSES, seed=0, augment=augment, process=Process(rank, 2))
        for rank in (0, 1)
    ]
    for step in (0, 3, 7):
        images, targets = one.batch(step)
        for rank, loader in enumerate(two):
            mine, own_targets = loader.batch(step)
            assert torch.equal(mine, images[rank::2]) and torch.equal(own_targets, targets[rank::2])


def test_a_batch_that_cannot_be_split_evenly_is_refused() -> None:
    """Parts of different sizes would weigh some images more than others."""
    arguments = {"num_classes": CLASSES, "seed": 0, "augment": Augment(), "process": Process(0, 3)}
    with pytest.raises(DuonasError, match=r"batch_size = 8 cannot be split evenly over 3 processes: .* is 6"):
        Batches(numbered(40), 8, **arguments)
    with pytest.raises(DuonasError, match="2 images cannot be split over 3 processes"):
        Batches(numbered(2), 9, **arguments)
    assert Batches(numbered(20), 9, **arguments).batch_size == 9
    assert Batches(numbered(8), 9, **arguments).batch_size == 6
