"""The page in a real browser."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from duonas.report.html import write_report

from .browser import Browser
from .fabricate import EVIL, fabricate

NAMES = "[...document.querySelectorAll('.vega, .drawing svg')].map(e => e.getAttribute('aria-label'))"
MOVING = ("#tradeoff", "#routing", "#calibration", "#threshold", "#latency")  # sections that follow the slider


def open_drawn(browser: Browser, page: Path, width: int = 1400) -> None:
    """Open a page and wait until all charts are drawn, also those far below the screen."""
    browser.open(page, width=width)
    browser.draw()


def pictures(browser: Browser) -> list[list[float]]:
    """Width and height of each chart and drawing that is shown."""
    shown = "[...document.querySelectorAll('.vega svg, .drawing svg')].map(e => e.getBoundingClientRect())"
    sizes: list[list[float]] = browser.run(f"{shown}.filter(r => r.width || r.height).map(r => [r.width, r.height])")
    return sizes


def check_whole(browser: Browser, page: Path, width: int) -> None:
    """Nothing sticks out, nothing is asked for, nothing is complained about, and no number is none."""
    assert browser.run("document.querySelectorAll('.vega').length === document.querySelectorAll('.vega svg').length")
    assert all(each[0] > 250 and each[1] > 100 for each in pictures(browser))
    assert browser.run("document.documentElement.scrollWidth") == width
    assert [url for url in browser.requests if not url.startswith("data:image/png")] == [page.resolve().as_uri()]
    assert browser.complaints == []
    assert browser.run("document.body.innerText.match(/NaN|undefined|\\bnull\\b|None|Infinity/)") is None


def test_the_page_is_whole_is_told_to_screen_readers_and_follows_the_slider(browser: Browser, ten: Path) -> None:
    page = ten / "report.html"
    open_drawn(browser, page)
    check_whole(browser, page, 1400)
    assert len(pictures(browser)) == 18  # seventeen charts, and one of two drawings of the blocks
    names = browser.run(NAMES)
    assert len(names) == 19 and all(names) and names[0].startswith("Test accuracy against expected MACs")
    tables = browser.run("[...document.querySelectorAll('details.behind')].map(e => e.querySelectorAll('td').length)")
    assert len(tables) == 12 and all(tables)

    def look() -> dict[str, str]:
        return {each: browser.run(f"document.querySelector('{each} .vega').outerHTML.length + "
                                  f"document.querySelector('{each}').innerHTML") for each in MOVING}  # fmt: skip

    measured, lines = look(), browser.run("JSON.parse(document.getElementById('thresholds').textContent).lines")
    for step, role in ((0, "little"), (len(lines) - 1, "big")):
        browser.run(f"tau.value = {step}; tau.dispatchEvent(new Event('input')); new Promise(r => setTimeout(r, 300))")
        assert browser.run("document.getElementById('at-tau').textContent") == lines[step]
        assert browser.run("[...document.querySelectorAll('.shot')].map(e => e.classList[1])") == [role] * len(
            browser.run("[...document.querySelectorAll('.shot')].map(e => 0)")
        )
        now = look()
        assert all(now[each] != measured[each] for each in MOVING)
    hidden = "[...document.querySelectorAll('.gallery')].filter(e => e.parentElement.hidden).map(e => e.dataset.kind)"
    assert browser.run(hidden) == ["easy"]  # all go to big
    browser.run("measured.click(); new Promise(r => setTimeout(r, 300))")
    assert look() == measured


def test_hovering_shows_values_and_the_keyboard_reaches_the_slider(browser: Browser, ten: Path) -> None:
    open_drawn(browser, ten / "report.html")
    browser.run("document.documentElement.style.scrollBehavior = 'auto'")
    expected = {
        "#tradeoff .layer_8_marks path": ["at the slider", "Little share"],
        "#routing .layer_0_marks path:nth-of-type(38)": ["Score from", "Images where little is right"],
        "#latency .layer_0_marks path": ["p99 (ms)"],
    }
    for selector, texts in expected.items():
        x, y = browser.run(
            f"(() => {{ const e = document.querySelector('{selector}'); e.scrollIntoView({{block: 'center'}});"
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        browser.run("new Promise(done => setTimeout(done, 50))")
        browser.point(x, y)
        browser.run("new Promise(done => setTimeout(done, 50))")
        shown = browser.run("document.getElementById('vg-tooltip-element').innerText")
        assert all(text in shown for text in texts), (selector, shown)
    assert browser.run("tau.focus(), document.activeElement === tau && tau.type === 'range'")  # so arrow keys move it
    line = browser.run("document.getElementById('at-tau').textContent")
    assert browser.run("tau.getAttribute('aria-valuetext')") == line
    assert browser.run("[...document.querySelectorAll('#blocks .block title')].some(e => /kernel/.test(e.textContent))")


def test_injected_code_stays_text_on_a_phone(browser: Browser, evil: Path) -> None:
    page = evil / "report.html"
    open_drawn(browser, page, width=390)
    check_whole(browser, page, 390)
    assert browser.run("window.injected") is None
    assert browser.run("[...document.scripts].filter(e => !e.type).length") == 2
    assert any(EVIL in tip for tip in browser.run("[...document.querySelectorAll('.shot')].map(e => e.title)"))
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


def test_a_table_that_a_phone_cuts_off_has_a_shadow_there_and_takes_the_keyboard(browser: Browser, ten: Path) -> None:
    browser.open(ten / "report.html", width=390)
    box = "document.querySelector('#verdict .table')"
    assert browser.run(f"{box}.scrollWidth > {box}.clientWidth")
    assert browser.run(f"getComputedStyle({box}).backgroundAttachment") == "local, local, scroll, scroll"
    browser.run(f"{box}.focus()")
    assert browser.run(f"document.activeElement === {box}")


def test_a_hundred_classes_scroll_in_a_box_of_their_own(browser: Browser, hundred: Path) -> None:
    browser.open(hundred / "report.html")
    browser.draw("#routing .scroll .vega")
    box = "document.querySelector('.charts.scroll')"
    assert browser.run(f"{box}.clientHeight") <= 640 < browser.run(f"{box}.scrollHeight")
    labels = f"[...{box}.querySelectorAll('.role-axis-label text')].filter(e => /kind of animal/.test(e.textContent))"
    assert browser.run(f"{labels}.length") == 200  # each name stands before both charts
    assert browser.complaints == []


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
    open_drawn(browser, write_report(run))
    assert browser.complaints == []
    assert len(pictures(browser)) == 1 and browser.run("document.querySelector('.slider')") is None


def test_without_a_browser_the_tests_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="apt install chromium"):
        Browser()
