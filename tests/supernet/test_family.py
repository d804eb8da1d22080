"""Families by name and by file."""

from __future__ import annotations

import pytest

from duonas.core.errors import DuonasError
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201
from duonas.spaces.uib import UIB
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.weights.kshot import Kshot


def test_a_shipped_family_by_name():
    assert find("space", "mobilenet") is MobileNet


def test_a_family_of_ones_own_by_file(tmp_path):
    (tmp_path / "mine.py").write_text("from duonas.spaces.mobilenet import MobileNet as Mine\n")
    assert find("space", f"{tmp_path / 'mine.py'}:Mine") is MobileNet


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from duonas import Family\nclass Mine(Family): pass", "it does not define space"),
        (
            "from duonas import Family\nclass Mine(Family):\n    def space(cls, options, image_size, classes): ...",
            "supernet must be a Supernet class",
        ),
        ("class Mine: pass", r"Mine is not a subclass of duonas\.supernet\.family\.Family"),
    ],
)
def test_what_a_family_lacks_is_said(text, message, tmp_path):
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(DuonasError, match=message):
        find("space", f"{tmp_path / 'own.py'}:Mine")


def test_weights_that_are_made_for_each_arch_make_the_space_say_so():
    kshot = NasBench201.Options(weights=Kshot.Options(dictionary=4))
    assert build_space(NasBench201, kshot, 8, 10).generated
    assert not build_space(NasBench201, NasBench201.Options(), 8, 10).generated
    with pytest.raises(DuonasError, match=r"\[space.weights\] has no key 'dictionary': it is a key of .* 'kshot'"):
        options_for("space", weights={"dictionary": 4})


def test_a_value_that_an_axis_has_not_is_answered_with_each_that_it_has_once():
    with pytest.raises(DuonasError, match=r"depth has no value 0: choose from \[1, 2\]\."):
        build_space(UIB, UIB.Options(preset="uib-digits", axes={"depth": [0]}), 8, 10)


def test_weights_of_ones_own_must_come_from_a_generator(tmp_path):
    (tmp_path / "own.py").write_text(
        "from duonas.supernet.arch_weights import ArchWeights\n"
        "class Three(ArchWeights):\n"
        "    def generator(self, space, rng): return 3\n"
    )
    options = options_for("space", preset="digits", weights=f"{tmp_path / 'own.py'}:Three")
    space = build_space(MobileNet, options, 8, 10)
    with pytest.raises(DuonasError, match=r"generator\(\) must return a Generator or None, got int"):
        build_supernet(MobileNet, space, (0.5,) * 3, (0.2,) * 3, stream(0, "init"), options)
