"""Run directories and a browser for the report's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duonas.report.html import write_report

from .browser import Browser
from .fabricate import EVIL, NAMES, QUOTED, fabricate


@pytest.fixture(scope="session")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on ten classes with its report written; not to be changed."""
    return written(tmp_path_factory.mktemp("runs") / "ten")


@pytest.fixture(scope="session")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a hundred classes with its report written."""
    return written(tmp_path_factory.mktemp("runs") / "hundred", classes=100)


@pytest.fixture(scope="session")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose folder, classes and recipe are named to break a page."""
    return written(
        tmp_path_factory.mktemp("runs") / "<b onclick='x'>&amp;", images=400, names=[EVIL, QUOTED, *NAMES[2:]]
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A small run of one's own, without report."""
    return fabricate(tmp_path / "run", images=300)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; where none is installed they fail and say what to install."""
    with Browser() as opened:
        yield opened


def written(folder: Path, **options: object) -> Path:
    """A fabricated run with its report."""
    write_report(fabricate(folder, **options))  # type: ignore[arg-type]
    return folder
