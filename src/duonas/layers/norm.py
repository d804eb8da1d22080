"""Batch norm for subnets: shared by slicing and recalibrated, or switched by width."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_Network = TypeVar("_Network", bound=nn.Module)

EPS = 1e-5
MOMENTUM = 0.1


class SlicedBatchNorm(nn.Module):
    """One set of weights and statistics for all widths; a narrow subnet uses its leading channels.

    The running statistics mix all subnets, so an extracted network is recalibrated before use (US-Nets, section 3.3).
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, widths: Iterable[int]) -> None:
        super().__init__()
        channels = max(widths)
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape, for any C up to the widest."""
        c = x.shape[1]
        return F.batch_norm(x, self.running_mean[:c], self.running_var[:c], self.weight[:c], self.bias[:c],
                            self.training, MOMENTUM, EPS)  # fmt: skip

    def extract(self, channels: int) -> nn.BatchNorm2d:
        """A plain batch norm with copies of the leading channels."""
        return _plain(
            self.weight[:channels], self.bias[:channels], self.running_mean[:channels], self.running_var[:channels]
        )

    def zero_weight(self) -> None:
        """Start as the zero function, so that a residual block starts as the identity (BigNAS)."""
        nn.init.zeros_(self.weight)


class SwitchableBatchNorm(nn.Module):
    """A batch norm of its own for every width (Slimmable Networks, section 3.1)."""

    def __init__(self, widths: Iterable[int]) -> None:
        super().__init__()
        self.by_width = nn.ModuleDict({str(c): nn.BatchNorm2d(c, EPS, MOMENTUM) for c in sorted(set(widths))})

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape, for any of the widths."""
        return self.by_width[str(x.shape[1])](x)

    def extract(self, channels: int) -> nn.BatchNorm2d:
        """A plain batch norm with copies of that width's weights and statistics."""
        norm = self.by_width[str(channels)]
        assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
        return _plain(norm.weight, norm.bias, norm.running_mean, norm.running_var)

    def zero_weight(self) -> None:
        """Start as the zero function, at every width."""
        for norm in self.by_width.values():
            assert isinstance(norm, nn.BatchNorm2d)
            nn.init.zeros_(norm.weight)


ElasticNorm = SlicedBatchNorm | SwitchableBatchNorm
NORMS: dict[str, type[SlicedBatchNorm] | type[SwitchableBatchNorm]] = {
    "recalibrated": SlicedBatchNorm,
    "switchable": SwitchableBatchNorm,
}


def _plain(weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(len(weight), EPS, MOMENTUM, device=weight.device)
    state = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": var}
    norm.load_state_dict(state | {"num_batches_tracked": norm.num_batches_tracked})
    return norm


@torch.no_grad()
def recalibrate(network: _Network, batches: Iterable[Tensor]) -> _Network:
    """Replace the batch-norm statistics of a plain network by the cumulative average over ``batches``.

    The network is an extracted copy, so the supernet and the next candidate are untouched.

    Args:
        network: what ``Supernet.extract`` made.
        batches: training images, each (B, 3, H, W) in [0, 1].

    Returns:
        The same network, in eval mode.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
        norm.train()
    for batch in batches:
        network(batch)
    for norm in norms:
        norm.momentum = MOMENTUM
    return network.eval()
