"""Sorting channels by importance, before widths become elastic (OFA, section 3).

A narrow subnet keeps the leading channels of a trained network, which after sorting are the most important ones. The
function of the largest network stays the same.

Channels inside a block are sorted by that block. Channels between blocks, such as the residual stream of a stage, form
a *stream* with all blocks that write or read them. They are sorted by the sum of the importances in all readers, if all
of these blocks can reorder them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from duonas.core.block import BlockSpec
from duonas.layers.elastic import by_importance

Path = Sequence[tuple[BlockSpec, nn.Module]]  # the blocks of a network, from image to logits
Stream = dict[tuple[nn.Module, Literal["in", "out"]], None]  # its blocks, and whether they read or write it


@runtime_checkable
class SortsInside(Protocol):
    """A block with internal channels."""

    def sort_inside(self) -> None:
        """Sort the internal channels, the most important first."""


@runtime_checkable
class ReadsChannels(Protocol):
    """A block whose input channels can be reordered."""

    def input_importance(self) -> Tensor:
        """The importance of each input channel (C,): the L1 norm of the weights that read it."""
        ...

    def reorder_inputs(self, order: Tensor) -> None:
        """Move input channel ``order[i]`` to place i."""


@runtime_checkable
class WritesChannels(Protocol):
    """A block whose output channels can be reordered."""

    def reorder_outputs(self, order: Tensor) -> None:
        """Move output channel ``order[i]`` to place i."""


def sort_channels(paths: Sequence[Path]) -> None:
    """Sort all channels that the blocks of networks can reorder, the most important first.

    Args:
        paths: the largest networks, one for each tower and split; they may share blocks.
    """
    for block in dict.fromkeys(block for path in paths for _, block in path):
        if isinstance(block, SortsInside):
            block.sort_inside()
    for stream in _streams(paths):
        _sort(stream)


def _streams(paths: Sequence[Path]) -> list[Stream]:
    # The output channels of a block are the inputs of the next; those of a residual block are also its inputs.
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
