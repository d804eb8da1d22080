"""Each kind of drawing, of runs that are made up."""

from __future__ import annotations

import json
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from duonas.core.errors import DuonasError
from duonas.paper.drawings.curve import SHARES, compared
from duonas.paper.drawings.recipes import settings
from duonas.paper.drawings.report import _stem
from duonas.paper.drawings.scatter import related
from duonas.paper.drawings.space import SpaceSize
from duonas.paper.drawings.table import Column, FigureTable, Rows
from duonas.paper.element import load_element
from duonas.paper.make import make
from duonas.paper.runs import Finished, Run
from duonas.recipe.study import load_study

from .conftest import Trained, made_up

FIGURE = """
section = "5"
studies = { digits = "studies/digits-apart.toml" }

[[parts]]
title = "curve"
kind = "curve"

[[parts]]
title = "time"
kind = "curve"
cost = "ms"
variants = ["shared"]

[[parts]]
title = "energy"
kind = "curve"
cost = "mj"

[[parts]]
title = "archs"
kind = "scatter"
rows = [{ of = "archs", variants = ["shared"] }]
x = [{ title = "MACs", figure = "macs", kind = "count" }]
y = [{ title = "Accuracy", figure = "accuracy", kind = "percent" }]

[[parts]]
title = "report"
kind = "report"
figures = ["examples", "calibration", "blocks", "networks"]

[[parts]]
title = "recipes"
kind = "recipes"
tables = ["train", "finetune"]

[[parts]]
title = "budgets"
kind = "table"
columns = [
    { title = "little's", figure = "macs", kind = "count", budget = 1e3 },
    { title = "any", figure = "accuracy", kind = "percent", budget = 1e12 },
]

[[parts]]
title = "classes"
kind = "table"
rows = [{ of = "trials", name = "{number} {unknown}", variants = ["apart"] }]
columns = [{ title = "Share", figure = ["share", "little_share"], kind = "percent" }]
"""


@pytest.fixture(scope="module")
def drawn(elements, tmp_path_factory):
    """The parts by title, and the folder of their files."""

    folder = tmp_path_factory.mktemp("drawn")
    (elements / "own" / "studies").mkdir(parents=True)
    (elements / "own" / "recipes").mkdir()
    for name in ("studies/digits-apart.toml", "recipes/small.toml"):
        (elements / "own" / name).write_text((elements / name).read_text())
    (elements / "own" / "figure-1.toml").write_text(FIGURE)
    element = load_element(elements / "own" / "figure-1.toml")
    with pytest.MonkeyPatch.context() as patch:
        made_up(patch, Trained())
        patch.setattr(import_module("duonas.paper.write"), "find_spec", lambda name: None)  # which takes seconds
        shown, written = make(element, folder)
    return {part.title: each for part, each in shown}, folder, written


def run_of(folder, variant="shared", seed=0):
    place = folder / "digits-apart" / variant / f"seed-{seed}"
    return json.loads((place / "measure.json").read_text())


def test_a_curve_runs_from_little_to_big_and_beside_it_stand_both(drawn):
    shown, folder, _ = drawn
    values = shown["curve"].values["digits"]
    cost, accuracy = values["lines"]["shared"]
    runs = [run_of(folder, seed=seed) for seed in (0, 1)]
    assert accuracy[0] == pytest.approx(np.mean([run["little"]["accuracy"] for run in runs]))
    assert accuracy[-1] == pytest.approx(np.mean([run["big"]["accuracy"] for run in runs]))
    assert cost == sorted(cost) and len(cost) <= len(SHARES)
    assert cost[-1] == pytest.approx(np.mean([run["routed"]["peak_macs"] for run in runs]), rel=1e-6)
    dots = {dot["name"]: dot for dot in values["dots"]}
    assert dots["big, shared"]["cost"] == runs[0]["big"]["macs"]
    assert sum("than apart" in note or "than shared" in note for note in shown["curve"].notes) == 1
    assert len(shown["curve"].figures[""].charts[0]["datasets"]["lines"]) >= 2 * len(cost)


def test_times_are_the_measured_one_where_it_was_measured_and_unknown_energies_are_said(drawn):
    shown, folder, _ = drawn
    cost, accuracy = shown["time"].values["digits"]["lines"]["shared"]
    run = run_of(folder)
    assert min(cost) >= run["little"]["latency_ms"]["mean"] and list(shown["time"].values["digits"]["lines"]) == [
        "shared"
    ]
    assert np.interp(run["routed"]["latency_ms"]["mean"], cost, accuracy) == pytest.approx(
        np.mean([run_of(folder, seed=seed)["routed"]["accuracy"] for seed in (0, 1)]), abs=0.02
    )
    assert shown["energy"].notes == ["digits: no finished run has a mean energy of an image."]


def test_points_are_related(drawn):
    shown, _, written = drawn
    (figure,) = shown["archs"].figures.values()
    assert figure.caption.startswith("digits: 240 points, Kendall's tau 0.")
    assert [path.suffix for path in written.files] == [".md", ".tex", ".json", ".html"]
    assert "pip install 'duonas[figures]'. The charts are in" in written.said
    assert related([1, 2, 3], [3.0, 2.0, 1.0]) == "3 points, Kendall's tau −1.000, Spearman's rho −1.000."
    assert related([1, 1], [1, 2]) == "2 points, all alike in one of both."


def test_parts_of_the_report_are_those_of_one_run(drawn):
    shown, folder, _ = drawn
    report = shown["report"]
    assert "digits: apart, seed 0." in report.notes and sorted(report.figures)[:2] == ["blocks", "calibration-1"]
    assert list(report.tables) == ["networks"] and sum(len(group.examples) for group in report.images) > 0
    assert "The images are in [figure-1.html](figure-1.html)." in (folder / "figure-1.md").read_text()
    assert "data:image/png" in (folder / "figure-1.html").read_text()


def test_settings_say_where_variants_differ(drawn, elements):
    shown, *_ = drawn
    rows = {row[0]: row[1] for row in shown["recipes"].tables[""].rows}
    assert rows["train.epochs"] == "1" and rows["finetune.mode"] == "independent; shared: none"
    assert all(key.startswith(("train.", "finetune.")) for key in rows)
    assert settings(load_study(elements / "studies" / "digits-apart.toml"))["train.ema"] == "0.999"


def test_a_budget_takes_the_best_threshold_of_calib_and_measures_it_on_test(drawn):
    shown, folder, _ = drawn
    (table,) = shown["budgets"].tables.values()
    runs = [run_of(folder, seed=seed) for seed in (0, 1)]
    reached = np.mean([run["big"]["accuracy"] for run in runs])  # the policies say that big is best
    assert table.rows[1][1] == "–" and table.rows[1][2].startswith(f"{100 * reached:.2f} ± ")


def test_rows_are_the_members_of_a_list_and_a_name_that_is_unknown_is_a_dash(drawn):
    (table,) = drawn[0]["classes"].tables.values()
    assert len(table.rows) == 300 and table.rows[7] == ["7 –", "50.00", "2 of 2"]


def test_figures_become_pictures_where_they_can(elements, drawn, monkeypatch):
    writing, (shown, folder, _) = import_module("duonas.paper.write"), drawn
    saved = {}

    def save(figures, into):
        saved.update(figures)
        return [into / f"{name}.svg" for name in figures]

    monkeypatch.setattr(writing, "save_figures", save)
    element = load_element(elements / "own" / "figure-1.toml")
    written = writing.write(element, list(zip(element.parts, shown.values(), strict=True)), folder)
    assert {"figure-1-1", "figure-1-4", "figure-1-5-blocks"} <= set(saved) and not written.said
    assert "![Accuracy against mean MACs an image](figure-1-1.svg)" in (folder / "figure-1.md").read_text()
    assert r"\includegraphics[width=\linewidth]{figure-1-1.png}" in (folder / "figure-1.tex").read_text()


def test_lines_are_compared_in_the_middle_half_of_what_both_have():
    mine = np.array([0.0, 8.0]), np.array([0.5, 0.9])
    theirs = np.array([0.0, 4.0, 8.0]), np.array([0.5, 0.6, 0.9])
    (said,) = compared({"ours": mine, "theirs": theirs})
    assert said.startswith("In the middle half") and "at 100" in said and "+5.0 points to +10.0 points" in said
    apart = np.array([9.0, 10.0]), np.array([0.1, 0.2])
    assert compared({"ours": mine, "far": apart}) == ["ours and far have no cost in common."]


def test_spaces_are_counted_and_what_cannot_be_is_said(elements, monkeypatch, tmp_path):
    (elements / "own" / "appendix-e.toml").write_text(
        'section = "E"\nkind = "space"\nstudies = { digits = "studies/digits-apart.toml" }'
    )
    element = load_element(elements / "own" / "appendix-e.toml")
    counting = import_module("duonas.paper.drawings.space")
    monkeypatch.setattr(counting, "profile", lambda _: SimpleNamespace(archs=10**9, couplings={"nested": 55}))
    ((_, shown),), _ = make(element, tmp_path)
    assert shown.tables[""].rows == [["digits", "1\u202f000\u202f000\u202f000", "55", "–", "–"]]

    def refused(_):
        raise DuonasError("no images.")

    monkeypatch.setattr(counting, "profile", refused)
    ((_, shown),), _ = make(element, tmp_path)
    assert not shown.tables and shown.notes == ["digits: not counted: no images."]


def test_a_space_is_not_counted_where_that_would_download_images(elements, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    study = load_study(elements / "studies" / "digits-apart.toml", ["data.name=cifar10", "data.path="])
    shown = SpaceSize().draw({"cifar": Finished(study, [])})
    assert shown.notes == ["cifar: not counted: the images of cifar10 are not here yet; a run downloads them."]


def test_names_of_variants_that_differ_behind_a_dot_give_files_of_their_own():
    assert _stem("networks", "v0.25", 0) == "networks-v0-25"


def finished(elements, *found):
    """A study of two seeds, of which the runs of the variant ``apart`` have what is given in ``measure.json``."""
    study = load_study(elements / "studies" / "digits-apart.toml")
    return {"digits": Finished(study, [Run("apart", seed, None, {"measure": each}) for seed, each in enumerate(found)])}


COLUMN = Column("X", "measure.x")
MEMBERS = Rows(of="measure.x", name="{class}")


@pytest.mark.parametrize(
    ("rows", "column", "message"),
    [
        (Rows(), Column("X", "measure.x", over="apar"), "which is no row of digits-apart: did you mean 'apart'"),
        (Rows(), Column("X", "measure.x", "text", over="apart"), "text has no differences"),
        (Rows(name="{class}"), COLUMN, "whole runs have {variant} alone; name by of = what has the key 'class'"),
        (Rows(name="{variant"), COLUMN, "name = '{variant': expected '}' before end of string"),
        (Rows(of="measure.x", name="{class"), COLUMN, "name = '{class': expected '}' before end of string"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_table_is_one_sentence_before_anything_runs(elements, rows, column, message):
    with pytest.raises(DuonasError, match=message):
        FigureTable((column,), (rows,)).check(finished(elements))


@pytest.mark.parametrize(
    ("rows", "found", "message"),
    [
        (Rows(), {"x": {"accuracy": 0.5}}, "'measure.x' is no number but \"{'accuracy': 0.5}\": name a key"),
        (Rows(), {"x": "inf"}, "column 'X': 'measure.x' is no number but 'inf'"),
        (MEMBERS, {"x": 0.5}, "rows of 'measure.x': '0.5' has no keys"),
        (Rows(of="measure.x", name="{class.a}"), {"x": [{"class": 3}]}, "name = '{class.a}': 'int' object has no"),
    ],
)  # fmt: skip
def test_a_figure_that_cannot_be_shown_is_one_sentence(elements, rows, found, message):
    with pytest.raises(DuonasError, match=message):
        FigureTable((COLUMN,), (rows,)).draw(finished(elements, found))


def test_a_difference_from_a_row_that_no_run_has_yet_is_a_dash(elements):
    drawing = FigureTable((Column("X", "x", over="cat"),), (Rows(of="measure.classes", name="{class}"),))
    drawing.check(finished(elements))
    shown = drawing.draw(finished(elements, {"classes": [{"class": "dog", "x": 1.0}]}))
    assert shown.tables[""].rows == [["dog", "–", "1 of 2"]]
    assert "X is unknown: no finished run has a row 'cat'." in shown.notes


def test_a_column_that_fewer_runs_have_than_its_row_is_named(elements):
    shown = FigureTable((COLUMN,)).draw(finished(elements, {"x": 1.0}, {}))
    assert shown.tables[""].rows[0] == ["apart", "1.00", "2 of 2"]
    assert "Not all finished runs have X: apart (1 of 2)." in shown.notes
