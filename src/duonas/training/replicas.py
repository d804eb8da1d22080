"""Whether the processes of a training run still hold the same network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.data.processes import gather, world_size


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
