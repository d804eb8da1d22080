"""A gate on little's logits that is trained together with the pair (paper D, section 3.3)."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.rng import stream

TOP = 10  # log-probabilities among the features
HIDDEN = 32  # units of the hidden layer
SMALL = 0.1  # scale of log-probabilities and logits, which makes them of the order of 1


def describe(logits: Tensor) -> Tensor:
    """Return the features (N, D) of logits (N, K): the ten highest log-probabilities, entropy and logsumexp."""
    logits = logits.float()
    logs = logits.log_softmax(1)
    sure = 1 + (logs.exp() * logs).sum(1, keepdim=True) / log(logits.shape[1])
    highest = logs.topk(min(TOP, logits.shape[1]), dim=1).values
    return torch.cat([highest, sure, logits.logsumexp(1, keepdim=True)], dim=1)


def decide(
    described: Tensor, mean: Tensor, scale: Tensor, hidden: Tensor, hidden_bias: Tensor, out: Tensor, out_bias: Tensor
) -> Tensor:
    """Return the logit (N,) of staying little: standardise the features (N, D), one hidden layer with ReLU, one output.

    Args:
        described: features (N, D).
        mean: mean (D,) of the features.
        scale: factor (D,) of the centred features.
        hidden: weights (H, D).
        hidden_bias: (H,).
        out: weights (1, H).
        out_bias: (1,).
    """
    inside = F.relu(F.linear((described - mean) * scale, hidden, hidden_bias))
    return F.linear(inside, out, out_bias)[:, 0]


class Gate(nn.Module):
    """One gate for all pairs, which reads little's logits without passing gradients to them.

    Its state holds the arguments of ``decide``. Features are scaled by constants, not by statistics, so that a row's
    decision does not depend on other rows.

    Args:
        classes: number K of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        top = min(TOP, classes)
        rng = stream(0, "gate")  # the same weights in every run, and not all zeros
        self.register_buffer("mean", torch.zeros(top + 2))
        self.register_buffer("scale", torch.tensor([SMALL] * top + [1.0, SMALL]))
        self.hidden = nn.Parameter(torch.from_numpy(rng.normal(0, (2 / (top + 2)) ** 0.5, (HIDDEN, top + 2))).float())
        self.hidden_bias = nn.Parameter(torch.zeros(HIDDEN))
        self.out = nn.Parameter(torch.from_numpy(rng.normal(0, HIDDEN**-0.5, (1, HIDDEN))).float())
        self.out_bias = nn.Parameter(torch.zeros(1))

    def forward(self, logits: Tensor) -> Tensor:
        """Return the logit (N,) of staying little from little's logits (N, K), which get no gradient."""
        return decide(describe(logits.detach()), **dict(self.named_buffers()), **dict(self.named_parameters()))


def find_gate(weights: nn.Module) -> Gate | None:
    """Return the gate in a training rule's weights, if it has one."""
    return next((module for module in weights.modules() if isinstance(module, Gate)), None)
