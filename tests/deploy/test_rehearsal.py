"""What is wrong with a user's own router is found before the training, not after it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import duonas
from duonas.core.errors import DuonasError
from duonas.deploy.rehearsal import rehearse
from duonas.recipe.schema import options_for
from duonas.routing.router import make_router

SHAPES = {"input": (3, 8, 8), "stem": (6, 4, 4), "after_little": (5,)}
OWN = Path(__file__).parents[2] / "examples" / "own_router.py"

BROKEN = """
import torch
from duonas import Router

class Mine(Router):
    positions = ("stem", "after_little")
    def __init__(self, position="stem", sign=1.0):
        self.position, self.sign = position, sign
    def describe(self, seen):
        return seen.mean((2, 3))
    def judge(self, described):
        return self.sign * described[:, 0]
    def fit(self, described, answers, rng):
        return type(self)(self.position, -1.0)
    def to_json(self):
        return {"sign": self.sign}

class Squeezed(Mine):
    def describe(self, seen):
        return seen.mean((1, 2, 3))

class OneRow(Mine):
    def describe(self, seen):
        return seen.mean((2, 3)).squeeze(0)

class Undefined(Mine):
    def describe(self, seen):
        return (seen - 2).mean((2, 3)).log()

class Columns(Mine):
    def judge(self, described):
        return described

class Nothing(Mine):
    def fit(self, described, answers, rng):
        pass

class Fails(Mine):
    def fit(self, described, answers, rng):
        return answers.little_rigth

class NotANumber(Mine):
    def judge(self, described):
        return described[:, 0] / 0 * 0

class Elsewhere(Mine):
    def judge(self, described):
        return described[:, 0].numpy()

class Forgets(Mine):
    def to_json(self):
        return {}

class Unwritable(Mine):
    def to_json(self):
        return {"sign": torch.ones(1)}

class Whole(Mine):
    def judge(self, described):
        return (100 * described[:, 0]).long()

class InPlace(Mine):
    def describe(self, seen):
        return seen.mul_(0.5).mean((2, 3))

class Relative(Mine):
    def describe(self, seen):
        return (seen - seen.mean()).mean((2, 3))

class Ranks(Mine):
    def judge(self, described):
        return described[:, 0] - described[:, 0].mean()

class Ends(Mine):
    def describe(self, seen):
        raise SystemExit(0)

class Branches(Mine):
    def judge(self, described):
        return described[:, 0] if described.sum() > 0 else described[:, 1]
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "mine.py").write_text(BROKEN)
    return tmp_path / "mine.py"


def tried(name, position="auto"):
    router = make_router(options_for("route", router=name, position=position))
    rehearse(router, SHAPES[router.position], 5, device=torch.device("cpu"), opset=18)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "Squeezed",
            "describe must turn (64, 6, 4, 4) into finite numbers, (64, D); on 64 random images it returned (64,)",
        ),
        ("OneRow", "describe must turn one image, (1, 6, 4, 4), into (1, 6); on 64 random images it returned (6,)"),
        (
            "Undefined",
            "describe must turn (64, 6, 4, 4) into finite numbers, (64, D); on 64 random images it returned num",
        ),
        ("Columns", "judge must turn (64, 6) into 64 finite scores, (64,); on 64 random images it returned (64, 6)."),
        ("NotANumber", "into 64 finite scores, (64,); on 64 random images it returned numbers that are not finite."),
        (
            "Elsewhere",
            "judge must turn (64, 6) into 64 finite scores, (64,); on 64 random images it returned a ndarray, not",
        ),
        (
            "Nothing",
            "fit must return a router for features (64, 6) and answers; on 64 random images it returned None",
        ),
        ("Fails", "it failed with AttributeError: 'Answers' object has no attribute 'little_rigth'"),
        (
            "Forgets",
            "to_json must return JSON from which from_json builds a router with the same scores; on 64 random images",
        ),
        ("Whole", "into 64 finite scores, (64,); on 64 random images it returned int64 values."),
        ("InPlace", "it failed with ValueError: its argument was changed in place."),
        ("Relative", "describe must describe every image by itself; on 64 random images the first has other values"),
        ("Ranks", "judge must score every image by itself; on 64 random images the first has other values alone"),
        ("Ends", "it failed with SystemExit: 0."),
        ("Unwritable", "it failed with TypeError: Object of type Tensor is not JSON serializable."),
        (
            "Branches",
            "score must consist of torch operations that ONNX has, with a dynamic batch size; on 64 random",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(own, name, message):
    with pytest.raises(DuonasError, match=re.escape(f"router {own}:{name}: ") + ".*" + re.escape(message)) as found:
        tried(f"{own}:{name}")
    assert "\n" not in str(found.value)


def test_a_position_that_it_was_not_written_for_is_found(own):
    with pytest.raises(DuonasError, match=r"describe must turn \(64, 5\) into .* it failed with IndexError"):
        tried(f"{own}:Mine", "after_little")


def test_what_works_passes(own):
    tried(f"{own}:Mine")
    tried(f"{OWN}:Contrast")


def test_a_run_finds_it_before_it_trains(own, tmp_path):
    settings = [f"search.routers=['confidence', '{own}:Columns@stem']"]
    with pytest.raises(DuonasError, match="Columns: judge must turn"):
        duonas.run(duonas.load_recipe("digits", settings), tmp_path / "run")
    assert not (tmp_path / "run" / "recipe.toml").exists()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("logits", r"judge must turn \(64, 10\) into 64 finite scores, \(64,\); .* it returned \(64, 10\)"),
        ("logits.sum(1) * float('nan')", "it returned numbers that are not finite"),
        ("logits.sum(1) - logits.sum()", "judge must score every image by itself"),
        ("logits.numpy().sum(1)", "it returned a ndarray, not a tensor"),
    ],
)
def test_a_score_is_tried_before_the_training_too(answer, message, tmp_path):
    (tmp_path / "mine.py").write_text(
        f"from duonas.routing.score import Score\nclass Odd(Score):\n    def __call__(self, logits): return {answer}\n"
    )
    found = duonas.profile(duonas.load_recipe("digits", [f"route.score={tmp_path}/mine.py:Odd"])).refusal
    assert found.startswith(f"score {tmp_path}/mine.py:Odd: ")
    assert re.search(message, found)
