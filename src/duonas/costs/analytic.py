"""Costs counted from blocks: multiply-accumulates, parameters, peak activation memory."""

from __future__ import annotations

from collections.abc import Sequence

from duonas.core.block import BlockSpec
from duonas.core.cost import Cost, PairCost
from duonas.core.pair import PairArch, PairSpace
from duonas.core.protocols import CostModel

BYTES_PER_ACTIVATION = 4  # float32


def analytic(blocks: Sequence[BlockSpec]) -> Cost:
    """Count a run of blocks for one image; it equals hooks on the modules that really ran, to the last MAC."""
    return Cost(
        macs=sum(block.macs for block in blocks),
        params=sum(block.params for block in blocks),
        peak_memory_bytes=BYTES_PER_ACTIVATION * max((block.peak_activations for block in blocks), default=0),
    )


def peak_while_waiting(blocks: Sequence[BlockSpec], shared: int, cost: CostModel = analytic) -> int:
    """The peak memory in bytes of a little whose first ``shared`` blocks are also big's: what they gave waits for big.

    As in a cascade, where little answers before it is known whether big is needed.
    """
    peak = cost(blocks).peak_memory_bytes
    if not 0 < shared < len(blocks):
        return peak
    reader, behind = blocks[shared], blocks[shared + 1 :]
    waiting = BYTES_PER_ACTIVATION * reader.in_channels * reader.resolution**2
    # The layer that reads it counts it; the others of its block do not, nor do the blocks behind.
    inside = BYTES_PER_ACTIVATION * max((layer.activations for layer in reader.layers[1:]), default=0)
    return max(peak, waiting + inside, waiting + cost(behind).peak_memory_bytes)


def pair_cost(pairs: PairSpace, pair: PairArch, cost: CostModel = analytic, router_macs: int = 0) -> PairCost:
    """The MACs of a pair's parts: the shared blocks once, then what remains of each tower."""
    shared = pairs.shared(pair)
    little, big = map(pairs.blocks, pairs.subnets(pair))
    return PairCost(
        stem=cost(big[:shared]).macs,
        router=router_macs,
        little=cost(little[shared:]).macs,
        big=cost(big[shared:]).macs,
    )
