"""Families by name and by file."""

from __future__ import annotations

import pytest

from duonas.core.errors import DuonasError
from duonas.spaces.families import family
from duonas.spaces.mobilenet import FAMILY


def test_a_shipped_family_by_name():
    assert family("mobilenet") is FAMILY


def test_a_family_of_ones_own_by_file(tmp_path):
    (tmp_path / "mine.py").write_text("from duonas.spaces.mobilenet import FAMILY as MINE\n")
    assert family(f"{tmp_path / 'mine.py'}:MINE") is FAMILY


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mobilnet", "no search space 'mobilnet': did you mean 'mobilenet'"),
        ("nowhere.py:FAMILY", r"there is no file nowhere\.py"),
    ],
)
def test_what_is_not_there_is_said(name, message):
    with pytest.raises(DuonasError, match=message):
        family(name)


def test_a_file_without_the_name_says_what_is_near(tmp_path):
    (tmp_path / "mine.py").write_text("FAMILLY = 1\n")
    with pytest.raises(DuonasError, match="did you mean 'FAMILLY'"):
        family(f"{tmp_path / 'mine.py'}:FAMILY")
