"""The processes that train together, as one of them sees them; a process by itself is a world of one.

By default what a recipe gives does not depend on how many processes there are: each takes its own rows of every batch,
batch norms see the images of all, gradients are averaged over all, and whatever is drawn for an image is drawn for the
whole batch. Where each trains subnets of its own, it computes ``alone`` and meets the others after the backward pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed

from duonas.core.errors import DuonasError

_alone = False  # of the whole process, as its group is: autograd may compute in other threads


def world_size() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if _many() else 1


def rank() -> int:
    """The number of this one, from 0."""
    return distributed.get_rank() if _many() else 0


def own_rows(whole: Any, rank: int, world: int) -> Any:
    """What of a whole batch's array or tensor (B, ...) is one process's: (B / world, ...), spread evenly."""
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


@contextmanager
def alone() -> Iterator[None]:
    """Within, this process is a world of one: whatever it computes, it exchanges nothing with the others.

    So processes may run different layers, where none of them could answer what another one asks.
    """
    global _alone
    before, _alone = _alone, True
    try:
        yield
    finally:
        _alone = before


def leave() -> None:
    """Work alone from here on."""
    if _many():
        distributed.destroy_process_group()


def _many() -> bool:
    return not _alone and distributed.is_available() and distributed.is_initialized()


@contextmanager
def _in_touch() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # the backends have no narrower type in common
        raise DuonasError(
            f"process {rank()} of {world_size()} lost touch with another one, which was stopped, has failed or is too "
            "slow; the same command goes on from the last checkpoint."
        ) from error
