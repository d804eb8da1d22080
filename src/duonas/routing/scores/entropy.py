"""One minus the normalised entropy of the probabilities (BranchyNet)."""

from __future__ import annotations

from math import log

from torch import Tensor

from duonas.routing.score import Score


class Entropy(Score):
    """One minus entropy / log K (BranchyNet: Teerapittayanon et al. 2016)."""

    order = 30

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the scores (N,) of logits (N, K)."""
        logs = logits.log_softmax(1)
        return 1 + (logs.exp() * logs).sum(1) / log(logits.shape[1])
