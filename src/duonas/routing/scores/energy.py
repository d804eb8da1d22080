"""The logarithm of the sum of the exponentiated logits (Liu et al. 2020)."""

from __future__ import annotations

from torch import Tensor

from duonas.routing.score import Score


class Energy(Score):
    """The negative free energy of the logits (Liu et al. 2020)."""

    order = 50

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the scores (N,) of logits (N, K)."""
        return logits.logsumexp(1)
