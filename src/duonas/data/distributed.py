"""What the processes that train together exchange.

By default the result does not depend on how many processes there are: each takes its own rows of every batch, batch
norms use the statistics of all images, gradients are averaged over all processes, and whatever is drawn for an image is
drawn for the whole batch. Where each process trains its own subnets, they exchange nothing before the backward pass is
done (``average_updates``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed, nn

from duonas.core.errors import DuonasError


class Process(NamedTuple):
    """One of the processes that share a batch; by default the only one.

    Args:
        rank: its number, from 0.
        world: how many there are.
    """

    rank: int = 0
    world: int = 1


def world_size() -> int:
    """How many processes train together; 1 for a process by itself."""
    return distributed.get_world_size() if _many() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return distributed.get_rank() if _many() else 0


def own_rows(whole: Any, rank: int, world: int) -> Any:
    """One process's part (B / world, ...) of a whole batch's array or tensor (B, ...): every ``world``-th row."""
    return whole[rank::world]


def gather(values: Tensor) -> Tensor:
    """The same tensor of every process, (world, ...), with the same bits in all of them.

    Raises:
        DuonasError: another process is gone or silent.
    """
    if world_size() == 1:
        return values[None]
    found = [torch.empty_like(values) for _ in range(world_size())]
    with _in_touch():
        distributed.all_gather(found, values.contiguous())
    return torch.stack(found)


def average(values: Tensor) -> Tensor:
    """The mean over all processes, with the same bits in all of them; ``values`` itself may be overwritten.

    Raises:
        DuonasError: another process is gone or silent.
    """
    if world_size() == 1:
        return values
    with _in_touch():
        distributed.all_reduce(values)
    return values.div_(world_size())


def leave() -> None:
    """Leave the other processes; this one goes on by itself."""
    if _many():
        distributed.destroy_process_group()


@contextmanager
def average_updates(trained: nn.Module) -> Iterator[None]:
    """In this block each process computes gradients on its own subnets; at its end the processes agree on the rest.

    The same weights have gradients in all of them then, zeros where only other processes used a weight, none where no
    process did. Running statistics, like all buffers, have moved by the mean of how far they moved in each process.
    The block must exchange nothing with the other processes, which run other layers.

    Args:
        trained: everything that is trained, the same in all processes.

    Raises:
        DuonasError: another process is gone or silent.
    """
    parameters, buffers = list(trained.parameters()), list(trained.buffers())
    before = [buffer.clone() for buffer in buffers]
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


def _many() -> bool:
    return distributed.is_available() and distributed.is_initialized()


@contextmanager
def _in_touch() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # the backends have no narrower type in common
        raise DuonasError(
            f"process {rank()} of {world_size()} lost touch with another one, which was stopped, has failed or is too "
            "slow; the same command goes on from the last checkpoint."
        ) from error


def _checksum(network: nn.Module) -> Tensor:
    """The sum of all weights' bits as whole numbers, an int64."""
    weights = torch.cat([parameter.detach().flatten().float() for parameter in network.parameters()])
    return weights.view(torch.int32).sum()
