from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.data.listing import Listing
from duonas.data.options import DataOptions
from duonas.data.splits import Splits, channel_histogram, channel_statistics, load_splits
from duonas.data.stratify import split_indices
from duonas.recipe.schema import options_for
from support.listings import known

NAMES = ("train", "val", "calib", "test")
fractions = st.floats(0.01, 0.45)
few = st.integers(4, 8)


def listing_of(counts: list[int], own: dict[str, int] | None = None) -> Listing:
    """A listing of so many images a class, and of so many images of class 0 in own splits."""
    rng, own = np.random.default_rng(0), own or {}
    labels = np.concatenate([rng.permutation(np.repeat(np.arange(len(counts)), counts)), *map(np.zeros, own.values())])
    splits = np.concatenate([np.full(sum(counts), ""), *(np.full(count, name) for name, count in own.items())])
    return Listing(
        names=[str(i) for i in range(len(labels))],
        images=[np.full((1, 1), i % 256, np.uint8) for i in range(len(labels))],
        labels=labels.astype(np.int64),
        splits=splits,
        class_names=tuple(map(str, range(len(counts)))),
    )


def indices_of(listing: Listing, options: DataOptions, seed: int = 0) -> dict[str, np.ndarray]:
    found = split_indices(listing, known(listing), options, stream(seed, "splits"))
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(few | st.integers(9, 60), min_size=2, max_size=5),
    fractions,
    fractions,
    st.floats(0.01, 0.99),
    st.dictionaries(st.sampled_from(["val", "test"]), st.integers(1, 9)),
    st.integers(0),
)
def test_splits_are_disjoint_complete_stratified_and_hold_every_class(
    counts: list[int], val: float, calib: float, test: float, own: dict[str, int], seed: int
) -> None:
    listing = listing_of(counts, own)
    indices = indices_of(listing, options_for("data", val=val, calib=calib, test=test), seed)
    assert sorted(np.concatenate(list(indices.values())).tolist()) == list(range(len(listing)))
    for name in own:
        assert (listing.splits[indices.pop(name)] == name).all()
    for name, chosen in indices.items():
        found = np.bincount(listing.labels[chosen], minlength=len(counts))
        assert (listing.splits[chosen] == "").all() and (found >= 1).all()
        for count, got in zip(counts, found, strict=True):
            rest = count if "test" in own else count * (1 - test)
            want = {"test": count * test, "val": rest * val, "calib": rest * calib}
            want["train"] = rest * (1 - calib - (0 if "val" in own else val))
            assert abs(got - want[name]) <= 3  # rounding, and the one image that every split gets


@pytest.mark.parametrize(
    ("images", "least", "expected"),
    [
        (5000, 300, 300),
        (20_000, 300, 800),
        (300, 300, 36),
        (5000, 0, 200),
    ],  # 4,000, 16,000, 240, 4,000 are no test images
)
def test_small_data_sets_have_splits_of_enough_images(images: int, least: int, expected: int) -> None:
    indices = indices_of(listing_of([images // 2] * 2), options_for("data", smallest_split=least))
    assert {name: len(indices[name]) for name in ("val", "calib")} == {"val": expected, "calib": expected}
    assert len(indices["test"]) == images // 5
    indices = indices_of(listing_of([images // 2] * 2, {"val": 5}), options_for("data", smallest_split=least))
    assert len(indices["val"]) == 5 and len(indices["calib"]) == pytest.approx(expected, abs=2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), max_size=60), st.booleans(), st.integers(0))
def test_equal_images_of_a_class_are_drawn_together(rows: list[tuple[int, int]], own: bool, seed: int) -> None:
    """``rows`` are labels and pixels; images 0 to 39 differ from all others."""
    listing = listing_of([20, 20])
    labels = np.concatenate([listing.labels, np.array([label for label, _ in rows], np.int64)])
    splits = np.full(len(labels), "", "<U5")
    splits[30:40] = "test" if own else ""
    listing = replace(listing, names=[str(row) for row in range(len(labels))], labels=labels, splits=splits)
    pixels = np.array([*(f"single {row}" for row in range(40)), *(f"{pixels}" for _, pixels in rows)], object)
    found = split_indices(
        listing, known(listing, pixels=pixels), options_for("data", val=0.2, calib=0.2), stream(seed, "splits")
    )
    assert sorted(np.concatenate(list(found.values())).tolist()) == list(range(len(labels)))
    keys = np.array([f"{label} {each}" for label, each in zip(labels, pixels, strict=True)])
    if own:  # those of an own split are not moved
        keys[30:40] = "own"
    assert all(sum(key in keys[chosen] for chosen in found.values()) == 1 for key in set(keys))


def test_a_class_with_too_few_different_images_is_split_all_the_same() -> None:
    listing = listing_of([20, 20])
    pixels = np.where(listing.labels == 1, "same", np.arange(40).astype(str)).astype(object)
    found = split_indices(listing, known(listing, pixels=pixels), options_for("data"), stream(0, "splits"))
    assert all(set(listing.labels[chosen]) == {0, 1} for chosen in found.values())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_splits_follow_the_seed(seed: int, other: int) -> None:
    listing, options = listing_of([30, 30]), options_for("data")
    first, again = (indices_of(listing, options, seed) for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in NAMES)
    different = indices_of(listing, options, other)
    assert seed == other or any(not np.array_equal(first[name], different[name]) for name in NAMES)


def test_a_leading_part_of_a_split_holds_all_classes() -> None:
    train = load_splits(options_for("data"), 0).train
    assert len(train.labels[:100].unique()) == 10


def test_digits() -> None:
    splits = load_splits(options_for("data", val=0.1, calib=0.1, test=0.2), 3)
    assert splits.image_size == 8
    assert splits.num_classes == 10
    sizes = [len(getattr(splits, name)) for name in NAMES]
    assert sum(sizes) == 1797
    assert abs(sizes[3] - 359) <= 5
    assert abs(sizes[1] - 144) <= 5
    values = splits.train.pixels[:, 0].double() / 255
    assert splits.mean == pytest.approx([values.mean().item()] * 3)
    assert splits.std == pytest.approx([values.std(correction=0).item()] * 3)


def test_the_same_seed_gives_the_same_hashes() -> None:
    first, again, other = (load_splits(options_for("data"), seed) for seed in (0, 0, 1))
    assert first.hashes == again.hashes
    assert set(first.hashes) == set(NAMES)
    assert all(first.hashes[name] != other.hashes[name] for name in NAMES)


def test_images_are_resized_on_request() -> None:
    splits = load_splits(options_for("data", image_size=12), 0)
    assert splits.image_size == 12
    assert splits.hashes["test"] != load_splits(options_for("data"), 0).hashes["test"]


def shards(make_shard: Callable[..., Path], test_labels: list[int], dark: int = 0) -> Splits:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 3, 32, 32), dtype=np.uint8)
    test = np.random.default_rng(1).integers(0, 256 - dark, (6, 3, 32, 32), dtype=np.uint8)
    make_shard("train", pixels, [0, 1, 2] * 10, names=["a", "b", "c"])
    folder = make_shard("test", test, test_labels, names=["a", "b", "c"])
    return load_splits(options_for("data", name="cifar10", path=str(folder), val=0.2, calib=0.2), 0)


def test_poisoned_test_labels_change_nothing_but_the_test_labels(make_shard: Callable[..., Path]) -> None:
    clean, poisoned = (shards(make_shard, labels) for labels in ([0, 1, 2, 0, 1, 2], [2, 2, 2, 2, 2, 2]))
    assert clean.hashes == poisoned.hashes
    assert (clean.mean, clean.std) == (poisoned.mean, poisoned.std)
    for name in NAMES:
        assert torch.equal(getattr(clean, name).pixels, getattr(poisoned, name).pixels)
    assert poisoned.test.labels.tolist() == [2] * 6


def test_other_test_pixels_change_the_test_hash_only(make_shard: Callable[..., Path]) -> None:
    clean, changed = (shards(make_shard, [0, 1, 2, 0, 1, 2], dark) for dark in (0, 100))
    assert [name for name in NAMES if clean.hashes[name] != changed.hashes[name]] == ["test"]


def test_a_folder_is_split_and_sized(make_folder: Callable[..., Path]) -> None:
    folder = make_folder({"cat": 4, "dog": 9})
    splits = load_splits(options_for("data", name="folder", path=str(folder)), 0)
    assert splits.image_size == 32  # they are 12 x 10
    assert all(set(getattr(splits, name).labels.tolist()) == {0, 1} for name in NAMES)
    assert load_splits(options_for("data", name="folder", path=str(folder), image_size=10), 0).image_size == 10


def test_a_class_with_too_few_images_is_named(make_folder: Callable[..., Path]) -> None:
    folder = make_folder({"cat": 9, "dog": 3})
    with pytest.raises(DuonasError, match="class 'dog' has 3 images; train, val, calib and test need one each"):
        load_splits(options_for("data", name="folder", path=str(folder)), 0)


def test_fractions_that_leave_nothing_to_train_on() -> None:
    with pytest.raises(DuonasError, match="leave nothing to train on"):
        load_splits(options_for("data", val=0.5, calib=0.5), 0)


def test_digits_take_no_path() -> None:
    with pytest.raises(DuonasError, match=r"no key 'path': .* here that is 'digits'"):
        options_for("data", path="my/images")


def test_a_flat_channel_has_a_usable_deviation() -> None:
    mean, std = channel_statistics(channel_histogram(torch.full((3, 3, 2, 2), 51, dtype=torch.uint8)))
    assert mean == pytest.approx((0.2, 0.2, 0.2))
    assert min(std) > 0
