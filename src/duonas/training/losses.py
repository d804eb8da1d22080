"""The losses of supernet training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def label_loss(logits: Tensor, targets: Tensor, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of logits (B, K) with classes (B,) or class probabilities (B, K).

    ``weights`` (B,) multiply the losses of the images before the mean; here and in the other losses ``None`` is 1 each.
    """
    if weights is None:
        return F.cross_entropy(logits.float(), targets, label_smoothing=smoothing)
    # Not divided by the sum of the weights of the batch: several processes could not average their gradients then.
    return (label_losses(logits, targets, smoothing) * weights).mean()


def label_losses(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """The cross-entropy (B,) of each image's logits (B, K) with its class (B,) or class probabilities (B, K)."""
    return F.cross_entropy(logits.float(), targets, label_smoothing=smoothing, reduction="none")


def classes_of(targets: Tensor) -> Tensor:
    """The class (B,) of each image from classes (B,), or the likeliest one from class probabilities (B, K)."""
    return targets if targets.ndim == 1 else targets.argmax(1)


def gate_logit(little: Tensor, tau: float, width: float) -> Tensor:
    """How sure the soft gate is that an image stays little, as a logit (B,), from little's logits (B, K).

    Little's margin over ``tau``, so that the decision has a gradient; ``width`` is its softness.
    """
    two = little.float().softmax(1).topk(2, dim=1).values
    return (two[:, 0] - two[:, 1] - tau) / width


def soft_gate(logit: Tensor) -> Tensor:
    """The chance that an image stays little and that it goes on to big, (B, 2), from the gate's logits (B,)."""
    return torch.stack([torch.sigmoid(logit), torch.sigmoid(-logit)], dim=1)


def router_loss(logit: Tensor, little: Tensor, big: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean binary cross-entropy of the gate (B,) with the oracle: go on only where little is wrong and big is right.

    From logits, so that a gate that is wrong and sure still gets a gradient.
    """
    classes = classes_of(targets)
    hard = (little.argmax(1) != classes) & (big.argmax(1) == classes)
    return F.binary_cross_entropy_with_logits(logit.float(), (~hard).float(), weights)


def cost_loss(probabilities: Tensor, costs: Tensor, budget: float) -> Tensor:
    """How far the expected cost is above a budget, as a fraction of the dearest exit's distance (NACHOS, ``L_cost``).

    Args:
        probabilities: (B, E) of leaving at each exit.
        costs: (E,) of an image that leaves there, in MACs.
        budget: in MACs.
    """
    expected = probabilities.mean(0) @ costs
    return F.relu(expected - budget) / (costs[-1] - budget).abs().clamp(min=1)


def peak_loss(probabilities: Tensor, costs: Tensor, peak: float) -> Tensor:
    """How far the exits that images take are above the most that one image may cost (NACHOS, ``L_peak``).

    Args:
        probabilities: (B, E) of leaving at each exit.
        costs: (E,) in MACs.
        peak: in MACs.
    """
    return probabilities.mean(0) @ (F.relu(costs - peak) / peak)


def feature_loss(little: Tensor, big: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean squared error of little's adapted features with big's, (B, C, H, W) each (FitNets, section 2.2).

    A larger map of big is pooled to little's size. Big gets no gradient.
    """
    pooled = F.adaptive_avg_pool2d(big.detach().float(), (little.shape[-2], little.shape[-1]))
    if weights is None:
        return F.mse_loss(little.float(), pooled)
    return (F.mse_loss(little.float(), pooled, reduction="none").mean((1, 2, 3)) * weights).mean()
