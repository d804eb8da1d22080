"""The sandwich rule with in-place distillation (US-Nets, section 3; BigNAS, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from duonas.core.options import TrainOptions
from duonas.core.pair import PairSpace, Subnet
from duonas.core.protocols import Network
from duonas.data.processes import own_rows, rank, world_size
from duonas.training.losses import distillation_loss, label_loss
from duonas.training.rule import Stateless


class Sandwich(Stateless):
    """Each step trains the largest arch on labels, the smallest and random archs on the largest's soft predictions.

    Where little has a tower of its own, its largest, smallest and random archs learn from big's largest too. Weight
    decay (in the optimiser, where the largest covers all weights) and dropout touch the largest only.

    Args:
        pairs: where archs are drawn.
        options: the ``[train]`` table.
    """

    def __init__(self, pairs: PairSpace, options: TrainOptions) -> None:
        super().__init__()
        self.pairs = pairs
        self.options = options

    def step(
        self,
        network: Network,
        images: Tensor,
        targets: Tensor,
        rng: np.random.Generator,
        backward: Callable[[Tensor], None],
    ) -> dict[str, Tensor]:
        """Images (B, 3, H, W) and classes (B,) or probabilities (B, K) to losses by name."""
        mask = feature_mask(self.pairs, self.options.dropout, images, rng)
        teacher = network(images, Subnet(self.pairs.space.largest()), mask)
        loss = label_loss(teacher, targets, self.options.label_smoothing)
        backward(loss)
        losses = {"largest": loss.detach()}
        soft = teacher.detach()
        for name, subnet in self._students(rng):
            loss = distillation_loss(network(images, subnet), soft, self.options.temperature)
            backward(loss)
            losses[name] = losses.get(name, torch.zeros_like(loss)) + loss.detach()
        return {"loss": torch.stack(list(losses.values())).sum(), **losses}

    def _students(self, rng: np.random.Generator) -> Iterator[tuple[str, Subnet]]:
        space, split = self.pairs.space, self.pairs.largest().split
        for role in self.pairs.roles:
            if role == "little":
                yield "little_largest", Subnet(space.largest(), role, split)
            prefix, own = ("", 0) if role == "big" else ("little_", split)
            yield f"{prefix}smallest", Subnet(space.smallest(), role, own)
            for _ in range(self.options.random_archs):
                yield f"{prefix}random", self.pairs.sample_subnet(role, rng)


def feature_mask(pairs: PairSpace, p: float, images: Tensor, rng: np.random.Generator) -> Tensor | None:
    """Dropout of the largest arch's features as a mask (B, F), or ``None`` at p = 0."""
    if not p:
        return None
    head = pairs.blocks(Subnet(pairs.space.largest()))[-1]
    # Drawn for the whole batch, of which these images are one process's part.
    drawn = rng.random((len(images) * world_size(), head.layers[-1].in_channels), dtype=np.float32)
    kept = own_rows(drawn, rank(), world_size()) >= p
    return torch.from_numpy(kept.astype(np.float32) / (1 - p)).to(images.device, non_blocking=True)
