"""One pass over a data set finds all that is wrong with it, and says it before any training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from duonas.core.errors import DuonasError
from duonas.data.inspect import Inspected, inspect_data
from duonas.data.ondisk import read
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
