"""Costs that are counted from blocks: MACs, parameters, weight bytes, peak activation memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from duonas.core.block import BlockSpec
from duonas.core.cost import Cost, PairCost
from duonas.core.pair import PairArch, PairSpace
from duonas.core.protocols import CostModel

BYTES = 4  # of a float32 number


class Analytic(CostModel):
    """Counts costs from the specifications of blocks; the MACs are exactly those of the modules that run."""

    def __call__(self, blocks: Sequence[BlockSpec]) -> Cost:
        """The cost of consecutive blocks for one image."""
        return Cost(
            macs=sum(block.macs for block in blocks),
            params=sum(block.params for block in blocks),
            weight_bytes=BYTES * sum(block.stored for block in blocks),
            peak_memory_bytes=BYTES * max((block.peak_activations for block in blocks), default=0),
        )


analytic = Analytic()


def peaks_while_waiting(blocks: Sequence[BlockSpec], peaks: Sequence[int]) -> list[int]:
    """Little's peak memory in bytes if it shares the first n blocks with big, for every n from 0 to all.

    In a cascade the output of the shared blocks stays in memory for big while little runs.

    Args:
        blocks: the blocks of little.
        peaks: the peak memory of each block.
    """
    whole = max(peaks, default=0)
    behind = [*accumulate(reversed(peaks), max, initial=0)][::-1]  # of blocks n, n + 1, ...
    found = [whole]
    for n, reader in enumerate(blocks[1:], 1):
        waiting = BYTES * reader.in_channels * reader.resolution**2
        # The first layer that reads it counts it as its input; all later layers do not.
        inside = BYTES * max((layer.activations for layer in reader.layers[1:]), default=0)
        found.append(max(whole, waiting + inside, waiting + behind[n + 1]))
    return [*found, whole]


def pair_cost(pairs: PairSpace, pair: PairArch, cost: CostModel = analytic, router_macs: int = 0) -> PairCost:
    """The MACs of a pair by part: the shared blocks, and the rest of each network."""
    shared = pairs.shared(pair)
    little, big = map(pairs.blocks, pairs.subnets(pair))
    return PairCost(
        stem=cost(big[:shared]).macs,
        router=router_macs,
        little=cost(little[shared:]).macs,
        big=cost(big[shared:]).macs,
    )
