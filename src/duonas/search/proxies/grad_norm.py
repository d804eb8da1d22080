"""The norm of an untrained network's gradients (Abdelfattah et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.search.proxy import Proxy


class GradNorm(Proxy):
    """The Euclidean norms of the gradients of the cross-entropy by each layer's weights, added up.

    The layers are convolutions and linear layers; norms and biases do not count.
    """

    def of(self, network: nn.Sequential, images: Tensor, labels: Tensor) -> float:
        """The sum over the layers."""
        weights = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        loss = F.cross_entropy(network(images), labels)
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        return float(sum(gradient.norm().item() for gradient in gradients if gradient is not None))
