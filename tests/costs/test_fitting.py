"""Blocks that were not measured: fitted from those that were, with the error on blocks left out."""

from __future__ import annotations

import numpy as np
import pytest

from duonas.core.cell import computed_edges, computed_layers
from duonas.core.couplings import pair_space
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.costs.distinct import distinct_blocks
from duonas.costs.fitting import fit_blocks

SPACES = {
    "mobilenet": ({"preset": "cifar-small", "axes": {"width": [0.5, 0.75, 1.0]}}, 32),
    "uib": ({"preset": "uib-digits"}, 8),
    "nasbench201": ({"channels": 4, "cells": 1, "axes": {"operation": ["none", "avg_pool_3x3", "nor_conv_3x3"]}}, 16),
}


def blocks_of(name):
    table, size = SPACES[name]
    kind = find("space", name)
    return list(distinct_blocks(pair_space(kind.space(kind.Options(**table), size, 4))))


def time(block):
    """A device: a call, work that is slower where channels are no multiples of 8, memory traffic, and pooling.

    It leaves out edges of a cell that lead nowhere.
    """
    slow = 1.3 if block.out_channels % 8 else 1.0
    layers = computed_layers(block)
    moved = sum(layer.activations for layer in layers)
    operations = [block.operations[edge] for edge in computed_edges(block)]
    pooled = 9 * operations.count("avg_pool_3x3") * block.in_channels * block.resolution**2
    return 0.004 + slow * sum(layer.macs for layer in layers) / 30e6 + moved / 4e6 + pooled / 1e6


@pytest.mark.parametrize("name", SPACES)
def test_what_was_left_out_is_predicted_within_the_stated_error(name):
    blocks = blocks_of(name)
    times = np.array([time(block) for block in blocks])
    order = stream(0, name).permutation(len(blocks))[:150]
    known, asked = order[: 2 * len(order) // 3], order[2 * len(order) // 3 :]
    fitted = fit_blocks([blocks[row] for row in known], times[known])
    errors = np.abs(fitted.predict([blocks[row] for row in asked]) / times[asked] - 1)
    assert np.median(errors) <= 0.05 and fitted.median <= 0.05 and fitted.rows == len(known)
    assert fitted.to_json()["model"] == fitted.name
    again = fit_blocks([blocks[row] for row in known], times[known], fitted.name)
    one = blocks[int(asked[0])]
    assert again.predict([one]).tolist() == fitted.predict([one]).tolist()


def test_more_work_takes_more_time_outside_of_what_was_measured():
    """The linear step has no coefficient below 0, so what is larger than all that was measured takes longer."""
    blocks = sorted(blocks_of("mobilenet"), key=lambda block: block.macs)[::3]
    times = np.array([time(block) for block in blocks])
    half = len(blocks) // 2
    fitted = fit_blocks(blocks[:half], times[:half])
    found = fitted.predict(blocks[-5:])
    assert (found > times[:half].max()).all() and np.allclose(found, times[-5:], rtol=0.5)
