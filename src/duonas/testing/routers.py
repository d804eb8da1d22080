"""The contract of routers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from duonas.core.protocols import Router
from duonas.core.rng import stream


class RouterContract(ABC):
    """What every router keeps (laws 3 and 7)."""

    @abstractmethod
    def router(self) -> Router:
        """The router under test."""

    def logits(self, n: int = 200, classes: int = 10) -> Tensor:
        """Seeded logits (n, classes), some rows sure and some not."""
        rng = stream(11, n)
        return torch.from_numpy((rng.normal(size=(n, classes)) * rng.uniform(0.1, 6, (n, 1))).astype(np.float32))

    def test_one_score_a_row_whatever_its_mates(self) -> None:
        """A row's score does not depend on the batch, and two calls agree."""
        router, logits = self.router(), self.logits()
        scores = router.score(logits)
        assert scores.shape == (200,) and torch.isfinite(scores).all()
        assert torch.equal(scores, router.score(logits))
        for row in (0, 17, 199):
            assert torch.equal(router.score(logits[row : row + 1]), scores[row : row + 1])

    def test_a_surer_row_scores_higher(self) -> None:
        """A higher score keeps little: scaling a row's logits up never lowers it."""
        router, logits = self.router(), self.logits()
        assert (router.score(logits * 3) >= router.score(logits) - 1e-6).all()

    def test_its_cost_is_stated(self) -> None:
        """Position and cost are known to the cost model."""
        assert self.router().macs >= 0 and self.router().position in ("input", "stem", "after_little")
