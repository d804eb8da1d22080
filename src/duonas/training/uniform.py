"""Single path one-shot with uniform sampling (SPOS: Guo et al. 2020, section 3)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from duonas.core.options import TrainOptions
from duonas.core.pair import PairSpace
from duonas.core.protocols import Network
from duonas.training.losses import label_loss
from duonas.training.rule import Stateless


class Uniform(Stateless):
    """Each step trains one random subnet of each tower on labels; no subnet teaches another.

    Args:
        pairs: where subnets are drawn.
        options: the ``[train]`` table; of a rule's own keys it uses ``label_smoothing`` alone.
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
        losses: dict[str, Tensor] = {}
        for role in self.pairs.roles:
            logits = network(images, self.pairs.sample_subnet(role, rng))
            loss = label_loss(logits, targets, self.options.label_smoothing)
            backward(loss)
            losses[role] = loss.detach()
        return {"loss": torch.stack(list(losses.values())).sum(), **losses}
