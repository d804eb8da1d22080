"""Initialisation of weights."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from duonas.layers.elastic import ElasticConv, ElasticLinear


def initialise(network: nn.Module, rng: np.random.Generator) -> None:
    """Initialise the weights of all convolutions and linear layers; other parameters stay as they are.

    Convolutions: normal with He's variance over the fan-out. Linear layers: uniform within 1 / sqrt(inputs).
    """
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, ElasticConv | nn.Conv2d) and module.weight is not None:
                groups = module.groups if isinstance(module, nn.Conv2d) else 1
                depthwise = module.weight.shape[1] == 1 and groups in (1, module.weight.shape[0])
                filters = 1 if depthwise else module.weight.shape[0] // groups
                fan_out = filters * module.weight.shape[2] * module.weight.shape[3]
                module.weight.normal_(0, math.sqrt(2 / fan_out), generator=generator)
            elif isinstance(module, ElasticLinear | nn.Linear):
                bound = 1 / math.sqrt(module.weight.shape[1])
                module.weight.uniform_(-bound, bound, generator=generator)
