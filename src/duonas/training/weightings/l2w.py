"""Weights that a small network learns, so that the routed pair's loss falls (L2W, Han et al. 2022, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from duonas.core.fields import BelowOne, Count
from duonas.core.rng import stream
from duonas.routing.score import margin
from duonas.training.losses import label_losses
from duonas.training.term import PairBatch
from duonas.training.weighting import Backward, ImageWeights, PairInTraining, Weighting

Weights = Mapping[str, Tensor]
LEAST = 1e-12  # keeps the mean of weights of a batch whose images have none


class L2W(Weighting):
    """A network of one hidden layer maps an image's losses by little and by big to its weights in both.

    It learns by meta-gradients, every ``l2w_every`` steps: half of the batch trains the pair for one tentative step of
    SGD by the weighted losses; the loss of the other half after it is that of the routed pair, where little answers the
    share of images that it is most sure of, and big the rest. The weights' gradient goes through the tentative step,
    exactly. Its size is brought to 1, since the network shares the optimiser of the pair (the paper's has Adam).

    Weights are ``1 +- l2w_range`` at most, divided by their mean over the batch.
    """

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[finetune.loss]``."""

        l2w_every: Count = 10
        """Steps between two updates of the weighting network, each of which takes as long as about three steps."""
        l2w_range: BelowOne = 0.8
        """How far weights can be from 1, before they are divided by their mean."""
        l2w_hidden: Count = 64
        """Units of the weighting network's hidden layer."""

    def __init__(self, options: Options, trained: PairInTraining) -> None:
        super().__init__(options, trained)
        self._network = _WeightNetwork(options.l2w_hidden, trained.seed)
        self.weights = self._network

    def __call__(self, batch: PairBatch, step: int, backward: Backward) -> ImageWeights:
        """Return the weights of a batch's images, after an update of the network where one is due."""
        half, others = len(batch.images) // 2, _others(batch)
        if step % self.options.l2w_every == 0 and half > 1:  # a single image has no batch statistics
            losses, found = self.slopes(batch, half)
            size = found.abs().mean().clamp(min=torch.finfo(found.dtype).tiny)
            backward((self._weights(losses, others[:half]) * found / size).mean())
        with torch.no_grad():
            weights = self._weights(self._losses(batch.little, batch.big, batch.targets), others) * others[:, None]
        return ImageWeights(*weights.unbind(1))

    def _weights(self, losses: Tensor, others: Tensor) -> Tensor:
        """Return the weights (B, 2) of images by both losses (B, 2), whose mean by ``others`` (B,) is 1."""
        weights = 1 + self._network(losses) * self.options.l2w_range
        return weights * (others.sum() + LEAST) / (weights * others[:, None]).sum(0).add(LEAST)

    def _losses(self, little: Tensor, big: Tensor, targets: Tensor) -> Tensor:
        smoothing = self.trained.options.label_smoothing
        return torch.stack([label_losses(logits, targets, smoothing) for logits in (little, big)], 1)

    def slopes(self, batch: PairBatch, half: int) -> tuple[Tensor, Tensor]:
        """Return the losses (h, 2) of the first half, and the derivative of the routed loss of the second by weights.

        The pair is left as it is: running statistics of batch norms are kept in copies.
        """
        pair, options, others = self.trained.pair, self.trained.options, _others(batch)
        parameters = {name: value for name, value in pair.named_parameters() if value.requires_grad}
        buffers = {name: value.clone() for name, value in pair.named_buffers()}

        def losses_of(values: Weights, rows: slice) -> tuple[Tensor, Tensor]:
            answer = functional_call(pair, {**values, **buffers}, (batch.images[rows],))
            return self._losses(answer.little, answer.big, batch.targets[rows]), answer.little

        first, second = slice(0, half), slice(half, 2 * half)
        losses, _ = losses_of(parameters, first)
        weights = self._weights(losses.detach(), others[first]).detach().requires_grad_()
        by_network = (weights * losses * others[first, None]).mean(0)
        gradients = torch.autograd.grad(
            options.alpha * by_network[0] + by_network[1], list(parameters.values()), create_graph=True
        )
        stepped = {
            name: (value - options.lr * gradient).detach().requires_grad_()
            for (name, value), gradient in zip(parameters.items(), gradients, strict=True)
        }
        after, little = losses_of(stepped, second)
        routed = self._routed(after, little, others[second])
        ahead = torch.autograd.grad(routed, list(stepped.values()))
        # d routed / d weights = -lr * sum over parameters of (d routed / d stepped) (d gradient / d weights)
        (found,) = torch.autograd.grad(gradients, [weights], [-options.lr * each for each in ahead])
        return losses.detach(), found

    def _routed(self, losses: Tensor, little: Tensor, others: Tensor) -> Tensor:
        """Return the mean loss where little answers its share of the images, those with the highest margins."""
        scores = margin(little.detach().float().softmax(1))
        kept = scores >= torch.quantile(scores, 1 - self.trained.little_share)
        return (torch.where(kept, losses[:, 0], losses[:, 1]) * others).mean()


class _WeightNetwork(nn.Module):
    """One hidden layer from the losses (B, 2) of little and big to values (B, 2) in [-1, 1], at first zeros."""

    def __init__(self, hidden: int, seed: int) -> None:
        super().__init__()
        rng = stream(seed, "l2w")
        self.hidden = nn.Parameter(torch.from_numpy(rng.normal(0, 1, (hidden, 2))).float())
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.out = nn.Parameter(torch.zeros(2, hidden))
        self.out_bias = nn.Parameter(torch.zeros(2))

    def forward(self, losses: Tensor) -> Tensor:
        inside = nn.functional.linear(losses, self.hidden, self.hidden_bias).relu()
        return nn.functional.linear(inside, self.out, self.out_bias).tanh()


def _others(batch: PairBatch) -> Tensor:
    """Return the weights (B,) that the images have anyway."""
    return torch.ones(len(batch.images), device=batch.images.device) if batch.weights is None else batch.weights
