from __future__ import annotations

import pytest
import torch

from duonas.routing.score import margin
from duonas.testing import WeightingContract
from duonas.training.divergence import make_divergence
from duonas.training.options import DivergenceOptions, PairTraining
from duonas.training.term import PairBatch
from duonas.training.weighting import PairInTraining
from duonas.training.weightings.hard import Hard


class TestHard(WeightingContract):
    def weighting(self, trained):
        return Hard(Hard.Options(hard_weight=2.0), trained)


def weigh(weighting, little):
    batch = PairBatch(torch.zeros(len(little), 3, 2, 2), torch.zeros(len(little), dtype=torch.long), little, little,
                      None, make_divergence(DivergenceOptions()))  # fmt: skip
    return weighting(batch, 0, lambda loss: loss.backward())


@pytest.mark.parametrize("share", [0.25, 0.7])
def test_what_little_hands_on_counts_more_for_big(share):
    little = torch.randn(100, 5, generator=torch.Generator().manual_seed(0))
    weighting = Hard(Hard.Options(hard_weight=3.0), PairInTraining(torch.nn.Module(), PairTraining(), share))
    found = weigh(weighting, little)
    assert found.little is None
    scores = margin(little.softmax(1))
    handed_on = scores < scores.sort().values[round(100 * (1 - share))]
    assert torch.equal(found.big > 1, handed_on)
    assert found.big.max() == pytest.approx(4 * found.big.min())
    assert found.big.mean() == pytest.approx(1, abs=0.02)


def test_the_threshold_is_that_of_many_batches():
    draws = torch.Generator().manual_seed(0)
    weighting = Hard(Hard.Options(), PairInTraining(torch.nn.Module(), PairTraining(), 0.5))
    for _ in range(300):
        weigh(weighting, torch.randn(16, 5, generator=draws))
    many = margin(torch.randn(20_000, 5, generator=draws).softmax(1))
    assert weighting.weights.tau.item() == pytest.approx(many.median().item(), abs=0.02)
    sure = weigh(weighting, 9 * torch.eye(5))  # a batch that little keeps as a whole
    assert len(set(sure.big.tolist())) == 1 and sure.big[0] < 1
