"""The highest probability minus the second highest."""

from __future__ import annotations

from torch import Tensor

from duonas.routing.score import Score


class Margin(Score):
    """The highest class probability minus the second highest."""

    order = 20

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the scores (N,) of logits (N, K)."""
        two = logits.softmax(1).topk(2, dim=1).values
        return two[:, 0] - two[:, 1]
