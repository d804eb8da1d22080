"""The page of a topology run: cells, what the training prefers, ranked archs."""

from __future__ import annotations

import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

import duonas
from duonas.core.cell import EDGES, OPERATIONS
from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_json, write_text
from duonas.report.figures.cells import edges_of, reaching
from duonas.report.figures.ranking import Ranked, scatter
from duonas.report.html import write_report
from duonas.rundir.folder import RunFolder

from .browser import Browser
from .fabricate import BIG, LITTLE, fabricate, topology


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of cells with its report; not to be changed."""
    folder = topology(fabricate(tmp_path_factory.mktemp("runs") / "cells", images=300))
    write_report(folder)
    return folder


@given(st.lists(st.sampled_from(OPERATIONS), min_size=6, max_size=6))
def test_an_edge_is_alive_where_some_way_through_it_goes_from_input_to_output(operations: list[str]) -> None:
    ways = [(0, 3), (0, 1, 3), (0, 2, 3), (0, 1, 2, 3)]
    expected = set()
    for way in ways:
        edges = [EDGES.index(edge) for edge in pairwise(way)]
        if all(operations[place] != "none" for place in edges):
            expected |= set(edges)
    assert reaching(operations) == expected


def test_the_page_says_in_words_what_the_cells_are(cells: Path) -> None:
    page = (cells / "report.html").read_text()
    spoken = "in to 1 skip, in to 2 none, 1 to 2 1×1 conv, in to out skip, 1 to out 3×3 pool, 2 to out none"
    assert f'aria-label="The cell of little: {spoken}"' in page
    assert "the faint ones do not lead from the input to the output" in page
    assert page.count('class="edge idle"') == 2 * 3  # twice: the wide drawing and the narrow one
    assert f'<td class="words">{LITTLE}</td>' in page and f'<td class="words">{BIG}</td>' in page


def test_the_page_says_what_each_edge_prefers(cells: Path) -> None:
    page, beta = (cells / "report.html").read_text(), read_json(cells / "beta.json")
    row = beta["edge01.operation"]
    best = max(row, key=row.get)
    assert best == "nor_conv_3x3"
    assert f"What each edge of the cell prefers: in to 1 3×3 conv {100 * row[best]:.0f}\u202f%" in page
    assert edges_of(dict(reversed(beta.items()))) == edges_of(beta) == list(beta.values())


def test_axes_that_are_no_cells_are_a_table(tmp_path: Path) -> None:
    axes = {"stage1.kernel": {"3": 0.7, "5": 0.2, "7": 0.1}, "stage1.form": {"<b>ib</b>": 1.0}}
    page = write_report(topology(fabricate(tmp_path / "run", images=200), axes=axes)).read_text()
    assert "<td>stage1.kernel</td><td>3</td><td>70.0\u202f%</td><td>5: 20\u202f%, 7: 10\u202f%</td>" in page
    assert "&lt;b&gt;ib&lt;/b&gt;" in page and "What each edge of the cell prefers" not in page


def test_a_run_of_sizes_has_neither_cells_nor_ranking(tmp_path: Path) -> None:
    page = write_report(fabricate(tmp_path / "run", images=200)).read_text()
    assert not any(text in page for text in ("The cell of", "the training prefers", 'id="ranking"', "#ranking"))


@pytest.mark.parametrize("found", [[1], {"a": 3}, {"a": {"b": "c"}}, {"a": {"b": None}}])
def test_preferences_that_are_none_are_refused_by_name(tmp_path: Path, found: object) -> None:
    folder = fabricate(tmp_path / "run", images=200)
    write_json(folder / "beta.json", found)
    with pytest.raises(DuonasError, match=r"beta.json is damaged: expected the probabilities"):
        write_report(folder)


def test_every_tau_stands_beside_those_of_params_and_macs_with_the_number_of_archs(cells: Path) -> None:
    page, found = (cells / "report.html").read_text(), read_json(cells / "ranking/ranking.json")
    for figure in found["agreement"].values():
        rates = "</td><td>".join(f"{figure[kind]:.3f}" for kind in ("kendall", "spearman"))
        assert f"<td>{rates}</td><td>400</td>" in page
    assert f"Kendall&#39;s τ with the table is {found['agreement']['accuracy']['kendall']:.3f} over 400 archs" in page
    assert f"{100 * found['regret'][0]['regret']:.2f} points" in page


def test_the_bars_of_the_difference_are_the_means_by_rank(cells: Path) -> None:
    page = (cells / "report.html").read_text()
    columns = parquet.read_table(cells / "ranking/archs.parquet").to_pydict()
    ours, theirs = np.array(columns["accuracy"]), np.array(columns["table"])
    best = np.argsort(-theirs, kind="stable")[:20]
    mean = 100 * (ours - theirs)[best].mean()
    row = re.search(r"<td>1</td><td>20</td><td>([0-9.]+).%</td><td>[0-9.]+.%</td><td>(.)([0-9.]+) points</td>", page)
    assert row and {"−": -1, "+": 1}[row[2]] * float(row[3]) == pytest.approx(mean, abs=0.051)
    assert float(row[1]) == pytest.approx(100 * ours[best].mean(), abs=0.051)


def test_a_top_ranked_arch_that_the_table_puts_far_below_is_drawn_at_its_place() -> None:
    count = 40
    table, accuracy = np.linspace(0.9, 0.92, count), np.linspace(0.5, 0.6, count)
    table[0], accuracy[0] = 0.3, 0.7
    rows = Ranked([f"arch {i}" for i in range(count)], accuracy, table, np.ones(count), np.ones(count), "val")
    drawn = scatter(
        rows, {"archs": count, "agreement": {name: {"kendall": 0.1} for name in ("accuracy", "params", "macs")}}
    )
    (spec,) = drawn.charts
    (top,) = (row for row in spec["datasets"]["rows"] if row["top"])
    low, high = spec["layer"][-1]["encoding"]["x"]["scale"]["domain"]
    assert top["x"] == 0.3 and low <= 0.3 and high < 0.96 and drawn.table.rows[0][0] == "arch 0"


@pytest.mark.parametrize("roles", [("little",), ("big", "little")])
def test_littles_have_a_section_of_their_own(tmp_path: Path, roles: tuple[str, ...]) -> None:
    folder = topology(fabricate(tmp_path / "run", images=200))
    whole = shutil.move(folder / "ranking", tmp_path / "ranked")
    for role in roles:
        into = folder / "ranking" / ("" if role == "big" else role)
        shutil.copytree(whole, into, dirs_exist_ok=True)
        found = read_json(into / "ranking.json") | {"role": role, "branches_off_after": 2 * (role == "little")}
        write_json(into / "ranking.json", found)
    page = write_report(folder).read_text()
    assert 'href="#ranking"' in page and page.count('id="ranking"') == 1
    assert page.count("as littles that branch off after stage 2, evaluated with the weights of the supernet") == 1
    assert ("<h2>Ranking</h2>" in page) is ("big" in roles) and "<h2>Ranking of littles</h2>" in page


def test_a_ranking_without_a_table_and_one_of_a_single_arch(tmp_path: Path) -> None:
    page = write_report(topology(fabricate(tmp_path / "run", images=200), table=False)).read_text()
    assert (
        "Kendall&#39;s τ of the accuracy with trivial predictors over" in page
        and "What sharing weights costs" not in page
    )
    page = write_report(topology(fabricate(tmp_path / "one", images=200), archs=1)).read_text()
    assert "over 1 arch" in page and "over 1 archs" not in page and "–" in page


def test_all_of_it_is_drawn(browser: Browser, cells: Path) -> None:
    browser.open(cells / "report.html", width=1400)
    browser.draw()
    shown = "[...document.querySelectorAll('.vega svg, .drawing svg')].filter(e => e.getBoundingClientRect().width)"
    assert browser.run(f"{shown}.length") == 17 + 3 + 4  # three of the ranking; two cells, what is preferred, blocks
    assert browser.run("document.documentElement.scrollWidth") == 1400
    assert browser.complaints == []
    assert browser.run("(u => u.scrollWidth <= u.clientWidth)(document.querySelector('nav ul'))")  # all links in sight
    assert browser.run("document.body.innerText.match(/NaN|undefined|None|Infinity/)") is None
    outside = (
        "[...document.querySelectorAll('#blocks .edge text')].map(e => [e.getBoundingClientRect(), "
        "e.closest('svg').getBoundingClientRect()]).filter(([r, s]) => r.width && (r.left < s.left || "
        "r.right > s.right || r.top < s.top || r.bottom > s.bottom)).length"
    )
    assert browser.run(outside) == 0
    tips = browser.run("[...document.querySelectorAll('#blocks .wide .edge > title')].map(e => e.textContent)")
    assert tips[0] == "in to 1\nskip" and tips[1] == "in to 2\nnone"


def test_a_ranked_run_shows_it_in_its_report_at_once(tmp_path: Path) -> None:
    overrides = ["space.name=nasbench201", "space.preset=nasbench201-small", "space.channels=4", "train.rule=uniform",
                 "train.epochs=1", "search.recalibration_images=32"]  # fmt: skip
    recipe = duonas.load_recipe("digits", overrides)
    folder = duonas.run(recipe, tmp_path / "run", until="train")
    duonas.rank(folder, 3)
    assert not (folder / "report.html").exists()  # a run that was not measured has none
    measured = fabricate(tmp_path / "other", images=200) / "measure.json"
    shutil.copyfile(measured, folder / "measure.json")
    with RunFolder.open(folder, recipe) as run:
        run.finish("report", [write_text(run.report, "old")])
    duonas.rank(folder, 5)
    assert (
        "5 of the 15\u202f625 archs, evaluated with the weights of the supernet" in (folder / "report.html").read_text()
    )
    assert RunFolder(folder).is_done("report")


def test_what_each_of_two_towers_prefers_is_drawn_on_a_cell_of_its_own(tmp_path: Path) -> None:
    row = dict(zip(OPERATIONS, (0.1, 0.1, 0.1, 0.3, 0.4), strict=True))
    axes = [f"edge{source}{node}.operation" for source, node in EDGES]
    both = {f"{role} {axis}": row for role in ("big", "little") for axis in axes}
    page = write_report(topology(fabricate(tmp_path / "run", images=200), axes=both)).read_text()
    assert "What the training prefers in little" in page and "What the training prefers in big" in page
    assert "<th>Axis</th>" not in page
