from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from duonas.core.errors import DuonasError
from duonas.data.source import DataSet
from duonas.data.sources.folder import Folder as FolderSource


def read_folder(path: str | None, size: int) -> DataSet:
    return FolderSource(FolderSource.Options(path=path, image_size=size)).read()


Folder = Callable[..., Path]


def test_each_subfolder_is_a_class(make_folder: Folder) -> None:
    source = read_folder(str(make_folder({"dog": 3, "cat": 2})), 8)
    assert source.class_names == ("cat", "dog")
    assert source.images.labels.tolist() == [0, 0, 1, 1, 1]
    assert source.images.pixels.shape == (5, 3, 8, 8)
    assert source.images.pixels[:, 0].unique().tolist() == [0, 40]
    assert source.images.pixels[:2, 0].unique().tolist() == [40]  # "cat" was written second
    assert source.test is None


def test_train_and_test_subfolders(make_folder: Folder) -> None:
    make_folder({"cat": 2, "dog": 3}, under="train")
    source = read_folder(str(make_folder({"dog": 2}, under="test")), 8)
    assert source.test is not None
    assert source.images.labels.tolist() == [0, 0, 1, 1, 1]
    assert source.test.labels.tolist() == [1, 1]
    assert source.class_names == ("cat", "dog")


def test_a_train_subfolder_alone_has_no_test_split(make_folder: Folder) -> None:
    source = read_folder(str(make_folder({"cat": 2, "dog": 3}, under="train")), 8)
    assert source.test is None
    assert len(source.images) == 5


def test_deeper_images_are_found_and_other_files_passed_over(make_folder: Folder) -> None:
    folder = make_folder({"cat/indoors": 2, "dog": 3})
    (folder / "dog" / "notes.txt").write_text("good dogs")
    (folder / "dog" / "._000.png").write_bytes(b"what macOS leaves")
    (folder / ".git").mkdir()
    assert read_folder(str(folder), 8).images.labels.tolist() == [0, 0, 1, 1, 1]


def test_the_folder_must_be_given() -> None:
    with pytest.raises(DuonasError, match=r"needs data\.path"):
        read_folder(None, 8)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DuonasError, match="nowhere' is not a folder"):
        read_folder(str(tmp_path / "nowhere"), 8)


def test_a_folder_without_class_folders(tmp_path: Path) -> None:
    with pytest.raises(DuonasError, match="no class folders"):
        read_folder(str(tmp_path), 8)


def test_one_class_only(make_folder: Folder) -> None:
    with pytest.raises(DuonasError, match="only one class, 'cat'"):
        read_folder(str(make_folder({"cat": 5})), 8)


@pytest.mark.parametrize("under", ["", "train"])
def test_an_empty_class_folder_is_named(make_folder: Folder, under: str) -> None:
    folder = make_folder({"cat": 5, "dog": 0}, under=under)
    with pytest.raises(DuonasError, match=r"class folder .*dog is empty"):
        read_folder(str(folder), 8)


def test_an_empty_class_folder_of_the_test_split_is_named(make_folder: Folder) -> None:
    make_folder({"cat": 2, "dog": 2}, under="train")
    folder = make_folder({"cat": 2, "dog": 0}, under="test")
    with pytest.raises(DuonasError, match=r"class folder .*test/dog is empty"):
        read_folder(str(folder), 8)


def test_a_test_class_unknown_to_train_gets_the_nearest_name(make_folder: Folder) -> None:
    make_folder({"cat": 2, "dog": 2}, under="train")
    folder = make_folder({"cats": 2}, under="test")
    with pytest.raises(DuonasError, match=r"test/cats is not a class .*did you mean 'cat'\?"):
        read_folder(str(folder), 8)


def test_an_unreadable_image_is_named(make_folder: Folder) -> None:
    folder = make_folder({"cat": 2, "dog": 2})
    (folder / "dog" / "000.png").write_bytes(b"nonsense")
    with pytest.raises(DuonasError, match=r"cannot read the image .*dog/000\.png"):
        read_folder(str(folder), 8)
