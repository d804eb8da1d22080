"""Which recipe or run a command means where both have a name."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from duonas.cli import stages
from duonas.cli.app import app
from duonas.recipe.read import default_folder, load


@pytest.mark.parametrize("files", [("recipe.toml", "stages.json"), ("recipe.toml",), ()])
@pytest.mark.parametrize(("command", "looks_at_runs"), [("report", True), ("measure", True), ("run", False)])
def test_a_run_in_the_current_folder_comes_before_a_recipe_where_a_run_is_looked_at(
    command, looks_at_runs, files, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    for name in files:
        (tmp_path / "digits" / name).write_text("seed = 3\n" if name == "recipe.toml" else '{"version": 1}')
    named = []
    monkeypatch.setattr(stages, "carry_out", lambda name, *_, **__: named.append(name))
    assert CliRunner().invoke(app, [command, "digits"]).exit_code == 0
    meant_run = looks_at_runs and len(files) == 2
    assert default_folder(named[0]).as_posix() == ("digits" if meant_run else "runs/digits")
    assert load(named[0], new=True).seed == (3 if meant_run else 0)


def test_help_says_so():
    for command in ("report", "measure"):
        said = " ".join(CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output.split())
        assert "A run in the current folder comes before a shipped recipe of the same name." in said
