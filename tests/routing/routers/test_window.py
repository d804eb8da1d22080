"""The window: hopeless images stay little, and where there are none it is the plain confidence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from duonas.core.rng import stream
from duonas.routing.metrics import area_above_chance
from duonas.routing.router import Answers
from duonas.routing.routers.confidence import Confidence
from duonas.routing.routers.window import Window


def case(hopeless, n=4000):
    """Two classes; where little is least sure, a share of the images is beyond big too."""
    rng = stream(0, "window")
    sure = rng.random(n).astype(np.float32)  # of class 0
    labels = (rng.random(n) < np.where(sure < 0.5, 0.5, 0.05)).astype(int)
    little = np.stack([4 * sure, np.zeros(n, np.float32)], axis=1)
    big = np.eye(2, dtype=np.float32)[np.where(sure < hopeless, 0, labels)]
    return torch.from_numpy(little), Answers(little, big, labels)


def test_what_both_get_wrong_stays_little():
    logits, answers = case(hopeless=0.3)
    fitting, judging = np.arange(2000), np.arange(2000, 4000)
    made = Window(Confidence("margin")).fit(logits[fitting], answers.take(fitting), stream(1))
    assert made.centre is not None
    judged, plain = answers.take(judging), made.confidence
    areas = [area_above_chance(each.judge(logits[judging]).numpy(), judged) for each in (made, plain)]
    assert areas[0] > areas[1] + 0.02


@pytest.mark.parametrize("function", ["margin", "energy", "best"])
def test_without_such_images_it_is_the_confidence(function):
    logits, answers = case(hopeless=0)
    made = Window(Confidence(function)).fit(logits, answers, stream(1))
    assert made == Window(Confidence(function).fit(logits, answers, stream(1)))
    assert torch.equal(made.score(logits), made.confidence.score(logits))
