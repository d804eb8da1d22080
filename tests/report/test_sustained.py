"""Sections of devices under load: what they say, and that a browser shows them."""

from __future__ import annotations

import pytest

from duonas.report.html import write_report
from duonas.report.sustained import intro, section, sections
from support.report_benches import bench, write_bench

from .browser import Browser
from .fabricate import fabricate

MEASURED = {"tau": 0.4, "test_images": 1000} | {
    role: {"accuracy": accuracy, "macs": 1000, "expected_macs": 1000, "little_share": 0.7}
    for role, accuracy in (("routed", 0.9), ("big", 0.905), ("little", 0.8))
}


def test_it_says_what_was_done_and_whether_the_device_bore_it():
    said = intro(bench())
    for part in (
        "300\u202f000 images in 5\u202fmin 00\u202fs, one after the other, with onnxruntime 1.24",
        "its answers on 32 stored images were those of the export, to within 2.0e-06",
        "became slower: the mean time of an image in the last tenth of the time is 1.40 × that of the first tenth",
        "memory of the process grew by 6.00\u202fMB", "An image took 3.10\u202fmJ, measured by powercap (package-0)",
    ):  # fmt: skip
        assert part in said, part


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"self_test": None}, "Its answers were not checked"),
        ({"interrupted": True}, "It was stopped before its time."),
        ({"windows": bench()["windows"][:30]}, "It stayed steady: the mean time of an image in the last tenth"),
        ({"windows": bench()["windows"][::-1]}, "It became faster"),
        ({"summary": bench()["summary"] | {"dropped": 7}}, "7 frames came while another was classified"),
        ({"summary": bench()["summary"] | {"memory_growth": -1000}}, "did not grow: it changed by 1.00\u202fKB"),
        ({"load": {"fps": 10}}, "as frames of a camera, 10.0 a second"),
        ({"energy": {"meter": "watts", "watts": 5.0}}, "the 5.00\u202fW that were given; no energy was measured"),
    ],
)
def test_it_says_nothing_that_is_not_so(changes, part):
    assert part in intro(bench(**changes)) and part not in intro(bench())


def test_a_machine_that_tells_nothing_has_less_to_show():
    told, silent = (section("board", bench(told=told), 0, MEASURED) for told in (True, False))
    assert [each.title for each in told.figures] == ["Throttling", "Timeline of the latency", "Memory"]
    assert [each.title for each in silent.figures] == ["Throttling", "Timeline of the latency"]
    names = [row[0] for row in told.table.rows]
    assert {"Temperature", "Clock", "Memory", "Energy an image", "Power"} <= set(names)
    assert [row[0] for row in silent.table.rows] == [name for name in names if name not in names[-5:]]
    assert [each["description"].partition(" over")[0] for each in told.figures[0].charts] == [
        "Images a second", "Temperature (°C)", "Clock (MHz)",
    ]  # fmt: skip
    assert len(silent.figures[0].charts) == 1
    assert "does not tell its temperature" in silent.figures[0].caption and "mJ" not in intro(bench(told=False))


def test_several_results_of_one_device_are_told_apart():
    one, other = bench(2), bench(2, machine=bench()["machine"] | {"device": "Laptop"})
    titles = [each.title for each in sections({"fast": one, "laptop": other, "camera": one}, MEASURED)]
    assert titles == ["On Board <5> (fast)", "On Laptop", "On Board <5> (camera)"]


def test_one_window_is_enough():
    found = section("board", bench(1), 0, MEASURED)
    assert all("nan" not in str(each.charts) and len(each.table.rows) == 1 for each in found.figures)


def test_one_window_in_which_the_machine_did_something_else_makes_no_device_slow():
    windows = bench(30)["windows"][:20]
    windows[-1] = windows[-1] | {"images_per_s": 500.0, "mean_ms": 2.0, "p99_ms": 900.0}
    found = section("board", bench(windows=windows), 0, MEASURED)
    steady = "It stayed steady: the mean time of an image in the last tenth of the time is 1.00 × that of the first"
    assert steady in found.intro and steady in found.figures[0].caption
    assert "%" not in found.figures[0].caption
    (spec,) = found.figures[1].charts
    assert spec["layer"][0]["encoding"]["y"]["scale"]["type"] == "log"  # p50 and p95 stay apart beside a p99 of 900 ms


def test_the_verdict_is_that_of_the_times_of_the_device():
    found = section("board", bench(), 0, MEASURED)
    assert found.verdict.startswith(
        "On this device: routed 0.12 ms, big 0.25 ms, little 0.06 ms an image: routing is 2.1 times as fast as big. "
        "Routing pays: it is 2.08 times as fast as big"
    )
    assert found.networks is not None and [row[0] for row in found.networks.rows] == ["Routed", "Big", "Little"]
    old = section("board", bench(times=None), 0, MEASURED)
    assert old.networks is None and "were not timed" in old.verdict


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_every_device(browser: Browser, tmp_path, width):
    run = fabricate(tmp_path / "run", images=200)
    write_bench(run, "board")
    write_bench(run, "laptop", told=False, machine=bench()["machine"] | {"device": "Laptop"})
    browser.open(write_report(run), width=width)
    assert browser.complaints == []
    heads = browser.run("[...document.querySelectorAll('section h2')].map(each => each.textContent)")
    assert [each for each in heads if each.startswith("On ")] == ["On Board <5>", "On Laptop"]
    assert browser.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_without_devices_the_page_has_neither_section_nor_link(tmp_path):
    page = write_report(fabricate(tmp_path / "run", images=200)).read_text()
    assert "On this device" not in page and 'href="#device"' not in page
