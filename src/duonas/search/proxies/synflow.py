"""How much flows through all paths of an untrained network (Tanaka et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from duonas.layers.plain import Input
from duonas.search.activations import without_activations
from duonas.search.proxy import Proxy


class Synflow(Proxy):
    """log(1 + s), where s adds up each weight times its gradient.

    All weights are taken as positive, the image is all ones, and what is differentiated is the sum of the logits.
    Without norms, and since positive values pass activations unchanged, a chain of L layers has s = L times that sum.
    Calculated in float64; the logarithm keeps the order, and keeps deep networks finite. Images play no part.
    """

    def of(self, network: nn.Sequential, images: Tensor, labels: Tensor) -> float:
        """The logarithm of the flow."""
        without_activations(network).double()
        for module in network.modules():
            if isinstance(module, Input):
                module.mean.zero_()
                module.std.fill_(1)
        weights = list(network.parameters())
        with torch.no_grad():
            for weight in weights:
                weight.abs_()
        ones = torch.ones(1, *images.shape[1:], dtype=torch.float64, device=images.device)
        gradients = torch.autograd.grad(network(ones).sum(), weights, allow_unused=True)
        flows = ((w * g).sum().item() for w, g in zip(weights, gradients, strict=True) if g is not None)
        return float(torch.tensor(sum(flows), dtype=torch.float64).log1p())
