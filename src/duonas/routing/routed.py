"""The routed pair in PyTorch, which runs each network only on the images routed to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from duonas.pair.pair import Pair, PairOutput
from duonas.routing.router import Answers, Router
from duonas.routing.threshold import keeps_little


class RoutedOutput(NamedTuple):
    """The output of a routed pair.

    Args:
        logits: (N, K), little's where the image stays little, else big's.
        score: (N,), higher = keep little.
        is_little: (N,) bool, whether the image stays little.
    """

    logits: Tensor
    score: Tensor
    is_little: Tensor


class RoutedPair(nn.Module):
    """Classifies each image by little or by big; the shared stem runs once, and a network without images does not run.

    Args:
        pair: the two networks.
        router: computes the scores; at ``after_little``, little runs on every image.
    """

    def __init__(self, pair: Pair, router: Router) -> None:
        super().__init__()
        self.pair = pair
        self.router = router

    def forward(self, images: Tensor, tau: float | Tensor) -> RoutedOutput:
        """Route images; a row's result does not depend on the rest of the batch.

        Args:
            images: (N, 3, H, W) in [0, 1]; N may be 0.
            tau: threshold of the score; -inf gives exactly little, +inf exactly big.
        """
        stem = self.pair.features(images)
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
    """Return ``logits`` (N, K) with those of a network at ``rows`` (N,) bool; it runs on these rows only."""
    index = rows.nonzero().squeeze(1)
    if len(index) == len(rows) > 0:
        return network(stem)  # no gathering: bit for bit the network's own output
    if len(index) == 0:
        return logits
    return logits.index_copy(0, index, network(stem.index_select(0, index)).to(logits.dtype))


class Observed(NamedTuple):
    """A router's features and the predictions of both networks, on N images.

    Args:
        described: features (N, D) of the router.
        answers: predictions of both networks, and labels.
    """

    described: Tensor
    answers: Answers


@torch.inference_mode()
def observe(pair: Pair, router: Router, batches: Iterable[Tensor], labels: Tensor) -> Observed:
    """Run both networks on every image, in eval mode, and compute the router's features.

    Args:
        pair: the pair, on the device of the batches; its training mode is restored.
        router: the router, fitted or not.
        batches: images (B, 3, H, W) in [0, 1].
        labels: (N,) of all images.
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
    """Return the router's input (N, ...) for images (N, 3, H, W) and the pair's output for them."""
    return {"input": images, "stem": output.stem, "after_little": output.little}[router.position]
