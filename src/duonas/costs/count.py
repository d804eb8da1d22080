"""Multiply-accumulates of a network, counted while it runs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode


def count_macs(network: Callable[[Tensor], object], images: Tensor) -> int:
    """The total multiply-accumulates of convolutions and matrix products for images (N, 3, H, W)."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(images)
    return int(counter.get_total_flops()) // 2
