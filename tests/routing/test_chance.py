"""What knows more than chance, and how often luck is believed."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from duonas.core.rng import stream
from duonas.routing.chance import hashed, knows_more, places
from duonas.routing.metrics import area_above_chance
from duonas.routing.routers.random import Random


@pytest.fixture
def case(answered):
    """Makes answers by seed, and for each image whether big gains."""
    return partial(_case, answered)


def _case(answered, *path, n=1000):
    rng = stream(0, *path)
    answers = answered(rng.random(n) < 0.8, rng.random(n) < 0.9)
    return answers, answers.big_right.astype(float) - answers.little_right, rng


def test_luck_is_believed_as_rarely_as_it_should_be(case):
    believed = 0
    for number in range(1000):
        answers, _, rng = case("luck", number, n=200)
        believed += knows_more(rng.random(200), answers)
    assert 1 <= believed <= 25  # 10 expected


def test_knowledge_is_believed_and_ignorance_is_not(case, answered):
    answers, gain, rng = case("knowledge")
    informed = rng.normal(size=1000) - gain
    assert knows_more(informed, answers) and not knows_more(-informed, answers)
    assert knows_more(informed - gain, answers, than=informed) and not knows_more(informed, answers, than=informed)
    assert not knows_more(np.zeros(1000), answers)
    same = answered(answers.big_right, answers.big_right)
    assert not knows_more(informed, same)


def test_the_difference_that_is_tested_is_that_of_the_areas(case):
    answers, gain, rng = case("areas")
    score = (rng.normal(size=1000) - gain).round(1)  # with ties
    assert area_above_chance(score, answers) == pytest.approx(np.mean(gain * (0.5 - places(score))), abs=1e-3)


@pytest.mark.parametrize("scale", [0.05, 0.3, 3.0])
def test_lots_are_even_and_tell_nothing_of_the_values(scale):
    rng = stream(1, "lots")
    values = torch.from_numpy(rng.normal(0.5, scale, (5000, 16)).astype(np.float32))
    lots = hashed(values)
    assert torch.equal(hashed(values[7:8]), lots[7:8]) and 0 <= lots.min() <= lots.max() <= 1
    counts = torch.histc(lots, 10, 0, 1)
    assert (counts - 500).abs().max() < 100
    assert abs(np.corrcoef(lots, values.mean(1))[0, 1]) < 0.05


def test_images_of_one_kind_still_get_different_lots():
    dark = torch.zeros(500, 3, 8, 8)  # a few bright pixels in the middle, as digits have
    dark[:, :, 2:6, 2:6] = torch.from_numpy(stream(2, "dark").integers(0, 16, (500, 1, 4, 4)) / 16).float()
    assert Random().score(dark).unique().numel() > 450
