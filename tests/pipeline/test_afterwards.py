"""What is kept for export and measurement grows with what they are going to do."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from duonas.pipeline.afterwards import ALWAYS, BLOCK, CALLS, SEEN, seconds_after
from duonas.recipe.read import load
from support.exported import SIDE, make_pair

IMAGES = SimpleNamespace(train=20, val=30, calib=40, test=50)


def seconds(*overrides, splits=IMAGES, plain=False):
    """With a clock that ticks a second for the two batches of 16 images."""
    images = SimpleNamespace(
        **{name: range(count) for name, count in vars(splits).items()} | {"train": SimpleNamespace(
            pixels=torch.zeros(20, 3, SIDE, SIDE, dtype=torch.uint8)
        )}
    )  # fmt: skip
    ticks = iter(range(9))
    recipe = load("digits", ["search.recalibration_images=10", "measure.latency_images=5", *overrides])
    return seconds_after(recipe, images, make_pair(False), plain=plain, clock=lambda: next(ticks))


def test_it_is_the_blocks_to_export_and_the_images_to_time_and_to_answer():
    towers = make_pair(False).towers()
    blocks, batches = len(towers["little"]) + len(towers["big"]), 64 * load("digits").measure.throughput_batches
    images = CALLS * (5 + batches) + SEEN * (30 + 40 + 50 + 10)
    assert seconds() == pytest.approx(ALWAYS + BLOCK * blocks + images / 32)
    assert seconds(plain=True) == pytest.approx(seconds() + BLOCK * len(towers["big"]))


def test_more_test_images_and_more_timing_take_longer():
    more = SimpleNamespace(**vars(IMAGES) | {"test": 1050})
    assert seconds(splits=more) - seconds() == pytest.approx(SEEN * 1000 / 32)
    assert seconds("measure.throughput_batches=1") < seconds()
    assert seconds("route.latency=2ms") > 1.5 * seconds()  # an export of its own, and its times


def test_the_network_that_is_timed_stays_as_it_is():
    pair = make_pair(False).train()
    recipe = replace(load("digits"), threads=1)
    before = {name: value.clone() for name, value in pair.state_dict().items()}
    images = SimpleNamespace(
        train=SimpleNamespace(pixels=torch.zeros(3, 3, SIDE, SIDE, dtype=torch.uint8)), val=(), calib=(), test=()
    )
    assert seconds_after(recipe, images, pair, plain=False) > ALWAYS
    assert pair.big.training and all(torch.equal(value, before[name]) for name, value in pair.state_dict().items())
