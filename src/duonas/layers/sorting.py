"""Channels in the order of their importance, once, before widths become elastic (OFA, section 3).

A narrow subnet keeps the leading channels of a trained network: after sorting those are the ones that matter most. The
largest network computes what it did, its channels merely stand in another order.

Channels that only one block sees are sorted by that block. Channels that travel between blocks, such as the residual
stream of a stage, are one *stream* with all blocks that write or read them; they are sorted by the sum of what their
readers' weights say, provided that all of these blocks can reorder them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from duonas.core.block import BlockSpec

Path = Sequence[tuple[BlockSpec, nn.Module]]  # the blocks of a network, from image to logits
Stream = dict[tuple[nn.Module, Literal["in", "out"]], None]  # the ends of blocks where it flows, in the order found


@runtime_checkable
class SortsInside(Protocol):
    """A block that has channels of its own."""

    def sort_inside(self) -> None:
        """Sort the channels that nobody else sees, the most important first."""


@runtime_checkable
class ReadsChannels(Protocol):
    """A block whose input channels can be reordered."""

    def input_importance(self) -> Tensor:
        """How much each input channel matters here, (C,): the L1 norm of the weights that read it."""
        ...

    def reorder_inputs(self, order: Tensor) -> None:
        """Expect channel ``order[i]`` at place i."""


@runtime_checkable
class WritesChannels(Protocol):
    """A block whose output channels can be reordered."""

    def reorder_outputs(self, order: Tensor) -> None:
        """Give channel ``order[i]`` at place i."""


def by_importance(importance: Tensor) -> Tensor:
    """The order (C,) that puts the most important of C channels first; equal ones stay as they stand."""
    return torch.argsort(importance, descending=True, stable=True)


def sort_channels(paths: Sequence[Path]) -> None:
    """Sort all channels that the blocks of some networks can reorder, the most important first.

    Args:
        paths: the largest networks, which share some blocks: one, or one for each tower and split.
    """
    for block in dict.fromkeys(block for path in paths for _, block in path):
        if isinstance(block, SortsInside):
            block.sort_inside()
    for stream in _streams(paths):
        _sort(stream)


def _streams(paths: Sequence[Path]) -> list[Stream]:
    """Whatever a block gives, the next one takes; a residual block adds what it takes to what it gives."""
    streams: list[Stream] = []
    for path in paths:
        for (_, before), (spec, after) in pairwise(path):
            stream: Stream = {(before, "out"): None, (after, "in"): None}
            if spec.residual:
                stream[after, "out"] = None
            for other in [known for known in streams if known.keys() & stream.keys()]:
                streams.remove(other)
                stream = other | stream
            streams.append(stream)
    return streams


def _sort(stream: Stream) -> None:
    readers = [block for block, end in stream if end == "in" and isinstance(block, ReadsChannels)]
    writers = [block for block, end in stream if end == "out" and isinstance(block, WritesChannels)]
    if len(readers) + len(writers) < len(stream):
        return
    order = by_importance(torch.stack([reader.input_importance() for reader in readers]).sum(0))
    for reader in readers:
        reader.reorder_inputs(order)
    for writer in writers:
        writer.reorder_outputs(order)
