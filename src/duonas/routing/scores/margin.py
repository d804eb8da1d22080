"""The highest probability minus the second highest."""

from __future__ import annotations

from torch import Tensor

from duonas.routing.score import Score, margin


class Margin(Score):
    """The highest class probability minus the second highest."""

    order = 20

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the scores (N,) of logits (N, K)."""
        return margin(logits.softmax(1))
