"""Figures as files of their own."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from duonas.core.errors import DuonasError
from duonas.report import export
from duonas.report.figures.blocks import architectures
from duonas.report.figures.search import reached
from duonas.report.files import read_run


def test_charts_and_drawings_become_files_without_variables_of_style_sheets(ten: Path, tmp_path: Path) -> None:
    chart = reached({"reached": [[8, 0.4], [16, 0.55]], "hypervolume": 0.61})
    assert chart is not None
    figures = {"table-1.2": chart, "blocks": architectures(read_run(ten)["pair/pair.json"])}
    paths = export.save_figures(figures, tmp_path / "figures")
    assert [path.name for path in paths] == ["table-1.2.svg", "table-1.2.png", "blocks.svg", "blocks.png"]
    for svg, png in (paths[:2], paths[2:]):
        text = svg.read_text(encoding="utf-8")
        assert ElementTree.fromstring(text).tag.endswith("svg") and "var(" not in text
        assert png.read_bytes().startswith(b"\x89PNG")


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(DuonasError, match=r"pip install 'duonas\[figures\]'"):
        export.save_figures({}, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()
