"""The sandwich rule with in-place distillation (US-Nets, section 3; BigNAS, section 3)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from duonas.core.options import TrainOptions
from duonas.core.protocols import Forward
from duonas.core.space import SearchSpace
from duonas.training.losses import distillation_loss, label_loss


class Sandwich:
    """Each step trains the largest arch on labels, the smallest and random archs on the largest's soft predictions.

    Weight decay (in the optimiser, where the largest covers all weights) and dropout touch the largest only.

    Args:
        space: where archs are drawn.
        options: the ``[train]`` table.
    """

    def __init__(self, space: SearchSpace, options: TrainOptions) -> None:
        self.space = space
        self.options = options

    def step(
        self,
        forward: Forward,
        images: Tensor,
        targets: Tensor,
        rng: np.random.Generator,
        backward: Callable[[Tensor], None],
    ) -> dict[str, Tensor]:
        """Images (B, 3, H, W) and classes (B,) or probabilities (B, K) to losses by name."""
        largest = self.space.largest()
        teacher = forward(images, largest, self._feature_mask(images, rng))
        loss = label_loss(teacher, targets, self.options.label_smoothing)
        backward(loss)
        losses = {"largest": loss.detach()}
        soft = teacher.detach()
        archs = [self.space.smallest()] + [self.space.sample(rng) for _ in range(self.options.random_archs)]
        for name, arch in zip(["smallest", *(["random"] * self.options.random_archs)], archs, strict=True):
            loss = distillation_loss(forward(images, arch), soft, self.options.temperature)
            backward(loss)
            losses[name] = losses.get(name, torch.zeros_like(loss)) + loss.detach()
        return {"loss": torch.stack(list(losses.values())).sum(), **losses}

    def _feature_mask(self, images: Tensor, rng: np.random.Generator) -> Tensor | None:
        p = self.options.dropout
        if not p:
            return None
        head = self.space.blocks(self.space.largest())[-1]
        kept = rng.random((len(images), head.layers[-1].in_channels), dtype=np.float32) >= p
        return torch.from_numpy(kept.astype(np.float32) / (1 - p)).to(images.device, non_blocking=True)
