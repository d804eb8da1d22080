"""The processes of a training run hold the same network: how it stays so, and whether it still is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.data.processes import alone, average, gather, world_size


@contextmanager
def apart(trained: nn.Module) -> Iterator[None]:
    """Within, this process computes a step's gradients by itself, on whatever subnets; afterwards the processes agree.

    In all of them the same weights have gradients then, zeros where only others used a weight, none where nobody did.
    Running statistics, as all buffers, have moved by the mean of how far they moved in each.

    Args:
        trained: everything that is trained, the same in all processes.

    Raises:
        DuonasError: another process is gone or silent.
    """
    parameters, buffers = list(trained.parameters()), list(trained.buffers())
    before = [buffer.clone() for buffer in buffers]
    with alone():
        yield
    with torch.no_grad():
        used = torch.tensor([float(p.grad is not None) for p in parameters], device=parameters[0].device)
        moves = [(now.float() - old.float()).flatten() for now, old in zip(buffers, before, strict=True)]
        mean = average(torch.cat([used, *moves])).split([len(used), *map(len, moves)])
        for parameter, share in zip(parameters, mean[0].tolist(), strict=True):
            if share and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        for buffer, old, move in zip(buffers, before, mean[1:], strict=True):
            buffer.copy_(old + move.view_as(old).to(old.dtype))  # what did not move keeps its bits


def check_replicas(network: nn.Module, step: int) -> None:
    """Compare this process's weights with those of the others, bit for bit; a lone process has nothing to compare.

    Args:
        network: everything that is trained. Buffers are left out: none of them takes part in training, and those of
            elastic norms are the same everywhere anyway.
        step: how many were done.

    Raises:
        DuonasError: the processes are at different steps or have different weights, or one of them is gone.
    """
    if world_size() == 1:
        return
    bits = _checksum(network)
    steps, sums = gather(torch.stack([torch.full_like(bits, step), bits])).cpu().unbind(1)
    if len(set(steps.tolist())) > 1:
        raise DuonasError(
            f"the processes go on from different steps ({int(steps.min())} and {int(steps.max())}): "
            "all of them must see the same run folder."
        )
    differing = torch.nonzero(sums != sums[0]).flatten().tolist()
    if differing:
        raise DuonasError(
            f"at step {step} process {differing[0]} has other weights than process 0: all must run the same code on "
            "the same data; the same command goes on from the last checkpoint, where they agreed."
        )


def _checksum(network: nn.Module) -> Tensor:
    """The sum of all weights' bits as whole numbers, an int64."""
    weights = torch.cat([parameter.detach().flatten().float() for parameter in network.parameters()])
    return weights.view(torch.int32).sum()
