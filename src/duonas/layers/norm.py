"""Batch norm for subnets: shared by slicing and recalibrated, switched by width, or both."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from duonas.data.distributed import average, gather, world_size

EPS = 1e-5
MOMENTUM = 0.1


def batch_norm(
    x: Tensor, running_mean: Tensor, running_var: Tensor, weight: Tensor, bias: Tensor, training: bool
) -> Tensor:
    """Batch norm of (B, C, H, W); in training, by the statistics of the images of all processes that compute together.

    So the running statistics are the same in all of them too, and weights do not depend on how many there are.
    """
    if training and world_size() > 1:
        out: Tensor = _SharedBatchNorm.apply(x, running_mean, running_var, weight, bias)
        return out
    return F.batch_norm(x, running_mean, running_var, weight, bias, training, MOMENTUM, EPS)


class _SharedBatchNorm(torch.autograd.Function):
    """One exchange of two numbers a channel forward, and one backward. (PyTorch's own runs on GPUs only.)"""

    @staticmethod
    def forward(ctx: Any, x: Tensor, running_mean: Tensor, running_var: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        own = torch.stack(torch.var_mean(x.float(), (0, 2, 3), correction=0))
        variances, means = gather(own).unbind(1)
        mean, var = means.mean(0), variances.mean(0) + means.var(0, correction=0)
        count = x.numel() // x.shape[1] * len(means)
        running_mean.lerp_(mean, MOMENTUM)
        running_var.lerp_(var * count / max(1, count - 1), MOMENTUM)
        ctx.save_for_backward(x, weight, mean, (var + EPS).rsqrt())
        return F.batch_norm(x, mean, var, weight, bias, False, MOMENTUM, EPS)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale = ctx.saved_tensors
        wide = grad.float()
        normalised = (x.float() - _wide(mean)) * _wide(scale)
        grad_bias, grad_weight = wide.sum((0, 2, 3)), (wide * normalised).sum((0, 2, 3))
        # What all processes' losses lose by a shift of the mean and by a stretch of the deviation.
        shift, stretch = average(torch.stack([grad_bias, grad_weight])) * (x.shape[1] / x.numel())
        grad_x = (wide - _wide(shift) - normalised * _wide(stretch)) * _wide(weight * scale)
        return grad_x.to(x.dtype), None, None, grad_weight, grad_bias


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None]


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
        return batch_norm(x, self.running_mean[:c], self.running_var[:c], self.weight[:c], self.bias[:c], self.training)

    def extract(self, channels: int) -> nn.BatchNorm2d:
        """A plain batch norm with copies of the leading channels."""
        return _plain(
            self.weight[:channels], self.bias[:channels], self.running_mean[:channels], self.running_var[:channels]
        )

    @torch.no_grad()
    def reorder(self, order: Tensor) -> None:
        """Put channel ``order[i]`` at place i."""
        for values in (self.weight, self.bias, self.running_mean, self.running_var):
            values.copy_(values[order])

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
        norm: Any = self.by_width[str(x.shape[1])]
        return batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, self.training)

    def extract(self, channels: int) -> nn.BatchNorm2d:
        """A plain batch norm with copies of that width's weights and statistics."""
        norm = self.by_width[str(channels)]
        assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
        return _plain(norm.weight, norm.bias, norm.running_mean, norm.running_var)

    @torch.no_grad()
    def reorder(self, order: Tensor) -> None:
        """Put the widest's channel ``order[i]`` at place i; the narrower norms, whose channels are others, follow."""
        state = self.extract(len(order)).state_dict()
        widest = {name: value[order] for name, value in state.items() if value.ndim}
        for width, norm in self.by_width.items():
            norm.load_state_dict({name: value[: int(width)] for name, value in widest.items()}, strict=False)

    def zero_weight(self) -> None:
        """Start as the zero function, at every width."""
        for norm in self.by_width.values():
            assert isinstance(norm, nn.BatchNorm2d)
            nn.init.zeros_(norm.weight)


ElasticNorm = SlicedBatchNorm | SwitchableBatchNorm
NORMS: dict[str, type[SlicedBatchNorm] | type[SwitchableBatchNorm]] = {
    "recalibrated": SlicedBatchNorm,
    "switchable": SwitchableBatchNorm,
    "both": SwitchableBatchNorm,
}
RECALIBRATED = ("recalibrated", "both")  # whose statistics are measured anew once a network is extracted


def _plain(weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(len(weight), EPS, MOMENTUM, device=weight.device)
    state = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": var}
    norm.load_state_dict(state | {"num_batches_tracked": norm.num_batches_tracked})
    return norm


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
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


def folded(network: nn.Module) -> nn.Module:
    """A copy of a plain network in eval mode whose batch norms are folded into the convolutions before them.

    It answers the same to rounding, and sooner. Only neighbours in an ``nn.Sequential`` are folded.
    """
    copy = deepcopy(network).eval()
    for chain in [module for module in copy.modules() if isinstance(module, nn.Sequential)]:
        for (first, conv), (second, norm) in pairwise(list(chain.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(chain, first, fuse_conv_bn_eval(conv, norm))
                setattr(chain, second, nn.Identity())
    return copy
