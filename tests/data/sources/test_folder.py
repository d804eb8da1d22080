from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from duonas.core.errors import DuonasError
from duonas.data.listing import Listing
from duonas.data.sources.folder import Folder as FolderSource


def list_folder(path: str | None) -> Listing:
    return FolderSource(FolderSource.Options(path=path)).list()


Folder = Callable[..., Path]


def errors(listing: Listing) -> list[str]:
    return [problem.kind for problem in listing.problems if problem.error]


def test_each_subfolder_is_a_class(make_folder: Folder) -> None:
    folder = make_folder({"dog": 3, "cat": 2})
    listing = list_folder(str(folder))
    assert listing.class_names == ("cat", "dog")
    assert listing.labels.tolist() == [0, 0, 1, 1, 1]
    assert listing.images[:3] == [folder / "cat" / "000.png", folder / "cat" / "001.png", folder / "dog" / "000.png"]
    assert set(listing.splits) == {""}


def test_train_and_test_subfolders(make_folder: Folder) -> None:
    make_folder({"cat": 2, "dog": 3}, under="train")
    source = list_folder(str(make_folder({"dog": 2}, under="test")))
    assert source.labels.tolist() == [1, 1, 0, 0, 1, 1, 1]
    assert source.splits.tolist() == ["test"] * 2 + ["train"] * 5
    assert source.class_names == ("cat", "dog")


def test_a_train_subfolder_alone_has_no_test_split(make_folder: Folder) -> None:
    source = list_folder(str(make_folder({"cat": 2, "dog": 3}, under="train")))
    assert source.splits.tolist() == ["train"] * 5


def test_deeper_images_are_found_and_other_files_passed_over(make_folder: Folder) -> None:
    folder = make_folder({"cat/indoors": 2, "dog": 3})
    (folder / "dog" / "notes.txt").write_text("good dogs")
    (folder / "dog" / "._000.png").write_bytes(b"what macOS leaves")
    (folder / ".git").mkdir()
    assert list_folder(str(folder)).labels.tolist() == [0, 0, 1, 1, 1]


def test_the_folder_must_be_given() -> None:
    with pytest.raises(DuonasError, match=r"needs data\.path"):
        list_folder(None)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DuonasError, match="nowhere' is not a folder"):
        list_folder(str(tmp_path / "nowhere"))


def test_a_folder_without_class_folders(tmp_path: Path) -> None:
    with pytest.raises(DuonasError, match="no class folders"):
        list_folder(str(tmp_path))


def test_one_class_only(make_folder: Folder) -> None:
    with pytest.raises(DuonasError, match="only one class, 'cat'"):
        list_folder(str(make_folder({"cat": 5})))


@pytest.mark.parametrize("under", ["", "train"])
def test_an_empty_class_folder_is_named(make_folder: Folder, under: str) -> None:
    listing = list_folder(str(make_folder({"cat": 5, "cow": 4, "dog": 0}, under=under)))
    assert errors(listing) == ["empty class"] and "dog is empty" in listing.problems[0].message
    assert listing.class_names == ("cat", "cow")


def test_an_empty_class_folder_of_the_test_split_is_named(make_folder: Folder) -> None:
    make_folder({"cat": 2, "dog": 2}, under="train")
    listing = list_folder(str(make_folder({"cat": 2, "dog": 0}, under="test")))
    assert errors(listing) == ["empty class"] and "test/dog is empty" in listing.problems[0].message


def test_a_test_class_unknown_to_train_gets_the_nearest_name(make_folder: Folder) -> None:
    make_folder({"cat": 2, "dog": 2}, under="train")
    listing = list_folder(str(make_folder({"cats": 2}, under="test")))
    assert errors(listing) == ["unknown class"]
    assert "test/cats is not a class of the train folder: did you mean 'cat'?" in listing.problems[0].message
    assert len(listing) == 4
