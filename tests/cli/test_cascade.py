"""How networks are named on the command line, and what is said where one is missing."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from duonas.cli.app import app
from duonas.cli.several import NETWORKS, spread
from duonas.recipe.cascade import cascade, networks


@pytest.fixture
def begun(monkeypatch):
    """What would be run."""
    calls = []
    monkeypatch.setattr("duonas.cli.cascade.carry_out", lambda name, out, overrides, *_, **__: calls.append(overrides))
    return calls


@pytest.mark.parametrize("typed", [
    "--little a b --big c d --images pictures --share 60%",
    "--images pictures --share=60% --little a --little b --big c --big d",
    "--little=a b --images pictures --big=c --big d --share 60%",
    "a c --little b --share 60% --images pictures --big d",
])  # fmt: skip
def test_several_networks_can_be_given_in_every_form(typed, begun):
    result = CliRunner().invoke(app, ["cascade", *typed.split()])
    assert result.exit_code == 0, result.output
    assert begun == [[*networks(["a", "b"], ["c", "d"]), "route.share=60%"]]


@pytest.mark.parametrize(("typed", "said"), [
    ("a --images pictures", "no network for big was given"),
    ("--little a b --images pictures", "no network for big was given"),
    ("--little a --big b", "no images were given: --images FOLDER"),
    ("--images pictures --little a --big", "requires an argument"),
    ("a b c --images pictures", "unexpected extra argument"),
])  # fmt: skip
def test_what_is_missing_is_said(typed, said, begun):
    result = CliRunner().invoke(app, ["cascade", *typed.split()])
    assert result.exit_code == 2 and not begun
    assert said in " ".join(result.output.replace("│", " ").split())


def test_a_network_may_have_any_name():
    name = 'little \U0001f600 "\\.onnx'
    assert cascade(name, {"file": name, "size": 32}).pair.given.little[0].file == name


def test_other_options_and_all_after_two_dashes_are_left_alone():
    typed = ["--set", "a=1", "x", "--big", "b", "c", "-o", "d", "--", "--little", "e", "f"]
    assert spread(typed, NETWORKS) == [
        "--set", "a=1", "x", "--big", "b", "--big", "c", "-o", "d", "--", "--little", "e", "f",
    ]  # fmt: skip
