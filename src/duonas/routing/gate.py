"""A gate after little that is trained together with the pair (paper D, section 3.3): the learned router's start."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.rng import stream

TOP = 10  # log-probabilities that it sees
HIDDEN = 32  # units of its one hidden layer
SMALL = 0.1  # what log-probabilities and logits are multiplied by, so that they are of the size of 1


def describe(logits: Tensor) -> Tensor:
    """What a gate sees of little's logits (N, K): (N, D).

    The ten highest log-probabilities, the entropy and the logarithm of the sum of the exponentials.
    """
    logits = logits.float()
    logs = logits.log_softmax(1)
    sure = 1 + (logs.exp() * logs).sum(1, keepdim=True) / log(logits.shape[1])
    highest = logs.topk(min(TOP, logits.shape[1]), dim=1).values
    return torch.cat([highest, sure, logits.logsumexp(1, keepdim=True)], dim=1)


def decide(
    described: Tensor, mean: Tensor, scale: Tensor, hidden: Tensor, hidden_bias: Tensor, out: Tensor, out_bias: Tensor
) -> Tensor:
    """(N, D) to the logit (N,) of staying little: standardise, one hidden layer with ReLU, one number.

    Args:
        described: what is seen.
        mean: (D,).
        scale: (D,).
        hidden: (H, D).
        hidden_bias: (H,).
        out: (1, H).
        out_bias: (1,).
    """
    inside = F.relu(F.linear((described - mean) * scale, hidden, hidden_bias))
    return F.linear(inside, out, out_bias)[:, 0]


class Gate(nn.Module):
    """One gate for all pairs, which sees little's logits and teaches them nothing.

    Its state is what ``decide`` takes. What it sees is scaled by fixed numbers, not by statistics, so that a row's
    decision depends on no other row.

    Args:
        classes: K.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        top = min(TOP, classes)
        rng = stream(0, "gate")  # the same in every run: any start will do, but not all zeros
        self.register_buffer("mean", torch.zeros(top + 2))
        self.register_buffer("scale", torch.tensor([SMALL] * top + [1.0, SMALL]))
        self.hidden = nn.Parameter(torch.from_numpy(rng.normal(0, (2 / (top + 2)) ** 0.5, (HIDDEN, top + 2))).float())
        self.hidden_bias = nn.Parameter(torch.zeros(HIDDEN))
        self.out = nn.Parameter(torch.from_numpy(rng.normal(0, HIDDEN**-0.5, (1, HIDDEN))).float())
        self.out_bias = nn.Parameter(torch.zeros(1))

    def forward(self, logits: Tensor) -> Tensor:
        """Little's logits (N, K), which get no gradient, to the logit (N,) of staying little."""
        return decide(describe(logits.detach()), **dict(self.named_buffers()), **dict(self.named_parameters()))


def find_gate(weights: nn.Module) -> Gate | None:
    """The gate among what a training rule learns, if it has one."""
    return next((module for module in weights.modules() if isinstance(module, Gate)), None)
