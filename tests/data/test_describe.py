"""The data report as people read it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from duonas.data.describe import describe
from duonas.data.listing import Problem, Skipped
from duonas.data.report import report_data
from duonas.report.data import data
from duonas.runtime.prepare import Preparation
from support.listings import broken, inspected, known, listed

NO_IMAGE = "not an image format that is read"


def test_the_whole_report():
    files = (Skipped("a.psd", NO_IMAGE), Skipped("notes", "hidden"), *(Skipped(f"{n}.txt", NO_IMAGE) for n in range(4)))
    listing = listed({"cat": 1600, "Zürich": 800}, skipped=files)
    facts = known(listing, mode=np.tile(["RGB", "L", "L"], 800))
    facts.pixels[1] = facts.pixels[0]
    lost = Problem("broken", "1 image cannot be read", ("cat/9 (truncated)",), error=True)
    assert str(report_data(inspected(listing, facts, (lost,), image_size=64))).splitlines() == [
        "class               train    val  calib   test",
        "cat                   400    400    400    400",
        "Zürich                200    200    200    200",
        "all                   600    600    600    600",
        "largest class       66.7%  66.7%  66.7%  66.7%",
        "accuracy ± points            4.1    4.1    4.1",
        "highest floor                     99.0%",
        "came with the data     no     no     no     no",
        "",
        "sizes: 64 x 48 (2,400)",
        "modes: grey, 8 bits (1,600), RGB, 8 bits (800)",
        "the networks see: 64 x 64 RGB (the centre square); 100% are smaller and are enlarged",
        "skipped: 6 files",
        "  5 not an image format that is read: a.psd, 0.txt, 1.txt and 2 more",
        "  1 hidden: notes",
        "",
        "error: 1 image cannot be read: cat/9 (truncated).",
        "warning: 1 image is in two of train, val and calib, so the search and the threshold take the networks for "
        "more accurate than they are: cat/0 (train) = cat/1 (val).",
    ]


@pytest.mark.parametrize(
    ("size", "small", "line"),
    [
        ((64, 64), 0, "the networks see: 64 x 64 RGB; values 0 to 4095 are scaled to 8 bits"),
        ((64, 64), 1, "the networks see: 64 x 64 RGB; fewer than 1% are smaller and are enlarged; values 0 to"),
        ((80, 64), 0, "the networks see: 64 x 64 RGB (the centre square); values 0 to"),
    ],
)
def test_what_becomes_of_the_images_is_said_where_something_does(size, small, line):
    listing = listed({"cat": 400, "dog": 400})
    width, height = (np.full(800, side, np.int32) for side in size)
    width[:small] = height[:small] = 32
    facts = known(listing, width=width, height=height, mode=np.full(800, "I;16", object))
    found = inspected(listing, facts)
    found = replace(found, preparation=Preparation(64, white=4095.0))
    text, loaded = str(report_data(found)), report_data(found).to_json()
    assert f"\n{line}" in text and "modes: grey, 16 bits (800)\n" in text
    assert loaded["scales"] == {"I;16": 4095.0} and loaded["all"]["modes"] == {"I;16": 800}
    assert ("0 to 4095 are scaled to 8 bits." in data(loaded).intro) and ("centre" in data(loaded).intro) == (
        size[0] > 64
    )


def test_a_split_that_came_with_the_data_is_marked():
    listing = listed({"cat": 400, "dog": 400})
    listing = replace(listing, splits=np.tile(["", "", "", "test"], 200))
    assert "came with the data     no     no     no    yes" in str(report_data(inspected(listing)))
    came = replace(
        listing, splits=np.tile(["train", "train", "train", "test"], 200), root=Path("t"), table=Path("t/a.csv")
    )
    report = report_data(inspected(came))
    assert [cell.strip() for cell in str(report).splitlines()[7].split("  ") if cell] == [
        "came with the data", "yes", "from train", "from train", "yes",
    ]  # fmt: skip
    assert "\ntable: t/a.csv\n" in str(report) and "of t/a.csv in 2 classes" in data(report.to_json()).intro
    assert [row[5] for row in data(report.to_json()).splits.rows] == [
        "the data set's own", "split off train", "split off train", "the data set's own",
    ]  # fmt: skip


def test_of_many_classes_the_largest_and_the_smallest_are_listed():
    lines = describe(report_data(inspected(listed({f"class {n:03}": 400 - n for n in range(300)})))).splitlines()
    assert [line.split("  ")[0] for line in lines[1:26]] == [
        *(f"class {number:03}" for number in range(12)), "... 276 more",
        *(f"class {number:03}" for number in range(288, 300)),
    ]  # fmt: skip


def test_many_sizes_are_a_range_and_the_most_common():
    listing = listed({"cat": 100})
    facts = known(listing, width=np.array([*range(10, 60), *[100] * 50], np.int32))
    text = str(report_data(inspected(listing, facts)))
    assert "sizes: 10 x 48 to 100 x 48, 51 different ones, most often 100 x 48 (50)" in text


def test_more_names_are_given_on_demand():
    listing = listed({"cat": 80, "dog": 80})
    facts = known(listing)
    facts = replace(facts, std=np.where(np.arange(160) < 9, 0, facts.std))
    report = report_data(inspected(listing, facts))
    assert "cat/0, cat/1, cat/2 and 6 more." in describe(report) and "cat/8" not in describe(report)
    assert "more" not in describe(report, names=100).partition("nearly")[2].partition(".")[0]
    assert "cat/7, cat/8." in describe(report, names=100)


def test_long_class_names_are_cut_and_odd_ones_are_text():
    lines = str(report_data(inspected(listed({"x" * 99: 4, "a\udce9": 4})))).splitlines()
    assert lines[1].startswith("x" * 39 + "…  ") and lines[2].startswith("a\\udce9")


def test_a_report_without_skipped_files_says_nothing_of_them():
    listing = listed({"cat": 4, "dog": 4})
    assert "skipped" not in str(report_data(inspected(listing, broken(known(listing), _0="truncated"))))
