"""Batch norm for subnets: sliced and recalibrated, switched by width, or both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from duonas.core.block import EPS, LayerSpec
from duonas.data.distributed import average, gather

MOMENTUM = 0.1


class _ElasticNorm(nn.Module):
    """Batch norm of (B, C, H, W) by the statistics of this process's images, or of the images of all processes.

    With shared statistics, results do not depend on the number of processes.

    Args:
        eps: is added to variances.
    """

    shares_statistics = False

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def normalise(self, x: Tensor, running_mean: Tensor, running_var: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if self.training and self.shares_statistics:
            out: Tensor = _SharedBatchNorm.apply(x, running_mean, running_var, weight, bias, self.eps)
            return out
        return F.batch_norm(x, running_mean, running_var, weight, bias, self.training, MOMENTUM, self.eps)


def share_statistics(network: nn.Module, on: bool) -> None:
    """Switch the elastic norms of ``network`` to the statistics of the images of all processes, or back."""
    for module in network.modules():
        if isinstance(module, _ElasticNorm):
            module.shares_statistics = on


class _SharedBatchNorm(torch.autograd.Function):
    """Exchanges two numbers per channel, forward and backward (PyTorch's ``SyncBatchNorm`` needs GPUs)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, running_mean: Tensor, running_var: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> Tensor:
        local = torch.stack(torch.var_mean(x.float(), (0, 2, 3), correction=0))
        variances, means = gather(local).unbind(1)
        mean, var = means.mean(0), variances.mean(0) + means.var(0, correction=0)
        count = x.numel() // x.shape[1] * len(means)
        running_mean.lerp_(mean, MOMENTUM)
        running_var.lerp_(var * count / max(1, count - 1), MOMENTUM)
        ctx.save_for_backward(x, weight, mean, (var + eps).rsqrt())
        return F.batch_norm(x, mean, var, weight, bias, False, MOMENTUM, eps)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale = ctx.saved_tensors
        wide = grad.float()
        normalised = (x.float() - _wide(mean)) * _wide(scale)
        grad_bias, grad_weight = wide.sum((0, 2, 3)), (wide * normalised).sum((0, 2, 3))
        # The gradients of all processes' losses by the mean and by the deviation.
        shift, stretch = average(torch.stack([grad_bias, grad_weight])) * (x.shape[1] / x.numel())
        grad_x = (wide - _wide(shift) - normalised * _wide(stretch)) * _wide(weight * scale)
        return grad_x.to(x.dtype), None, None, grad_weight, grad_bias, None


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None]


class SlicedBatchNorm(_ElasticNorm):
    """One set of weights and statistics for all widths; a narrow subnet uses its leading channels.

    Running statistics average over all subnets, so an extracted network is recalibrated (US-Nets, section 3.3).
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, widths: Iterable[int], eps: float = EPS) -> None:
        super().__init__(eps)
        channels = max(widths)
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape, for any C up to the widest."""
        c = x.shape[1]
        return self.normalise(x, self.running_mean[:c], self.running_var[:c], self.weight[:c], self.bias[:c])

    def weights(self, layer: LayerSpec) -> Iterator[Tensor]:
        """The state of a plain batch norm for ``layer``: the leading channels."""
        for values in self.values():
            yield values[: layer.out_channels]
        yield torch.tensor(0)  # batches tracked

    @torch.no_grad()
    def reorder(self, order: Tensor) -> None:
        """Move channel ``order[i]`` to place i."""
        for values in self.values():
            values.copy_(values[order])

    def values(self) -> tuple[Tensor, ...]:
        """Weight, bias, running mean and running variance, (C,) each."""
        return self.weight, self.bias, self.running_mean, self.running_var

    @torch.no_grad()
    def start_from(self, other: SlicedBatchNorm) -> None:
        """Take the leading channels of a norm."""
        for mine, theirs in zip(self.values(), other.values(), strict=True):
            mine.copy_(theirs[: len(mine)])

    def zero_weight(self) -> None:
        """Start as the zero function, so that a residual block starts as the identity (BigNAS)."""
        nn.init.zeros_(self.weight)


class SwitchableBatchNorm(_ElasticNorm):
    """A separate batch norm for every width (Slimmable Networks, section 3.1)."""

    def __init__(self, widths: Iterable[int], eps: float = EPS) -> None:
        super().__init__(eps)
        self.widths = sorted(set(widths))
        self.by_width = nn.ModuleDict({str(c): nn.BatchNorm2d(c, eps, MOMENTUM) for c in self.widths})

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape, for any of the widths."""
        norm: Any = self.by_width[str(x.shape[1])]
        return self.normalise(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)

    def weights(self, layer: LayerSpec) -> Iterator[Tensor]:
        """The state of a plain batch norm for ``layer``: the norm of its width."""
        norm: Any = self.by_width[str(layer.out_channels)]
        yield from (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        yield torch.tensor(0)  # batches tracked

    @torch.no_grad()
    def reorder(self, order: Tensor) -> None:
        """Move channel ``order[i]`` of the widest norm to place i; narrower norms get its leading channels."""
        state = self.by_width[str(len(order))].state_dict()
        widest = {name: value[order] for name, value in state.items() if value.ndim}
        for width, norm in self.by_width.items():
            norm.load_state_dict({name: value[: int(width)] for name, value in widest.items()}, strict=False)

    @torch.no_grad()
    def start_from(self, other: SlicedBatchNorm) -> None:
        """Take the leading channels of one norm of all widths, at every width."""
        for norm in self.by_width.values():
            assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
            mine = norm.weight, norm.bias, norm.running_mean, norm.running_var
            for values, theirs in zip(mine, other.values(), strict=True):
                values.copy_(theirs[: len(values)])

    def zero_weight(self) -> None:
        """Start as the zero function, at every width."""
        for norm in self.by_width.values():
            assert isinstance(norm, nn.BatchNorm2d)
            nn.init.zeros_(norm.weight)


NORMS: dict[str, type[SlicedBatchNorm] | type[SwitchableBatchNorm]] = {
    "recalibrated": SlicedBatchNorm,
    "switchable": SwitchableBatchNorm,
    "both": SwitchableBatchNorm,
}
RECALIBRATED = ("recalibrated", "both")  # kinds of norm whose statistics are measured for each extracted network


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """Replace the batch-norm statistics of a plain network by the cumulative average over ``batches``.

    Args:
        network: from ``Supernet.extract``; changed in place.
        batches: training images, each (B, 3, H, W) in [0, 1].

    Returns:
        The network, in eval mode.
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


def folded(network: nn.Module) -> nn.Module:
    """A copy of a plain network in eval mode with batch norms folded into the convolutions before them.

    Outputs are equal up to rounding. Only neighbours in an ``nn.Sequential`` are folded.
    """
    copy = deepcopy(network).eval()
    for chain in [module for module in copy.modules() if isinstance(module, nn.Sequential)]:
        for (first, conv), (second, norm) in pairwise(list(chain.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(chain, first, fuse_conv_bn_eval(conv, norm))
                setattr(chain, second, nn.Identity())
    return copy
