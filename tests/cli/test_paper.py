"""``duonas paper``: what it lists, writes and refuses."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from duonas.cli.app import app

TABLE = """
title = "Routers [/of] [all]"
kind = "table"
studies = { digits = "studies/mine.toml" }
columns = [{ title = "Little", figure = "measure.little.accuracy", kind = "percent" }]
"""
STUDY = 'base = "digits"\n[variants.a]\n[variants.b]\nfinetune.epochs = 3'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "studies").mkdir(parents=True)
    (tmp_path / "mine" / "table-4.toml").write_text(TABLE)
    (tmp_path / "mine" / "table-8.toml").write_text('title = "On a Jetson"\nmissing = "a Jetson Nano."')
    (tmp_path / "mine" / "studies" / "mine.toml").write_text(STUDY)
    return tmp_path


def said(*words):
    found = CliRunner().invoke(app, ["paper", *words], env={"COLUMNS": "200"})
    return found.exit_code, " ".join(found.output.split())


def test_all_are_listed_with_what_is_done_and_what_cannot_be(folder):
    code, text = said("--folder", "mine")
    assert code == 0 and "table-4 Routers [/of] [all] 0 of 2 runs" in text
    assert "table-8 On a Jetson Missing: a Jetson Nano. cannot be made yet" in text


def test_a_table_is_drawn_without_a_run_where_none_is_finished(folder):
    code, text = said("table-4", "--folder", "mine", "--no-run", "--out", "there")
    assert code == 0 and "Not finished: a (seed 0), b (seed 0)." in text and "table-4.md" in text
    assert "| a | – | 0 of 1 |" in (folder / "there" / "table-4.md").read_text()


def test_what_is_missing_is_planned_by_the_time_of_the_processor(folder, monkeypatch):
    planning = import_module("duonas.paper.plan")
    monkeypatch.setattr(planning, "check_study", lambda *_: lambda recipe, watch: None)
    monkeypatch.setattr(planning, "Context", lambda recipe, *_, **more: SimpleNamespace(recipe=recipe, **more))
    monkeypatch.setattr(planning, "timing_of", lambda context: SimpleNamespace(baselines=lambda: 600.0, of=context))
    monkeypatch.setattr(
        planning, "expected",
        lambda timing, before, trained: SimpleNamespace(
            after=600.0, parts={"pair": SimpleNamespace(seconds=600.0 * timing.of.recipe.finetune.epochs)}
        ),
    )  # fmt: skip
    code, text = said("table-4", "--folder", "mine", "--plan", "--set", "finetune.epochs=9")
    assert code == 0 and "digits a 1 1.83 timed steps digits b 1 1.83 timed steps" in text
    assert "table-4: 3.67 core-hours are missing; this machine has" in text and not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["table4", "--folder", "mine"], "there is no table or figure 'table4' in mine: did you mean 'table-4'?"),
        (["table-4"], "there are no tables and figures in benchmarks/paper-d: they come with the repository of duonas"),
        (["mine/table-9.toml"], "there is no paper file mine/table-9.toml."),
        (["mine/studies/mine.toml"], "paper file mine/studies/mine.toml: it has no kind"),
        (["table-4", "--folder", "mine", "--study", "digit"], "table-4 has no study 'digit': did you mean 'digits'?"),
        (["table-4", "--folder", "mine", "--set", "train.epoch=3"], "train"),
    ],
)
def test_bad_names_are_one_sentence(folder, words, sentence):
    code, text = said(*words)
    assert code == 2 and sentence in text and text.startswith("duonas: ")
