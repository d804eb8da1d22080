"""The page in a real browser."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from duonas.report.html import write_report

from .browser import Browser
from .fabricate import EVIL, fabricate

VISIBLE = (
    "[...document.querySelectorAll('.chart svg')].map(s => s.getBoundingClientRect()).filter(r => r.width || r.height)"
)


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("name", ["ten", "hundred", "evil"])
def test_every_figure_is_drawn_and_nothing_leaves_the_page(
    browser: Browser, request: pytest.FixtureRequest, name: str, width: int
) -> None:
    page = request.getfixturevalue(name) / "report.html"
    browser.open(page, width=width)
    sizes = browser.run(f"{VISIBLE}.map(r => [r.width, r.height])")
    assert len(sizes) == 11  # of each figure one drawing is shown, the other is not
    assert all(w > 250 and h > 120 for w, h in sizes)
    assert browser.run("document.documentElement.scrollWidth") == width  # nothing sticks out
    assert [url for url in browser.requests if not url.startswith("data:image/png")] == [page.resolve().as_uri()]
    assert browser.complaints == []
    assert browser.run("document.body.innerText.match(/NaN|undefined|None|Infinity/)") is None


def test_injected_code_stays_text(browser: Browser, evil: Path) -> None:
    browser.open(evil / "report.html")
    assert browser.run("window.injected") is None
    assert browser.run("document.scripts.length") == 1
    tips = browser.run("[...document.querySelectorAll('.shot')].map(e => e.dataset.tip)")
    assert any(EVIL in tip for tip in tips)
    assert browser.run("document.querySelector('.eyebrow').textContent").endswith("<b onclick='x'>&amp;")


def test_a_foreign_script_is_forbidden_even_if_it_got_in(browser: Browser, ten: Path, tmp_path: Path) -> None:
    text = (ten / "report.html").read_text()
    broken = tmp_path / "report.html"
    broken.write_text(
        text.replace("</main>", "<script>window.injected = true</script><img src='http://127.0.0.1:9/x.png'></main>")
    )
    browser.open(broken)
    assert browser.run("window.injected") is None
    assert any("Content Security Policy" in complaint for complaint in browser.complaints)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("#tradeoff .wide circle.ring", "chosen threshold τ"), ("#tradeoff .wide circle.big", "big alone"),
        ("#tradeoff .wide .strip:nth-of-type(40)", "routed at τ"), ("#front .wide circle.ring", "chosen pair"),
        ("#routing .wide .bar:nth-of-type(20)", "score"),
        ("#routing figure:nth-of-type(2) .wide .bar:nth-of-type(3)", "big's loss"),
        ("#routing .wide .row", "test images"),
        ("#calibration .wide circle.little", "calibrated, confidence"),
        ("#threshold .wide .strip:nth-of-type(30)", "expected"),
        ("#examples .shot", "true:"), ("#blocks .block", "kernel"), ("#latency .row", "p99"),
        ("#training .strip:nth-of-type(9)", "epoch"),
    ],
)  # fmt: skip
def test_hovering_shows_values(browser: Browser, ten: Path, selector: str, expected: str) -> None:
    browser.open(ten / "report.html")
    browser.run("document.documentElement.style.scrollBehavior = 'auto'")
    browser.point(1, 1)
    assert browser.run("document.getElementById('tip').hidden") is True
    x, y = browser.run(
        f"(() => {{ const e = document.querySelector('{selector}'); e.scrollIntoView({{block: 'center'}});"
        "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
    )
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    browser.point(x, y)
    box = browser.run(
        "(() => { const t = document.getElementById('tip'), r = t.getBoundingClientRect();"
        "return [t.hidden, t.innerText, r.x, r.y, r.right, r.bottom]; })()"
    )
    assert box[0] is False and expected in box[1]
    assert min(box[2:]) >= 0 and box[4] <= 1400 and box[5] <= 900


def test_figures_have_names_for_screen_readers(browser: Browser, ten: Path) -> None:
    browser.open(ten / "report.html")
    names = browser.run("[...document.querySelectorAll('.chart svg')].map(s => s.getAttribute('aria-label'))")
    assert len(names) == 22 and all(names)
    assert "<title>Test accuracy against expected MACs</title>" in (ten / "report.html").read_text()


def test_a_table_that_a_phone_cuts_off_has_a_shadow_there_and_takes_the_keyboard(browser: Browser, ten: Path) -> None:
    browser.open(ten / "report.html", width=390)
    box = "document.querySelector('#verdict .table')"
    assert browser.run(f"{box}.scrollWidth > {box}.clientWidth")
    assert browser.run(f"getComputedStyle({box}).backgroundAttachment") == "local, local, scroll, scroll"
    browser.run(f"{box}.focus()")
    assert browser.run(f"document.activeElement === {box}")


def test_a_hundred_classes_scroll_in_a_box_of_their_own(browser: Browser, hundred: Path) -> None:
    browser.open(hundred / "report.html")
    box = "document.querySelector('.chart.wide.scroll')"
    assert browser.run(f"{box}.clientHeight") <= 640 < browser.run(f"{box}.scrollHeight")
    names = browser.run(
        f"[...{box}.querySelectorAll('.row text')].map(e => e.getBoundingClientRect()).map(r => [r.left, r.top, "
        "r.bottom])"
    )
    assert len(names) == 100
    assert all(after[1] > before[2] for before, after in pairwise(names))  # no two names overlap
    edge = browser.run(f"{box}.getBoundingClientRect().left")
    assert all(left > edge for left, _, _ in names)  # and none is cut


def test_dark_is_dark(browser: Browser, ten: Path) -> None:
    brightness = []
    for dark in (False, True):
        browser.open(ten / "report.html", dark=dark)
        colour = browser.run("getComputedStyle(document.body).backgroundColor")
        brightness.append(sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))))
    assert brightness[0] > 700 > 120 > brightness[1]


def test_the_page_with_nothing_but_the_measurement(browser: Browser, tmp_path: Path) -> None:
    run = fabricate(tmp_path / "run", images=200)
    for entry in list(run.iterdir()):
        if entry.name != "measure.json":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    browser.open(write_report(run))
    assert browser.complaints == []
    assert browser.run(f"{VISIBLE}.length") == 1


def test_without_a_browser_the_tests_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="apt install chromium"):
        Browser()
