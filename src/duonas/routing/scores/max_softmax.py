"""The highest probability (Hendrycks and Gimpel 2017)."""

from __future__ import annotations

from torch import Tensor

from duonas.routing.score import Score


class MaxSoftmax(Score):
    """The highest class probability (Hendrycks and Gimpel 2017)."""

    order = 10

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the scores (N,) of logits (N, K)."""
        return logits.softmax(1).amax(1)
