"""The section on the data, against the report that it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from duonas.core.files import read_json, write_json
from duonas.data.listing import Problem, Skipped
from duonas.data.report import report_data
from duonas.report.data import data
from duonas.report.formatting import THIN
from duonas.report.html import write_report
from support.listings import inspected, known, listed


def plain(text: str) -> str:
    return text.replace(THIN, " ")


@pytest.fixture
def found() -> dict:
    skipped = tuple(Skipped(f"{number}.txt", "not an image format") for number in range(12))
    listing = listed({"cat": 900, "dog": 300, "<b>": 300}, skipped=skipped)
    facts = known(listing)
    facts.pixels[0] = facts.pixels[3]
    lost = Problem("broken", "1 image cannot be read", ("cat/7 (truncated)",), error=True)
    return report_data(inspected(listing, facts, (lost,), image_size=96)).to_json()


def test_the_section_says_what_the_report_says(found: dict) -> None:
    section = data(found)
    assert plain(section.intro) == (
        "1 500 images in 3 classes, 64 × 48 pixels, stored as RGB, 8 bits (1 500). The networks see 96 × 96 pixels "
        "(the centre square). 100.0 % of the images are smaller than that."
    )
    assert [list(map(plain, row)) for row in section.splits.rows] == [
        ["train", "375", "75 to 225", "60.0 %", "–", "split off"],
        *([name, "375", "75 to 225", "60.0 %", "± 5.2 points", "split off"] for name in ("val", "calib", "test")),
    ]
    assert list(map(list, section.classes.rows))[1] == ["dog", "300", "75", "75", "75", "75"]
    assert [message for message, _ in section.problems] == [
        "1 image cannot be read.",
        "1 test image is also in train, val or calib, so the accuracy measured on test is too high.",
    ]
    assert section.beware == [section.problems[1][0]]
    ((reason, names),) = section.skipped
    assert reason == "12 files not used: not an image format."
    assert names.startswith("0.txt, 1.txt") and names.endswith("9.txt and 2 more, which data.json names")


def test_sizes_that_differ_are_a_range(found: dict) -> None:
    found["all"] |= {"different_sizes": 2, "smallest": [8, 9], "largest": [640, 1480]}
    assert "8 × 9 to 640 × 1 480 pixels" in plain(data(found).intro)


def test_many_classes_are_folded(found: dict) -> None:
    assert not data(found).folded
    listing = listed({f"class {number}": 4 for number in range(30)})
    assert data(report_data(inspected(listing)).to_json()).folded


def test_a_leak_stands_at_the_top_of_the_page(run: Path) -> None:
    page = write_report(run).read_text()
    sentence = "Beware: 1 test image is also in train, val or calib"
    assert page.index(sentence) < page.index("<nav") and "airplane/0 (train) = airplane/3 (test)" in page


def test_the_page_of_sound_data_has_no_warnings(run: Path) -> None:
    found = read_json(run / "data.json")
    write_json(run / "data.json", found | {"problems": [], "skipped": []})
    page = write_report(run).read_text()
    assert "Beware" not in page and "<h3>Warnings" not in page and "<h3>Not used" not in page


def test_names_of_classes_and_files_are_escaped(run: Path, found: dict) -> None:
    found["skipped"][0]["name"] = "<img src=x>"
    write_json(run / "data.json", found)
    page = write_report(run).read_text()
    assert "&lt;b&gt;" in page and "<td><b>" not in page and "<img src=x>" not in page


def test_a_class_that_is_called_big_is_not_the_network(run: Path) -> None:
    listing = listed({"big": 40, "little": 40})
    write_json(run / "data.json", report_data(inspected(listing)).to_json())
    page = write_report(run).read_text()
    assert "<td>big</td>" in page and '<i class="key box big"></i>big' in page
