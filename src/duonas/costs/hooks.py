"""Costs counted on a network that runs."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def count_macs(network: nn.Module, images: Tensor) -> int:
    """Multiply-accumulates of the convolutions and linear layers that really run on images (N, 3, H, W), in all."""
    total = 0

    def convolution(module: nn.Conv2d, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += output.numel() * module.weight[0].numel()

    def linear(module: nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += output.numel() * module.in_features

    hooks = [m.register_forward_hook(convolution) for m in network.modules() if isinstance(m, nn.Conv2d)]
    hooks += [m.register_forward_hook(linear) for m in network.modules() if isinstance(m, nn.Linear)]
    try:
        with torch.inference_mode():
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return total
