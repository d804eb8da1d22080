from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
from torchvision import datasets

from duonas.core.errors import DuonasError
from duonas.core.registry import find
from duonas.data.decode import decode_all
from duonas.data.listing import Listing
from duonas.data.source import Source
from duonas.runtime.prepare import Preparation

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)
LABELS = [0, 1, 2, 2, 1, 0]
NAMES = ["ant", "bee", "cow"]
Shard = Callable[..., Path]


def source(name: str, path: str | None) -> Source:
    kind = find("source", name)
    made: Source = kind(kind.Options(path=path))
    return made


def list_cifar(name: str, path: str | None) -> Listing:
    return source(name, path).list()


def pixels_of(listing: Listing) -> np.ndarray:
    """(N, 3, 32, 32) uint8."""
    pixels, facts = decode_all(listing.images, Preparation(32))
    assert set(facts.broken) == {""}
    return pixels.numpy()


@pytest.mark.parametrize(("image", "label"), [("img", "label"), ("image", "fine_label")])
def test_shards_are_read_pixel_for_pixel_in_order(make_shard: Shard, image: str, label: str) -> None:
    columns = {"image": image, "label": label, "names": NAMES}
    make_shard("train-00000", PIXELS[:2], LABELS[:2], **columns)
    make_shard("train-00001", PIXELS[2:4], LABELS[2:4], **columns)
    folder = make_shard("test-00000", PIXELS[4:], LABELS[4:], **columns)
    listing = list_cifar("cifar10", str(folder))
    assert np.array_equal(pixels_of(listing), PIXELS)
    assert listing.labels.tolist() == LABELS
    assert listing.splits.tolist() == ["train"] * 4 + ["test"] * 2
    assert listing.class_names == tuple(NAMES)


def test_without_metadata_classes_are_numbered(make_shard: Shard) -> None:
    make_shard("train", PIXELS[:4], LABELS[:4])
    assert list_cifar("cifar10", str(make_shard("test", PIXELS[4:], [1, 0]))).class_names == ("0", "1", "2")


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(DuonasError, match="'/no/such/folder' is not a folder"):
        list_cifar("cifar10", "/no/such/folder")


def test_a_missing_part_is_named(make_shard: Shard) -> None:
    folder = make_shard("train", PIXELS, LABELS)
    with pytest.raises(DuonasError, match=r"holds no images in test\*\.parquet"):
        list_cifar("cifar10", str(folder))


def test_a_damaged_shard_is_named(make_shard: Shard) -> None:
    folder = make_shard("train", PIXELS, LABELS)
    (folder / "test.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DuonasError, match=r"test\.parquet cannot be read as Parquet"):
        list_cifar("cifar10", str(folder))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": "picture"}, "has no column img or image; its columns are picture, label"),
        ({"label": "kind"}, "has no column label or fine_label"),
        ({"cells": [3] * 6}, "is int64; expected paths, bytes, or structs of both"),
    ],
)
def test_another_layout_is_explained(make_shard: Shard, options: dict[str, object], message: str) -> None:
    make_shard("test", PIXELS, LABELS, **options)
    with pytest.raises(DuonasError, match=message):
        list_cifar("cifar10", str(make_shard("train", PIXELS, LABELS, **options)))


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_named(make_shard: Shard, label: int) -> None:
    make_shard("train", PIXELS, LABELS, names=NAMES)
    listing = list_cifar("cifar10", str(make_shard("test", PIXELS[:2], [0, label], names=NAMES)))
    (problem,) = listing.problems
    assert problem.error and problem.kind in ("unlabelled", "unknown class")
    assert len(problem.names) == 1 and problem.names[0].startswith("1.png (row 1 of ")
    assert len(listing) == 7


def test_an_unreadable_image_is_named_by_its_row(make_shard: Shard) -> None:
    cells = [{"bytes": b"no image", "path": "bad.png"}]
    make_shard("train", PIXELS, LABELS)
    listing = list_cifar("cifar10", str(make_shard("test", PIXELS[:1], [0], cells=cells)))
    facts = decode_all(listing.images, Preparation(32))[1]
    (broken,) = np.flatnonzero(facts.broken)
    assert listing.names[broken].startswith("bad.png (row 0 of ") and facts.broken[broken].startswith("not an image")


def test_one_class_is_too_few(make_shard: Shard) -> None:
    make_shard("train", PIXELS, [0] * 6)
    with pytest.raises(DuonasError, match="at least two"):
        list_cifar("cifar10", str(make_shard("test", PIXELS, [0] * 6)))


def test_a_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(datasets, "CIFAR100", refuse)
    with pytest.raises(DuonasError, match=r"cannot download cifar100 .*no route to host.*set data\.path"):
        list_cifar("cifar100", None)


def test_a_download_is_read_pixel_for_pixel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def downloaded(root: str, train: bool, download: bool) -> SimpleNamespace:
        assert root == str(tmp_path / ".cache" / "duonas")
        part = slice(4) if train else slice(4, None)
        return SimpleNamespace(data=PIXELS[part].transpose(0, 2, 3, 1), targets=LABELS[part], classes=NAMES)

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(datasets, "CIFAR10", downloaded)
    listing = list_cifar("cifar10", None)
    assert np.array_equal(pixels_of(listing), PIXELS)
    assert listing.labels.tolist() == LABELS
    assert listing.splits.tolist() == ["train"] * 4 + ["test"] * 2
    assert listing.class_names == tuple(NAMES)


def test_it_is_known_beforehand_whether_images_are_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert source("cifar10", None).downloads and not source("cifar10", "there").downloads
    (tmp_path / ".cache" / "duonas" / "cifar-10-batches-py").mkdir(parents=True)
    assert not source("cifar10", None).downloads and source("cifar100", None).downloads
