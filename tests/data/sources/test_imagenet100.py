from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from duonas.core.errors import DuonasError
from duonas.data.sources.imagenet100 import CLASSES, ImageNet100

Folder = Callable[..., Path]


def listed(path: str | None):
    return ImageNet100(ImageNet100.Options(path=path)).list()


def test_it_takes_its_100_classes_of_a_folder_with_more(make_imagenet: Folder) -> None:
    found = listed(str(make_imagenet([*CLASSES, "n00000001"], 2, 1)))
    assert len(CLASSES) == 100 and found.class_names == tuple(sorted(CLASSES))
    assert len(found) == 300 and not any("n00000001" in name for name in found.names)


def test_val_is_the_test_split(make_imagenet: Folder) -> None:
    found = listed(str(make_imagenet(CLASSES, 2, 1)))
    inside = {split: {Path(name).parts[-3] for name, own in zip(found.names, found.splits, strict=True) if own == split}
              for split in ("train", "test")}  # fmt: skip
    assert inside == {"train": {"train"}, "test": {"val"}}


def test_lacking_classes_are_named(make_imagenet: Folder) -> None:
    root = make_imagenet(CLASSES, 1, 1)
    for name in CLASSES[:5]:
        shutil.rmtree(root / "val" / name)
    with pytest.raises(DuonasError, match=rf"val lacks 5 class folders .* {CLASSES[0]}, .* and 2 more"):
        listed(str(root))


def test_images_of_val_that_are_not_sorted_are_refused(make_imagenet: Folder) -> None:
    root = make_imagenet(CLASSES, 1, 0)
    shutil.rmtree(root / "val")
    (root / "val").mkdir()
    (root / "val" / "ILSVRC2012_val_00000001.JPEG").write_bytes(b"")
    with pytest.raises(DuonasError, match="sort the images of val into class folders first"):
        listed(str(root))


def test_the_folder_above_is_told_which_one_is_meant(make_imagenet: Folder, tmp_path: Path) -> None:
    inner = tmp_path / "archive" / "ILSVRC" / "Data" / "CLS-LOC"
    inner.parent.mkdir(parents=True)
    make_imagenet(CLASSES[:1], 1, 1).rename(inner)
    with pytest.raises(DuonasError, match=r"did you mean data\.path = .*CLS-LOC"):
        listed(str(tmp_path / "archive"))


@pytest.mark.parametrize(("path", "message"), [(None, r"needs data\.path"), ("nowhere", "is not a folder")])
def test_without_a_folder_there_is_nothing(path: str | None, message: str) -> None:
    with pytest.raises(DuonasError, match=message):
        listed(path)
