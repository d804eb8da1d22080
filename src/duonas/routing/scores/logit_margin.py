"""The highest logit minus the second highest."""

from __future__ import annotations

from torch import Tensor

from duonas.routing.score import Score


class LogitMargin(Score):
    """The highest logit minus the second highest: the log-odds of the two classes."""

    order = 40

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the scores (N,) of logits (N, K)."""
        two = logits.topk(2, dim=1).values
        return two[:, 0] - two[:, 1]
