"""The report of a data set: what it counts and how it is stored."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from duonas.core.files import read_json, write_json
from duonas.data.describe import describe
from duonas.data.listing import Problem, Skipped
from duonas.data.report import report_data
from duonas.runtime.prepare import Preparation
from support.listings import broken, inspected, known, listed

NO_IMAGE = "not an image format that is read"


@pytest.fixture
def listing():
    skipped = (Skipped("a.psd", NO_IMAGE), Skipped("b.psd", NO_IMAGE), Skipped(".ipynb_checkpoints", "hidden"))
    return listed({"cat": 800, "dog": 400}, skipped=skipped)


def equal(facts, rows):
    """The facts where some images are the same."""
    pixels = facts.pixels.copy()
    pixels[rows] = "same"
    return replace(facts, pixels=pixels)


def test_all_problems_are_in_it_errors_first(listing):
    odd = Problem("leftover", "the folder 'extra' holds one image")
    empty = Problem("empty class", "the class 'bird' has no images", error=True)
    small = Problem("too small class", "class 'dog' has 2 images", error=True)
    report = report_data(inspected(replace(listing, problems=(odd, empty)), equal(known(listing), [0, 3]), (small,)))
    assert [each.kind for each in report.problems] == ["empty class", "too small class", "leftover", "leak"]
    assert report.errors == (empty, small) and report.warnings == report.problems[2:]


def test_broken_images_are_in_no_count(listing):
    report = report_data(inspected(listing, broken(known(listing), _3="truncated", _801="truncated")))
    assert report.whole.counts == (799, 399) and report.whole.images == 1198
    assert sum(part.images for part in report.splits.values()) == 1198
    assert report.whole.total.sizes == {(64, 48): 1198} and report.enlarged == 0


@pytest.mark.parametrize(
    ("resize", "size", "enlarged"), [("crop", 48, 0), ("crop", 49, 1), ("pad", 64, 0), ("pad", 65, 1)]
)
def test_images_smaller_than_what_the_networks_see_are_counted(listing, resize, size, enlarged):
    found = replace(inspected(listing), preparation=Preparation(size, resize))  # of images of 64 x 48
    assert report_data(found).enlarged == enlarged


def test_the_json_has_everything(listing, tmp_path):
    report = report_data(inspected(listing, equal(known(listing), [0, 1, 2, 3])))
    found = read_json(write_json(tmp_path / "data.json", report.to_json()))
    assert found["class_names"] == ["cat", "dog"] and found["all"]["images"] == 1200
    assert {name: split["images"] for name, split in found["splits"].items()} == dict.fromkeys(found["splits"], 300)
    test = found["splits"]["test"]
    assert (test["majority_class"], test["majority_share"], test["own"]) == ("cat", pytest.approx(2 / 3), False)
    assert [(row["class"], row["images"], row["modes"]) for row in test["classes"]] == [
        ("cat", 200, {"RGB": 200}), ("dog", 100, {"RGB": 100}),
    ]  # fmt: skip
    assert 0 < test["certifies"]["margin"] < 0.06 and found["splits"]["calib"]["certifies"]["highest_floor"] > 0.97
    assert [each["name"] for each in found["skipped"]] == ["a.psd", "b.psd", ".ipynb_checkpoints"]
    assert found["copies"][0]["names"] == ["cat/0", "cat/1", "cat/2", "cat/3"]
    assert found["copies"][0]["splits"] == ["train", "val", "calib", "test"]
    assert [each["kind"] for each in found["problems"]] == ["leak"]


def test_names_are_relative_to_the_folder_of_the_data(listing):
    root = Path("/data/pictures")
    names = [str(root / name) for name in listing.names]
    skipped = (Skipped(str(root / "cat/notes.txt"), NO_IMAGE), Skipped("/elsewhere/a.txt", NO_IMAGE))
    listing = replace(listing, root=root, names=names, skipped=skipped)
    lost = Problem("broken", "1 image cannot be read", (f"{names[1]} (truncated)",), error=True)
    report = report_data(inspected(listing, equal(known(listing), [0, 3]), (lost,)))
    assert [each.names for each in report.problems] == [("cat/1 (truncated)",), ("cat/0 (train) = cat/3 (test)",)]
    assert [each.name for each in report.skipped] == ["cat/notes.txt", "/elsewhere/a.txt"]
    assert report.copies[0].names == ("cat/0", "cat/3")
    assert (
        report.root == root and report.to_json()["root"] == "/data/pictures" and "folder: /data/pictures" in str(report)
    )


def test_it_is_shown_as_text(listing):
    report = report_data(inspected(listing))
    assert repr(report) == str(report) == describe(report)


def test_names_that_are_no_text_can_be_written(tmp_path):
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    listing = listed({name: 4, "dog": 4}, skipped=(Skipped(name, NO_IMAGE),))
    report = report_data(inspected(listing, equal(known(listing), [0, 3])))
    text = (write_json(tmp_path / "data.json", report.to_json())).read_text(encoding="utf-8")
    assert json.loads(text)["class_names"] == ["caf\\udce9", "dog"]
    str(report).encode("utf-8")


def test_a_data_set_without_an_image_that_can_be_read_has_a_report():
    listing = listed({"cat": 1, "dog": 1})
    report = report_data(inspected(listing, broken(known(listing), _0="truncated", _1="truncated")))
    assert report.whole.images == 0 and "no image can be read" in str(report)
    json.dumps(report.to_json())
