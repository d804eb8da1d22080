"""Progress is shown where somebody looks."""

from __future__ import annotations

import pytest
from rich.console import Console

from duonas.api import progress
from duonas.api.progress import watching
from duonas.cli.console import Bars, Lines
from duonas.core.errors import DuonasError
from duonas.core.progress import Silent


@pytest.fixture
def stderr(monkeypatch):
    """Makes stderr a terminal, a notebook or neither."""

    def become(**kind):
        monkeypatch.setattr(progress, "Console", lambda **arguments: Console(**arguments, **kind))

    return become


def test_a_terminal_has_bars_and_a_notebook_lines(stderr, capsys):
    stderr(force_terminal=True)
    assert isinstance(watching(None), Bars)
    stderr(force_jupyter=True)
    with watching(None).stage("train"):
        pass
    assert capsys.readouterr().out == "train: started\ntrain: done in 0 s\n"


def test_a_pipe_has_warnings_only(stderr, capsys):
    stderr(force_terminal=False)
    shown = watching(None)
    with shown.stage("train") as report:
        report(1, 2)
    shown.skip("pair", "done before")
    assert capsys.readouterr() == ("", "")
    shown.warn("few images")
    assert capsys.readouterr().err == "duonas: few images\n"


def test_progress_may_be_asked_for_or_not(stderr):
    stderr(force_terminal=False)
    assert isinstance(watching(True), Lines)
    stderr(force_terminal=True)
    assert not isinstance(watching(False), Bars | Lines)
    mine = Silent()
    assert watching(mine) is mine
    with pytest.raises(DuonasError, match="progress must be True, False, None or a StageProgress, got 'yes'"):
        watching("yes")


def test_of_several_processes_one_shows_progress(stderr, monkeypatch):
    stderr(force_terminal=True)
    monkeypatch.setenv("RANK", "1")
    assert type(watching(None)) is type(watching(True)) is Silent
