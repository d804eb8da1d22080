"""Difficulty by statistics: what they say of images, and which one is taken."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import entropy as scipy_entropy

from duonas.core.rng import stream
from duonas.routing.routers.difficulty import BINS, STATISTICS, Difficulty, edges, entropy, sparsity, variance

flat = torch.full((1, 3, 8, 8), 0.4)
point = torch.zeros(1, 3, 8, 8)
point[:, 0, 3, 3] = 1.0
board = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).float().expand(1, 3, 8, 8)
ramp = torch.linspace(0, 1, BINS).expand(1, 3, BINS, BINS)


def test_statistics_are_what_they_are_called():
    assert [float(each(flat)) for each in (variance, edges)] == pytest.approx([0, 0], abs=1e-6)
    assert float(entropy(flat)) == pytest.approx(0, abs=1e-4)
    assert float(entropy(ramp)) == pytest.approx(1, abs=1e-4)  # as many values in every bin
    assert float(entropy(board)) == pytest.approx(scipy_entropy([0.5, 0.5]) / np.log(BINS), abs=1e-4)
    assert float(variance(board)) == pytest.approx(0.25) and float(edges(board)) == pytest.approx(2)
    assert float(sparsity(point)) == pytest.approx(1, abs=1e-4) and float(sparsity(flat)) == pytest.approx(0, abs=1e-4)


def test_nothing_to_see_is_no_reason_to_fail():
    described = Difficulty().describe(torch.zeros(2, 3, 8, 8))
    assert described.shape[0] == 2 and torch.isfinite(described).all()


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_statistic_that_tells_is_found_with_its_sign(sign, answered):
    rng = stream(0, "tells")
    described = torch.from_numpy(rng.random((800, 4)).astype(np.float32))
    easy = described[:, 2].numpy() if sign == 1 else 1 - described[:, 2].numpy()
    answers = answered(rng.random(800) < easy, np.ones(800, bool))
    assert Difficulty().fit(described, answers, rng) == Difficulty("sparsity", sign)
    assert Difficulty("sparsity").fit(described, answers, rng) == Difficulty("sparsity", sign)
    assert Difficulty("edges").fit(described, answers, rng).sign == 0  # it tells nothing


@pytest.mark.parametrize("sign", [-1, 0, 1])
def test_only_what_the_score_is_made_of_is_computed(sign, monkeypatch):
    maps = torch.from_numpy(stream(0, "maps").random((5, 3, 8, 8)).astype(np.float32))
    router = Difficulty("variance", sign)
    expected = router.judge(Difficulty().describe(maps))
    for name in STATISTICS.keys() - ({"variance"} if sign else set()):
        monkeypatch.delitem(STATISTICS, name)
    assert torch.equal(router.score(maps), expected)
