"""The routed pair in PyTorch: it really skips."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from duonas.core.protocols import Router
from duonas.routing.confidence import keeps_little
from duonas.spaces.pair import PairNet


class RoutedOutput(NamedTuple):
    """What a routed pair answers.

    Args:
        logits: (N, K), little's where it was kept, else big's.
        score: (N,), higher = keep little.
        is_little: (N,) bool.
    """

    logits: Tensor
    score: Tensor
    is_little: Tensor


class Cascade(nn.Module):
    """Little on every image, big on the hard ones only; what both share runs once.

    Args:
        pair: the pair in plain PyTorch.
        router: scores little's logits.
    """

    def __init__(self, pair: PairNet, router: Router) -> None:
        super().__init__()
        self.pair = pair
        self.router = router

    def forward(self, images: Tensor, tau: float | Tensor) -> RoutedOutput:
        """Route images (N, 3, H, W) in [0, 1], N = 0 included; a row's answer does not depend on its batch-mates.

        Args:
            images: to classify.
            tau: -inf is little exactly, +inf is big exactly.
        """
        stem = self.pair.stem(images)
        logits = self.pair.little(stem)
        score = self.router.score(logits)
        is_little = keeps_little(score, tau)
        hard = (~is_little).nonzero().squeeze(1)
        if len(hard) == len(images) > 0:
            # No gathering: bit for bit what big alone gives.
            logits = self.pair.big(stem)
        elif len(hard) > 0:
            logits = logits.index_copy(0, hard, self.pair.big(stem.index_select(0, hard)).to(logits.dtype))
        return RoutedOutput(logits, score, is_little)
