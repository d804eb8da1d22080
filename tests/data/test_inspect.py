"""One pass over a data set finds all that is wrong with it, and says it before any training."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from duonas.core.errors import DuonasError
from duonas.data.decode import decode_all
from duonas.data.facts import ImageFact, ImageFacts
from duonas.data.images import Images
from duonas.data.inspect import Inspected, inspect_data
from duonas.data.listing import Listing
from duonas.data.ondisk import read
from duonas.data.report import report_data
from duonas.data.small_classes import without_small_classes
from duonas.data.sources.digits import Digits
from duonas.data.splits import load_splits
from duonas.recipe.schema import options_for

Folder = Callable[..., Path]
COUNTS = {"cat": 8, "dog": 9}


def options(folder: Path, **keys: object) -> dict[str, object]:
    return {"name": "folder", "path": str(folder), **keys}


def spoiled(folder: Path) -> Path:
    (folder / "cat" / "001.png").write_bytes(b"text")
    (folder / "dog" / "000.png").write_bytes(b"")
    return folder


def kinds(inspected: Inspected) -> list[tuple[str, bool]]:
    return [(problem.kind, problem.error) for problem in inspected.problems]


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_all_that_is_broken_is_said_at_once(make_folder: Folder, tmp_path: Path, store: str) -> None:
    folder = spoiled(make_folder({**COUNTS, "eel": 2}))
    given = options_for("data", **options(folder, store=store, cache=str(tmp_path / "cache")))
    with pytest.raises(DuonasError) as stopped:
        load_splits(given, 0)
    said = str(stopped.value)
    assert "2 images cannot be read" in said
    assert "cat/001.png (not an image file that Pillow knows)" in said and "dog/000.png (the file is empty)" in said
    assert "class 'eel' has 2 images; train, val, calib and test need one each, so at least 4" in said


def test_an_error_says_what_can_be_done(make_folder: Folder, tmp_path: Path) -> None:
    advice = "Fix them, or leave the files out with --set data.on_error=skip; `duonas data` shows all"
    folder = make_folder({**COUNTS, "eel": 2})
    for change in (lambda: folder, lambda: spoiled(folder)):
        change()
        with pytest.raises(DuonasError) as stopped:
            load_splits(options_for("data", **options(folder)), 0)
        assert advice in str(stopped.value).splitlines()[-1]
    bright = options_for("data", **options(deep(tmp_path / "bright", 255, np.float32)))
    with pytest.raises(DuonasError) as stopped:
        load_splits(bright, 0)
    assert "skip" not in str(stopped.value)  # it would not help


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_a_class_that_is_too_small_can_be_left_out(make_folder: Folder, tmp_path: Path, store: str) -> None:
    folder = spoiled(make_folder({"bee": 3, **COUNTS, "eel": 20}))
    for number in range(17):  # three are left
        (folder / "eel" / f"{number:03}.png").write_bytes(b"text")
    keys = options(folder, store=store, cache=str(tmp_path / "cache"), on_error="skip", image_size=4)
    inspected, images = inspect_data(options_for("data", **keys), 0)
    inspected.check()
    assert kinds(inspected) == [("broken", False), ("class left out", False), ("class left out", False)]
    bee, eel = inspected.problems[1:]
    assert bee.message.startswith("class 'bee' has 3 images and is left out") and len(bee.names) == 3
    assert eel.message.startswith("class 'eel' has 3 images and is left out") and len(eel.names) == 20
    assert inspected.listing.class_names == ("cat", "dog")
    assert inspected.listing.labels.tolist() == images.labels.tolist() == [0] * 8 + [1] * 9
    rows = np.flatnonzero(inspected.facts.broken == "")
    expected = decode_all([inspected.listing.images[row] for row in rows], inspected.preparation)[0]
    assert np.array_equal(read(images.pixels[rows]), expected)
    splits = load_splits(options_for("data", **keys), 0)
    assert splits.num_classes == 2 and set(splits.train.labels.tolist()) == {0, 1}


def test_a_split_of_left_out_classes_alone_is_gone_with_them(tmp_path: Path) -> None:
    labels = np.repeat([0, 1, 2, 3], [10, 10, 3, 2])
    own = np.array([""] * 23 + ["", "test"])
    listing = Listing([f"{i}" for i in range(25)], [b""] * 25, labels, own, ("a", "b", "c", "d"))
    facts = ImageFacts.of(ImageFact(pixels=str(i)) for i in range(25))
    images = Images(torch.arange(25)[:, None].repeat(1, 3)[..., None, None], torch.from_numpy(labels))
    listing, facts, images, problems = without_small_classes(listing, facts, images)
    assert [each.message[:9] for each in problems] == ["class 'd'", "class 'c'"]  # c needs a test image only then
    assert "train, val, calib and test" in problems[1].message and listing.class_names == ("a", "b")
    assert len(facts) == len(images) == len(listing) == len(listing.images) == 20


@pytest.mark.parametrize("counts", [{"cat": 9, "eel": 2}, {"cat": 1, "eel": 2}])
def test_two_classes_must_remain(make_folder: Folder, counts: dict[str, int]) -> None:
    given = options_for("data", **options(make_folder(counts), on_error="skip"))
    with pytest.raises(DuonasError, match=r"(?s)class 'eel' has 2 images; .*would be left; at least two are needed"):
        load_splits(given, 0)


@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_nothing_that_can_be_read_is_one_error(make_folder: Folder, on_error: str) -> None:
    folder = make_folder(COUNTS)
    for path in folder.rglob("*.png"):
        path.write_bytes(b"text")
    inspected, _ = inspect_data(options_for("data", **options(folder, on_error=on_error)), 0)
    report = report_data(inspected)
    assert [(each.kind, each.error) for each in report.problems] == [("broken", True)]
    assert "highest floor" not in str(report) and "17 images cannot be read" in str(report)


@pytest.mark.parametrize("found", [0, 2])
def test_a_table_whose_images_are_elsewhere_is_one_error(tmp_path: Path, found: int) -> None:
    names = [f"{number}.png" for number in range(40)]
    for name in names[:found]:
        noise = np.random.default_rng(int(name[0])).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / name)
    rows = "".join(f"{name},{'cat' if number % 2 else 'dog'}\n" for number, name in enumerate(names))
    (tmp_path / "labels.csv").write_text(f"file_name,label\n{rows}")
    inspected, _ = inspect_data(options_for("data", name="table", path=str(tmp_path / "labels.csv")), 0)
    report = report_data(inspected)
    (error,) = report.problems
    assert error.error and error.message == (
        f"{40 - found} of 40 images do not exist; the first was looked for at {tmp_path / names[found]}: set [data] "
        "images to the folder that the paths are relative to"
    )
    assert error.names == tuple(names[found:] if found else ())


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_broken_images_can_be_left_out(make_folder: Folder, tmp_path: Path, store: str) -> None:
    folder = spoiled(make_folder(COUNTS))
    keys = options(folder, store=store, cache=str(tmp_path / "cache"), on_error="skip", image_size=4)
    inspected, images = inspect_data(options_for("data", **keys), 0)
    assert kinds(inspected) == [("broken", False)]
    inspected.check()
    broken = np.flatnonzero(inspected.facts.broken != "")
    assert [Path(inspected.listing.names[i]).name for i in broken] == ["001.png", "000.png"]
    used = np.concatenate(list(inspected.indices.values()))
    assert sorted([*used, *broken]) == list(range(sum(COUNTS.values())))
    assert not read(images.pixels[broken]).any()


def test_a_repaired_image_is_read_the_next_time(make_folder: Folder, tmp_path: Path) -> None:
    folder = spoiled(make_folder(COUNTS))
    given = options_for("data", **options(folder, store="disk", cache=str(tmp_path / "cache")))
    assert kinds(inspect_data(given, 0)[0]) == [("broken", True)]
    Image.new("RGB", (12, 10)).save(folder / "cat" / "001.png")
    Image.new("RGB", (12, 10)).save(folder / "dog" / "000.png")
    assert kinds(inspect_data(given, 0)[0]) == []


def test_many_classes_that_are_too_small_are_one_error(make_folder: Folder) -> None:
    folder = make_folder({**COUNTS, "eel": 2, "bee": 3, "ant": 1, "fox": 1})
    inspected, _ = inspect_data(options_for("data", **options(folder)), 0)
    (error,) = inspected.problems
    assert error.error and error.names == (
        "'ant' has 1 image",
        "'bee' has 3 images",
        "'eel' has 2 images",
        "'fox' has 1 image",
    )
    assert error.message.startswith("4 of 6 classes have too few images; train, val, calib and test need one each")
    folder = make_folder({f"item{i}": 1 for i in range(9)}, under="more")
    inspected, _ = inspect_data(options_for("data", **options(folder / "more")), 0)
    (error,) = inspected.problems
    assert error.message.endswith("but there are 9 images in all, fewer than two a class")


@pytest.mark.parametrize(
    ("keys", "side"),
    [
        ({"crop_scale": 0.5}, 10),  # a quarter more than 8
        ({}, None),  # nothing is cropped
        ({"crop_scale": 0.5, "working_size": 11}, 11),
        ({"crop_scale": 0.5, "working_size": 8}, None),
        ({"crop_scale": 0.5, "image_size": 9}, 10),  # 11 pixels are more than the images have
        ({"crop_scale": 0.5, "image_size": 10}, None),
        ({"crop_scale": 0.5, "image_size": 9, "resize": "pad"}, 11),  # their long side is 12
    ],
)
@pytest.mark.parametrize("store", ["memory", "disk"])
def test_training_images_are_larger_where_they_are_cropped(make_folder, tmp_path, keys, side, store):
    keys = {"image_size": 8, "store": store, "cache": str(tmp_path / "cache"), **keys}
    splits = load_splits(options_for("data", **options(make_folder(COUNTS), **keys)), 0)
    plain = load_splits(options_for("data", **options(tmp_path / "images", **(keys | {"crop_scale": 1.0}))), 0)
    assert splits.hashes == plain.hashes  # of what the networks see
    assert torch.equal(read(splits.train.pixels), read(plain.train.pixels))
    assert all(each.working is None for each in (splits.val, splits.calib, splits.test, plain.train))
    if side is None:
        assert splits.train.working is None
        return
    names = [splits.inspected.listing.images[row] for row in splits.inspected.indices["train"]]
    expected = decode_all(names, replace(splits.inspected.preparation, image_size=side))[0]
    assert torch.equal(read(splits.train.working), expected)


def test_a_working_size_below_the_image_size_is_refused(make_folder: Folder) -> None:
    keys = options(make_folder(COUNTS), image_size=8, crop_scale=0.5, working_size=7)
    with pytest.raises(DuonasError, match=r"working_size = 7 is smaller than the 8 x 8 pixels .* must be at least 8"):
        inspect_data(options_for("data", **keys), 0)


@pytest.mark.parametrize(("size", "side"), [((28, 28), 28), ((64, 64), 64), ((65, 65), 32), ((12, 10), 32)])
def test_small_squares_keep_their_size(make_folder: Folder, size: tuple[int, int], side: int) -> None:
    given = options_for("data", **options(make_folder(COUNTS, size=size)))
    assert inspect_data(given, 0)[0].preparation.image_size == side


def test_one_image_of_another_size_means_the_default(make_folder: Folder) -> None:
    folder = make_folder(COUNTS, size=(28, 28))
    Image.new("RGB", (20, 20)).save(folder / "cat" / "000.png")
    assert inspect_data(options_for("data", **options(folder)), 0)[0].preparation.image_size == 32


def deep(folder: Path, top: float, dtype: type, count: int = 8) -> Path:
    """Two classes of grey images of more than 8 bits; the brightest value of all is ``top``."""
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            values = np.full((4, 4), top * (i + 1) / count).astype(dtype)
            Image.fromarray(values).save(folder / name / f"{i}.tif")
    return folder


@pytest.mark.parametrize(
    ("top", "dtype", "white"),
    [(255, np.uint16, 255), (1000, np.uint16, 1023), (4095, np.uint16, 4095), (60_000, np.uint16, 65535)],
)
def test_the_bits_of_integers_follow_from_the_images(tmp_path: Path, top: int, dtype: type, white: int) -> None:
    given = options_for("data", **options(deep(tmp_path / "images", top, dtype)))
    inspected, images = inspect_data(given, 0)
    assert inspected.preparation.white == white and not inspected.problems
    assert int(read(images.pixels).max()) == round(top * 255 / white)


def test_floats_are_from_0_to_1_unless_white_is_given(tmp_path: Path) -> None:
    unit = options_for("data", **options(deep(tmp_path / "unit", 1, np.float32)))
    inspected, images = inspect_data(unit, 0)
    assert not inspected.problems and int(read(images.pixels).max()) == 255
    bytes_ = options(deep(tmp_path / "bytes", 255, np.float32))
    with pytest.raises(
        DuonasError, match=r"16 of 16 images .* have values above white, up to 255, where white is 1: set"
    ):
        load_splits(options_for("data", **bytes_), 0)
    assert not inspect_data(options_for("data", **bytes_, white=255), 0)[0].problems


def test_what_would_be_almost_black_is_refused(tmp_path: Path) -> None:
    faint = options(deep(tmp_path / "images", 0.01, np.float32))
    with pytest.raises(
        DuonasError, match=r"end at 0\.01, but white is 1, so they would be almost black: set \[data\] white"
    ):
        load_splits(options_for("data", **faint), 0)
    assert not inspect_data(options_for("data", **faint, white=0.01), 0)[0].problems


def test_white_that_is_given_and_exceeded_is_a_warning(tmp_path: Path) -> None:
    given = options_for("data", **options(deep(tmp_path / "images", 4095, np.uint16)), white=2047)
    assert kinds(inspect_data(given, 0)[0]) == [("brighter than white", False)]


def mixed(folder: Path, floats: float, integers: float) -> dict[str, object]:
    """Options for two classes of floats, each with as many images of 16-bit integers among them."""
    deep(folder, floats, np.float32)
    deep(folder / "more", integers, np.uint16)
    for name in ("a", "b"):
        for file in (folder / "more" / name).iterdir():
            file.rename(folder / name / f"integers {file.name}")
    shutil.rmtree(folder / "more")
    return options(folder)


def test_floats_and_integers_of_one_data_set_have_whites_of_their_own(tmp_path: Path) -> None:
    inspected, images = inspect_data(options_for("data", **mixed(tmp_path / "images", 1, 4095)), 0)
    assert not inspected.problems
    assert (inspected.preparation.white, inspected.preparation.float_white) == (4095, None)
    for path, values in zip(inspected.listing.names, read(images.pixels), strict=True):
        *integers, number = Path(path).stem.split()
        white = 4095 if integers else 1
        stored = np.array(white * (int(number) + 1) / 8).astype(np.uint16 if integers else np.float32)
        assert values.unique().tolist() == [round(float(stored) * 255 / white)]


def test_darkness_is_found_of_floats_and_integers_each(tmp_path: Path) -> None:
    faint = mixed(tmp_path / "images", 0.01, 4095)
    with pytest.raises(DuonasError, match=r"the values of all 16 images of floats end at 0\.01, .* almost black"):
        load_splits(options_for("data", **faint), 0)
    (problem,) = inspect_data(options_for("data", **faint, white=4095), 0)[0].problems
    assert (problem.kind, problem.error, len(problem.names)) == ("dark", False, 16)


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        (None, r"list\(\) of the data source digits gave NoneType; expected a Listing"),
        (Listing(["a"], [b""], np.zeros(2, int), np.array([""], object), ("a", "b")), "1 images, 2 labels, 1 splits"),
    ],
)
def test_what_an_own_source_lists_is_checked(monkeypatch: pytest.MonkeyPatch, listing: object, message: str) -> None:
    monkeypatch.setattr(Digits, "list", lambda self: listing)
    with pytest.raises(DuonasError, match=message):
        inspect_data(options_for("data"), 0)
