"""The optimiser, the learning-rate schedule and the moving average of the weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from duonas.supernet.generator import Generator
from duonas.training.options import TrainOptions

EXPONENTIAL_UNTIL = 0.9  # of the run; the rate is constant after that


def build_optimizer(network: nn.Module, options: TrainOptions) -> torch.optim.SGD:
    """SGD with Nesterov momentum; weight decay on convolutions and linear layers only.

    A group's ``lr_factor`` is what its learning rate is multiplied by: 1 but for generators that have another one.
    """
    factors = {
        id(weight): module.lr_factor
        for module in network.modules()
        if isinstance(module, Generator)
        for weight in module.scaled()
    }
    groups = []
    for factor in dict.fromkeys((1.0, *factors.values())):
        own = [weight for weight in network.parameters() if factors.get(id(weight), 1.0) == factor]
        for decay, some in ((options.weight_decay, _matrices(own)), (0.0, _vectors(own))):
            groups.append({"params": some, "weight_decay": decay, "lr_factor": factor})
    return torch.optim.SGD(groups, lr=options.lr, momentum=options.momentum, nesterov=options.momentum > 0)


def _matrices(weights: list[nn.Parameter]) -> list[nn.Parameter]:
    return [weight for weight in weights if weight.ndim > 1]


def _vectors(weights: list[nn.Parameter]) -> list[nn.Parameter]:
    return [weight for weight in weights if weight.ndim <= 1]


def learning_rate(step: int, steps: int, steps_per_epoch: int, options: TrainOptions) -> float:
    """Learning rate at ``step`` of ``steps``: linear warm-up, then cosine to 0, or exponential with constant ending.

    The exponential falls from ``lr`` to ``lr * lr_end`` over 90 % of the run and stays there (BigNAS, section 3.2).
    """
    warmup = min(options.warmup_epochs * steps_per_epoch, steps / 2)
    if step < warmup:
        return options.lr * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    if options.schedule == "cosine":
        return options.lr * 0.5 * (1 + math.cos(math.pi * done))
    return options.lr * max(options.lr_end, 1e-6) ** min(1.0, done / EXPONENTIAL_UNTIL)


class AveragedWeights:
    """The exponential moving average of a network's weights and buffers.

    The decay rises with the steps done, so that a short run is not averaged with its random start.

    Args:
        network: whose weights are averaged.
        decay: the final decay; 0 keeps a plain copy of the latest weights.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move the average towards the network's weights after step ``step`` (0, 1, ...)."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step)) if self.decay else 1.0
        state = network.state_dict()
        floating = [name for name, value in state.items() if value.is_floating_point()]
        mine: list[Tensor] = [self.values[name] for name in floating]
        torch._foreach_lerp_(mine, [state[name] for name in floating], weight)
        for name in state.keys() - set(floating):
            self.values[name].copy_(state[name])
