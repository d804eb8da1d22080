"""Families by name and by file."""

from __future__ import annotations

import pytest

from duonas.core.errors import DuonasError
from duonas.core.options import SpaceOptions
from duonas.spaces.families import build_space, family
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


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("own.txt", "FAMILY = 1", r"own\.txt is not a Python file: its name must end in \.py"),
        ("own.py", "FAMILY = (", r"own\.py cannot be loaded: SyntaxError"),
        ("own.py", "import nothing_of_that_name", r"own\.py cannot be loaded: ModuleNotFoundError: .*nothing_of_that"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why(file, text, message, tmp_path):
    (tmp_path / file).write_text(text)
    with pytest.raises(DuonasError, match=message):
        family(f"{tmp_path / file}:FAMILY")


def test_a_file_may_define_dataclasses(tmp_path):
    (tmp_path / "own.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Own:\n    x: int\nFAMILY = Own(3)\n"
    )
    assert family(f"{tmp_path / 'own.py'}:FAMILY").x == 3


def test_what_weights_that_all_archs_share_could_only_ignore_is_refused():
    found = family("nasbench201")
    assert build_space(found, SpaceOptions(weights="kshot", dictionary=4), 8, 10).generated
    with pytest.raises(DuonasError, match=r"\[space\] dictionary = 4 is for weights that are made for each arch"):
        build_space(found, SpaceOptions(dictionary=4), 8, 10)


def test_a_value_that_an_axis_has_not_is_answered_with_each_that_it_has_once():
    with pytest.raises(DuonasError, match=r"depth has no value 0: choose from \[1, 2\]\."):
        build_space(family("uib"), SpaceOptions(preset="uib-digits", axes={"depth": [0]}), 8, 10)
