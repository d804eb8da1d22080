"""The prediction of losses from the archs of single steps."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.core.rng import stream
from duonas.spaces.mobilenet import PRESETS, MobileNetSpace
from duonas.training.loss_model import LossModel

SPACE = MobileNetSpace(PRESETS["digits"], 8, 4, {"depth": [1, 2], "kernel": [3], "expansion": [1, 2]})
PRICES = {name: stream(0, name).normal() for name in SPACE.axes}


def loss(arch):
    """Each choice costs something of its own, at each of its values."""
    return sum(PRICES[name] / (1 + index) for name, index in arch.choices)


def taught(steps, shift):
    model, rng = LossModel(SPACE), stream(1)
    for step in range(steps):
        archs = [SPACE.largest(), SPACE.smallest(), SPACE.sample(rng), SPACE.sample(rng)]
        model.observe(archs, torch.tensor([loss(arch) + shift(step) for arch in archs]))
    model.refresh()
    return model


@settings(max_examples=4, deadline=None)
@given(st.floats(0, 50))
def test_archs_are_ranked_by_their_losses_however_hard_the_batches_are(height):
    model = taught(200, lambda step: height * np.sin(step))
    archs = [SPACE.sample(stream(2, number)) for number in range(40)]
    assert np.corrcoef(model.predict(archs), [loss(arch) for arch in archs])[0, 1] > 0.95


def test_what_was_long_ago_is_forgotten():
    early, late = LossModel(SPACE), LossModel(SPACE)
    archs = [SPACE.largest(), SPACE.smallest()]
    for model, first in ((early, 0), (late, 400)):
        for step in range(800):
            model.observe(archs, torch.tensor([1.0, 0.0] if step < first else [0.0, 1.0]))
        model.refresh()
    assert late.predict(archs)[0] < late.predict(archs)[1]
    assert early.predict(archs)[0] < early.predict(archs)[1]


def test_a_single_arch_tells_nothing():
    model = LossModel(SPACE)
    model.observe([SPACE.largest()], torch.tensor([3.0]))
    model.refresh()
    assert not model.informed
    model.observe([SPACE.largest(), SPACE.smallest()], torch.tensor([3.0, 4.0]))
    model.refresh()
    assert model.informed
