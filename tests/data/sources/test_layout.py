"""The layouts of image folders that people have, and what is said of the files that fit none."""

from __future__ import annotations

import io
import os
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from duonas.core.errors import DuonasError
from duonas.data.listing import Listing
from duonas.data.sources._layout import list_classes

EMPTY = None


def png(shade: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("L", (2, 2), shade).save(file, "PNG")
    return file.getvalue()


def grown(root: Path, *paths: str) -> Path:
    """Write an image to each path; a path that ends in a slash is an empty folder."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            (root / path).mkdir(exist_ok=True)
        else:
            (root / path).write_bytes(png())
    return root


def counts(listing: Listing) -> dict[tuple[str, str], int]:
    """How many images there are of each split and class."""
    return dict(
        Counter(
            (split, listing.class_names[label]) for split, label in zip(listing.splits, listing.labels, strict=True)
        )
    )


def kinds(listing: Listing) -> list[tuple[str, bool]]:
    return [(problem.kind, problem.error) for problem in listing.problems]


def reasons(listing: Listing, root: Path) -> dict[str, str]:
    return {os.path.relpath(each.name, root): each.reason for each in listing.skipped}


@pytest.mark.parametrize("train", ["train", "Train", "training", "TRAINING"])
@pytest.mark.parametrize("val", ["val", "Valid", "validation", "DEV", ""])
@pytest.mark.parametrize("test", ["test", "Testing", ""])
def test_split_folders_by_their_usual_names(tmp_path: Path, train: str, val: str, test: str) -> None:
    tops = {"train": train, "val": val, "test": test}
    for top in filter(None, tops.values()):
        grown(tmp_path, f"{top}/cat/1.png", f"{top}/dog/2.png")
    listing = list_classes(tmp_path)
    assert counts(listing) == {(split, name): 1 for split, top in tops.items() if top for name in ("cat", "dog")}
    assert not listing.problems and not listing.skipped


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        ("train_set", "test_set", "test"),
        ("training_set", "test_set", "test"),
        ("Train Set", "Test Set", "test"),
        ("trainset", "valset", "val"),
        ("train2017", "val2017", "val"),
        ("seg_train", "seg_test", "test"),
        ("pets-train", "pets-dev", "val"),
        ("train", "eval", "val"),
        ("train", "holdout", "test"),
        ("train", "hold-out", "test"),
        ("train", "tests", "test"),
        ("trainImages", "testImages", "test"),
    ],
)
@pytest.mark.parametrize("doubled", [False, True])
def test_split_folders_by_names_like_these(tmp_path: Path, train: str, other: str, split: str, doubled: bool) -> None:
    for top in (train, other):
        inner = f"{top}/{top}" if doubled else top
        grown(tmp_path, f"{inner}/cat/1.png", f"{inner}/dog/2.png")
    listing = list_classes(tmp_path)
    assert counts(listing) == {(each, name): 1 for each in ("train", split) for name in ("cat", "dog")}
    assert not listing.problems and not listing.skipped


def test_an_empty_class_folder_of_a_doubled_split_is_an_error(tmp_path: Path) -> None:
    grown(tmp_path, "train/train/cat/1.png", "train/train/dog/2.png", "train/train/eel/", "test/cat/3.png", "test/dog/")
    assert kinds(list_classes(tmp_path)) == [("empty class", True)] * 2


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (
            ("fold0/a/1.png", "fold0/b/2.png", "fold1/a/3.png", "fold1/b/4.png"),
            "hold folders of the same names .a, b.: ",
        ),
        (
            ("train/a/1.png", "train/b/2.png", "unlabeled/3.png"),
            "train is named after a split and holds folders .a, b., ",
        ),
        (("test/a/1.png", "cat/2.png", "dog/3.png"), "test is named after a split and holds folders"),
        (("train/1.png", "test/2.png"), "named after splits, but no class folders"),
        (("a_train/1.png", "a_test/2.png", "b_train/1.png", "b_test/2.png"), "differ in the name of a split alone"),
        (
            ("rgb/train/a/1.png", "rgb/test/b/2.png", "rgb/train/b/1.png", "mask/train/a/1.png", "mask/train/b/2.png"),
            "hold splits of a, b; did you mean data.path",
        ),
    ],
)
def test_what_could_be_splits_or_classes_is_refused_and_can_be_said(
    tmp_path: Path, paths: tuple[str, ...], message: str
) -> None:
    grown(tmp_path, *paths)
    with pytest.raises(DuonasError, match=rf"{message}.*\[data\] layout = 'classes'"):
        list_classes(tmp_path)
    listing = list_classes(tmp_path, "classes")
    assert set(listing.class_names) == {Path(path).parts[0] for path in paths} and set(listing.splits) == {""}
    assert len(listing) == len(paths)


def test_classes_of_another_case_than_in_train_are_errors(tmp_path: Path) -> None:
    grown(tmp_path, "train/Cat/1.png", "train/Dog/2.png", "test/cat/3.png", "test/dog/4.png", "extra/cat/5.png")
    listing = list_classes(tmp_path)
    assert kinds(listing) == [("not a split", False), ("unknown class", True), ("unknown class", True)]
    assert "did you mean 'Cat'?" in listing.problems[1].message


def test_a_class_that_is_called_train_is_a_class(tmp_path: Path) -> None:
    listing = list_classes(grown(tmp_path, "train/1.png", "train/freight/2.png", "bus/3.png", "car/4.png"))
    assert counts(listing) == {("", "bus"): 1, ("", "car"): 1, ("", "train"): 2}


def test_in_split_folders_a_class_may_be_called_train(tmp_path: Path) -> None:
    listing = list_classes(grown(tmp_path, "train/train/1.png", "train/bus/2.png", "test/train/3.png"))
    assert counts(listing) == {("train", "train"): 1, ("train", "bus"): 1, ("test", "train"): 1}


def test_splits_inside_of_the_class_folders(tmp_path: Path) -> None:
    listing = list_classes(grown(tmp_path, "cat/train/1.png", "cat/test/2.png", "dog/Train/3.png", "dog/valid/4.png"))
    assert counts(listing) == {("train", "cat"): 1, ("test", "cat"): 1, ("train", "dog"): 1, ("val", "dog"): 1}


@pytest.mark.parametrize("odd", ["cat/cover.png", "cat/extra/1.png", "cat/extra/train/1.png"])
def test_one_odd_file_does_not_mix_test_images_into_train(tmp_path: Path, odd: str) -> None:
    grown(tmp_path, "cat/train/1.png", "cat/test/2.png", "dog/train/3.png", "dog/test/4.png", odd)
    listing = list_classes(tmp_path)
    assert counts(listing) == {(split, name): 1 for split in ("train", "test") for name in ("cat", "dog")}
    assert kinds(listing) == [("no split", False)] and listing.problems[0].names == (str(tmp_path / odd),)
    assert reasons(listing, tmp_path) == {odd: "beside split folders"}


@pytest.mark.parametrize("odd", ["eel/test/5.png", "eel/5.png"])
def test_a_class_without_a_train_folder_is_said(tmp_path: Path, odd: str) -> None:
    grown(tmp_path, "cat/train/1.png", "cat/test/2.png", "dog/train/3.png", "dog/test/4.png", odd)
    listing = list_classes(tmp_path)
    assert listing.class_names == ("cat", "dog") and len(listing) == 4
    assert listing.problems[-1].error and "eel" in listing.problems[-1].message


def test_other_folders_inside_of_class_folders_are_of_the_class(tmp_path: Path) -> None:
    listing = list_classes(grown(tmp_path, "cat/train/1.png", "cat/2.png", "dog/train/3.png"))
    assert counts(listing) == {("", "cat"): 2, ("", "dog"): 1}


def test_a_folder_without_images_beside_the_splits_is_no_matter(tmp_path: Path) -> None:
    grown(tmp_path, "train/cat/1.png", "train/dog/2.png", "annotations/")
    (tmp_path / "annotations" / "a.xml").write_text("<a/>")
    listing = list_classes(tmp_path)
    assert counts(listing) == {("train", "cat"): 1, ("train", "dog"): 1}
    assert reasons(listing, tmp_path) == {"annotations/a.xml": "not an image"} and not listing.problems


def test_images_beside_the_splits_are_said_not_to_be_used(tmp_path: Path) -> None:
    listing = list_classes(grown(tmp_path, "train/cat/1.png", "train/dog/2.png", "val/cat/3.png", "extra/4.png"))
    assert set(counts(listing)) == {("train", "cat"), ("train", "dog"), ("val", "cat")}
    assert kinds(listing) == [("not a split", False)]
    assert listing.problems[0].names == (str(tmp_path / "extra" / "4.png"),)


@pytest.mark.parametrize("loose", ["1.png", "test/1.png"])
def test_images_without_a_class_folder_are_said_not_to_be_used(tmp_path: Path, loose: str) -> None:
    listing = list_classes(grown(tmp_path, "train/cat/1.png", "train/dog/2.png", loose))
    assert set(counts(listing)) == {("train", "cat"), ("train", "dog")}
    assert kinds(listing) == [("no class", False)] and listing.problems[0].names == (str(tmp_path / loose),)
    assert reasons(listing, tmp_path) == {loose: "in no class folder"}


@pytest.mark.parametrize("tops", [["train", "test"], ["Train"], ["val", "test"], ["dev"]])
def test_split_folders_without_classes_to_train_on_are_not_taken_for_classes(tmp_path: Path, tops: list[str]) -> None:
    with pytest.raises(
        DuonasError, match=r"named after splits, but no class folders to train on; expected train/CLASS"
    ):
        list_classes(grown(tmp_path, *(f"{top}/1.png" for top in tops)))


def test_two_folders_of_one_split_are_refused(tmp_path: Path) -> None:
    grown(tmp_path, "train/cat/1.png", "train/dog/2.png", "val/cat/3.png", "Valid/dog/4.png")
    with pytest.raises(DuonasError, match="has both Valid and val, which are names of one split"):
        list_classes(tmp_path)


def test_a_folder_around_the_class_folders_is_hinted_at(tmp_path: Path) -> None:
    with pytest.raises(DuonasError, match=r"only one class, 'all'; .* did you mean data\.path = '.*/all'\?"):
        list_classes(grown(tmp_path, "all/cat/1.png", "all/dog/2.png"))


@pytest.mark.parametrize(
    "paths",
    [
        ("train/a/1.png", "train/b/2.png"),
        ("train/a/1.png", "train/b/2.png", "test/a/1.png"),
        ("a/train/1.png", "a/test/1.png", "b/train/2.png"),
    ],
)
@pytest.mark.parametrize("inside", ["images", "all/images"])
def test_a_folder_around_any_layout_is_hinted_at(tmp_path: Path, paths: tuple[str, ...], inside: str) -> None:
    grown(tmp_path, *(f"{inside}/{path}" for path in paths), "cover.png")
    with pytest.raises(DuonasError, match=rf"did you mean data\.path = '[^']*/{inside}'"):
        list_classes(tmp_path)


@pytest.mark.parametrize("suffix", ["jfif", "JPE", "jpeg", "avif", "heic", "HEIC", "qoi", "jp2", "svg", "CR2"])
def test_no_image_is_passed_over_for_its_suffix(tmp_path: Path, suffix: str) -> None:
    grown(tmp_path, "cat/1.png", f"dog/2.{suffix}")
    assert counts(list_classes(tmp_path)) == {("", "cat"): 1, ("", "dog"): 1}  # whether it can be read, decoding says


@pytest.mark.parametrize("name", ["photo", "photo.png.1", "photo.jpg_large", "photo.txt"])
def test_what_holds_an_image_is_one_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    assert len(list_classes(grown(tmp_path, "cat/1.png", f"dog/{name}"))) == 2


def test_all_that_is_not_used_is_listed_with_the_reason(tmp_path: Path) -> None:
    grown(
        tmp_path,
        "cat/1.png",
        "dog/2.png",
        "cat/.hidden.png",
        ".git/3.png",
        "cat/.ipynb_checkpoints/4.png",
        "__MACOSX/cat/5.png",
    )
    (tmp_path / "cat" / "notes.txt").write_text("a cat")
    (tmp_path / "cat" / "video.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    (tmp_path / "dog" / "gone.txt").symlink_to("nowhere")
    os.mkfifo(tmp_path / "dog" / "pipe")
    listing = list_classes(tmp_path)
    assert len(listing) == 2 and not listing.problems
    assert reasons(listing, tmp_path) == {
        ".git": "a hidden folder",
        "__MACOSX": "a folder of the operating system",
        "cat/.hidden.png": "a hidden file",
        "cat/.ipynb_checkpoints": "a hidden folder",
        "cat/notes.txt": "not an image",
        "cat/video.mp4": "not an image",
        "dog/gone.txt": "a link to nothing",
        "dog/pipe": "not a file",
    }


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    away = grown(tmp_path / "away", "more/3.png")
    root = grown(tmp_path / "images", "cat/1.png", "dog/2.png")
    (root / "dog" / "more").symlink_to(away / "more")
    (root / "cat" / "one.png").symlink_to(away / "more" / "3.png")
    (root / "cat" / "again").symlink_to(root)
    (root / "eel").symlink_to(away)
    (root / "cat" / "gone.png").symlink_to("nowhere.png")
    listing = list_classes(root)
    assert counts(listing) == {("", "cat"): 3, ("", "dog"): 2, ("", "eel"): 1}  # one of cat's cannot be read
    assert reasons(listing, root) == {"cat/again": "a link to a folder that it is in"}


@pytest.mark.parametrize("place", ["runs/first", "first", "runs/study/variant-0"])
def test_a_run_in_the_data_folder_is_not_a_class(tmp_path: Path, place: str) -> None:
    grown(tmp_path, "cat/1.png", "dog/2.png", f"{place}/report/example.png")
    (tmp_path / place / "recipe.toml").write_text("")
    listing = list_classes(tmp_path)
    assert counts(listing) == {("", "cat"): 1, ("", "dog"): 1} and not listing.problems
    assert reasons(listing, tmp_path)[place] == "a run or a cache of duonas"


def test_what_a_removed_run_left_is_not_a_class(tmp_path: Path) -> None:
    assert not list_classes(grown(tmp_path, "cat/1.png", "dog/2.png", "runs/")).problems


def test_spellings_of_one_name_are_one_class(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    grown(tmp_path, f"train/{composed}/1.png", "train/bar/2.png", f"test/{decomposed}/3.png")
    listing = list_classes(tmp_path)
    assert counts(listing) == {("train", composed): 1, ("train", "bar"): 1, ("test", composed): 1}
    assert not listing.problems
    grown(tmp_path, f"train/{decomposed}/4.png")
    again = list_classes(tmp_path)
    assert counts(again)["train", composed] == 2 and kinds(again) == [("same name", False)]


def test_a_class_name_that_is_not_utf_8_is_refused_and_a_file_name_is_not(tmp_path: Path) -> None:
    grown(tmp_path, "cat/1.png", "dog/2.png")
    odd = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(odd)
    for path in (odd + b"/3.png", os.fsencode(tmp_path) + b"/cat/\xff.png"):
        with open(path, "wb") as file:
            file.write(png())
    listing = list_classes(tmp_path)
    assert kinds(listing) == [("name", True)] and r"caf\xe9 is not UTF-8" in listing.problems[0].message
    assert [Path(name).name for name in listing.names] == ["1.png", r"\xff.png", "2.png"]
    "".join(listing.names).encode()  # can be written to a file


def test_names_that_look_like_escapes_are_utf_8(tmp_path: Path) -> None:
    assert not list_classes(grown(tmp_path, r"caf\xe9é/1.png", "dog/2.png")).problems


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grown(tmp_path, "cat/1.png", "dog/2.png")
    whole = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == "dog":
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DuonasError, match=r"cannot read the folder .*dog: Permission denied"):
        list_classes(tmp_path)
