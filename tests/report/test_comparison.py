"""The page of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from duonas.report.comparison import write_comparison

from .browser import Browser
from .fabricate import EVIL


def found(seeds: int) -> dict[str, Any]:
    """Three variants, one with a name that would break a page; made-up accuracies."""
    variants = []
    for at, name in enumerate(("trained apart", EVIL, "a name that is much too long to stand before its row " * 2)):
        runs = {role: [0.5 + 0.03 * at + 0.01 * seed for seed in range(seeds)] for role in ("little", "routed", "big")}
        runs |= {"oracle": [0.9] * seeds, "expected_macs": [8e5] * seeds, "little_share": [0.6] * seeds}
        runs |= {"auroc": [0.8] * seeds, "peak_macs": [2e6] * seeds}
        std = 0.01 if seeds > 1 else None
        figures = {role: {"mean": sum(values) / seeds, "std": std} for role, values in runs.items()}
        over = {role: {"mean": 0.03 * at, "std": std and 0.0} for role in runs}
        variants.append({"name": name, "runs": runs, "figures": figures, "over_first": over})
    return {"name": "mine", "title": "Is it <b>so</b>?", "conclusion": "It is.\n\nReally.", "seeds": list(range(seeds)),
            "variants": variants}  # fmt: skip


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_page_is_whole_on_every_screen(browser: Browser, tmp_path: Path, seeds: int, width: int) -> None:
    page = write_comparison(found(seeds), tmp_path / "mine.html")
    browser.open(page, width=width)
    assert browser.run("document.documentElement.scrollWidth") == width
    assert browser.run("document.body.innerText.match(/NaN|undefined|None|Infinity/)") is None
    assert browser.run("window.injected") is None and browser.complaints == []
    assert browser.run("document.querySelector('h1').textContent") == "Is it <b>so</b>?"
    browser.draw()
    assert browser.run("document.querySelectorAll('.vega .layer_0_marks path').length") == 3 * 3 * seeds
    rows = "[...document.querySelectorAll('table')[{}].tBodies[0].rows]"
    assert browser.run(rows.format(2) + ".length") == 3 * seeds
    cells = browser.run(rows.format(1) + ".map(r => [...r.cells].map(c => c.textContent))")
    assert cells[0][4] == "–" and cells[2][4].startswith("+6.0")  # points over the first variant
    assert cells[0][1] == ("50.00" if seeds == 1 else "51.00 ± 1.00")
