"""The routed pair in PyTorch: it really skips."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from duonas.routing.router import Answers, Router
from duonas.routing.threshold import keeps_little
from duonas.supernet.pair import PairNet, PairOutput


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


class RoutedPair(nn.Module):
    """Each image answered by little or by big; what both share runs once, what is not asked does not run.

    Args:
        pair: the pair in plain PyTorch.
        router: gives the scores; after little, every image pays for little.
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
        if self.router.before:
            score = self.router.score(images if self.router.position == "input" else stem)
            is_little = keeps_little(score, tau)
            logits = self._either(stem, is_little)
        else:
            logits = self.pair.little(stem)
            score = self.router.score(logits)
            is_little = keeps_little(score, tau)
            logits = _put(logits, ~is_little, self.pair.big, stem)
        return RoutedOutput(logits, score, is_little)

    def _either(self, stem: Tensor, is_little: Tensor) -> Tensor:
        if is_little.all():  # N = 0 too
            return self.pair.little(stem)
        logits = self.pair.big(stem[~is_little])
        whole = logits.new_empty(len(stem), logits.shape[1])
        whole[~is_little] = logits
        return _put(whole, is_little, self.pair.little, stem) if is_little.any() else logits


def _put(logits: Tensor, rows: Tensor, network: nn.Module, stem: Tensor) -> Tensor:
    """``logits`` (N, K) with a network's own at ``rows`` (N,), for which alone it runs."""
    index = rows.nonzero().squeeze(1)
    if len(index) == len(rows) > 0:
        return network(stem)  # no gathering: bit for bit what the network alone gives
    if len(index) == 0:
        return logits
    return logits.index_copy(0, index, network(stem.index_select(0, index)).to(logits.dtype))


class Observed(NamedTuple):
    """A pair and what a router sees, on N images.

    Args:
        described: (N, D), of which the router makes its scores.
        answers: of both networks.
    """

    described: Tensor
    answers: Answers


@torch.inference_mode()
def observe(pair: PairNet, router: Router, batches: Iterable[Tensor], labels: Tensor) -> Observed:
    """Both networks on every image, in eval mode, and what the router makes of what it sees.

    Args:
        pair: on the device of the batches; left in the mode that it was in.
        router: fitted or not.
        batches: images (B, 3, H, W) in [0, 1].
        labels: (N,) of all of them.
    """
    training = pair.training
    pair.eval()
    described, little, big = [], [], []
    for images in batches:
        output = pair(images)
        described.append(router.describe(seen(router, images, output)).float().cpu())
        little.append(output.little.float().cpu())
        big.append(output.big.float().cpu())
    pair.train(training)
    answers = Answers(torch.cat(little).numpy(), torch.cat(big).numpy(), np.asarray(labels.cpu()))
    return Observed(torch.cat(described), answers)


def seen(router: Router, images: Tensor, output: PairOutput) -> Tensor:
    """What a router sees of images (N, 3, H, W) that a pair answered."""
    return {"input": images, "stem": output.stem, "after_little": output.little}[router.position]
