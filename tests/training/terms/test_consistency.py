from __future__ import annotations

import torch
from torch.nn import functional as F

from duonas.testing import TermContract
from duonas.training.terms.consistency import Consistency


class TestConsistency(TermContract):
    def term(self):
        return Consistency(Consistency.Options(consistency=1.0))

    def test_it_is_the_mean_of_both_divergences_and_moves_both_networks(self):
        batch = self.batch()
        little, big = (logits.div(2).log_softmax(1) for logits in (batch.little, batch.big))
        both = (F.kl_div(a, b, reduction="batchmean", log_target=True) for a, b in ((little, big), (big, little)))
        loss = self.term()(batch)
        torch.testing.assert_close(loss, 4 * sum(both) / 2)
        loss.backward()
        assert batch.little.grad.any() and batch.big.grad.any()
        torch.testing.assert_close(batch.little.grad.sum(1), torch.zeros(len(batch.little)), atol=1e-6, rtol=0)

    def test_networks_that_agree_have_none(self):
        batch = self.batch()
        same = type(batch)(batch.images, batch.targets, batch.little, batch.little, None, batch.divergence)
        assert self.term()(same) == 0
