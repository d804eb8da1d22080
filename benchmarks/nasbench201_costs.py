"""The params and MACs of all 15,625 cells against the published table; prints the largest differences.

    python benchmarks/nasbench201_costs.py nasbench201.parquet

The table's params are ours. Its ``cifar10_macs_m`` is more than the multiply-accumulates of convolutions and linear
layers, which are what duonas counts: it adds 2 for every output of a batch norm, 1 for every input of a ReLU, the
kernel's area for every output of an average pooling, and 9 x 9 a channel for the global pooling of an 8 x 8 map (the
counter behind it, tensorwatch's, takes that window one wider than it is). Exits with 1 where params differ, or MACs
with all that added.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import pyarrow.parquet as pq

from duonas.core.block import BlockSpec
from duonas.costs.analytic import analytic
from duonas.spaces.nasbench201 import NasBench201

ROUNDING = 1e-3  # params or MACs; the table's are millions in float64


def beside_macs(blocks: Sequence[BlockSpec]) -> int:
    """What the table counts beside convolutions and linear layers."""
    return sum(map(_beside, blocks))


def _beside(block: BlockSpec) -> int:
    total = sum(2 * layer.out_channels * layer.out_resolution**2 for layer in block.layers if layer.norm)
    if block.kind in ("cell", "basic"):  # a ReLU before every convolution that has a norm
        total += sum(layer.in_channels * layer.in_resolution**2 for layer in block.layers if layer.norm)
        total += 9 * block.operations.count("avg_pool_3x3") * block.out_channels * block.out_resolution**2
    if block.kind == "basic":
        total += 4 * block.in_channels * block.out_resolution**2
    if block.kind == "head":
        total += block.in_channels * (block.resolution**2 + (block.resolution + 1) ** 2)
    return total


def main() -> int:
    """Compare all; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", help="Parquet with arch, cifar10_params_m and cifar10_macs_m")
    table = pq.read_table(parser.parse_args().table, columns=["arch", "cifar10_params_m", "cifar10_macs_m"])
    space = NasBench201.space(NasBench201.Options(), 32, 10)
    params, macs, apart = [], [], []
    for cell, millions, flops in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
        blocks = space.blocks(space.arch(cell=cell))
        cost, beside = analytic(blocks), beside_macs(blocks)
        params.append(abs(cost.params - 1e6 * millions))
        macs.append(abs(cost.macs + beside - 1e6 * flops))
        apart.append(1e6 * flops - cost.macs)
    print(f"cells compared: {len(set(table['arch'].to_pylist())):,} of {space.size():,}")
    print(f"params: largest difference {max(params):.3g}")
    print(f"MACs: the table has {min(apart):,.0f} to {max(apart):,.0f} more than convolutions and linear layers")
    print(f"MACs with norms, ReLUs and poolings as the table counts them: largest difference {max(macs):.3g}")
    return int(max(*params, *macs) > ROUNDING or len(params) != space.size())


if __name__ == "__main__":
    sys.exit(main())
