"""``duonas kit``: of a run or an export, and one sentence for anything else."""

from __future__ import annotations

import zipfile

from typer.testing import CliRunner

from duonas.cli.app import app
from duonas.runtime.files import POLICY


def duonas(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_the_kit_of_an_export_is_written(export, tmp_path):
    said = duonas("kit", export(True, "after_little")[2], "--out", tmp_path / "mine.zip")
    assert said.exit_code == 0, said.output
    assert "Self-test passed" in said.output and "SHA-256" in said.output
    with zipfile.ZipFile(tmp_path / "mine.zip") as file:
        assert {name.split("/")[0] for name in file.namelist()} == {"kit"} and file.testzip() is None


def test_what_has_no_bundle_is_told_so(tmp_path):
    (tmp_path / "run").mkdir()
    told = duonas("kit", tmp_path / "run", "--out", tmp_path / "kit.zip")
    assert (
        told.exit_code == 2
        and f"is neither a run nor an export: it holds neither recipe.toml nor {POLICY}" in told.stderr
    )
    (tmp_path / "run" / "recipe.toml").touch()
    told = duonas("kit", tmp_path / "run", "--out", tmp_path / "kit.zip")
    assert told.exit_code == 2 and "has no export yet: finish it first with `duonas export" in told.stderr
    assert not (tmp_path / "kit.zip").exists()


def test_each_kit_names_the_other():
    for command, other in ((["kit"], "see duonas device kit"), (["device", "kit"], "see duonas kit")):
        assert other in " ".join(duonas(*command, "--help").output.split())
