"""The highest logit minus the second highest."""

from __future__ import annotations

from torch import Tensor

from duonas.routing.score import Score, margin


class LogitMargin(Score):
    """The highest logit minus the second highest: the log-odds of the two classes."""

    order = 40

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the scores (N,) of logits (N, K)."""
        return margin(logits)
