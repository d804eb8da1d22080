"""Which blocks and networks of a space are measured on a device, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.pair import PairSpace, Role, Subnet
from duonas.core.rng import stream
from duonas.costs.distinct import distinct_blocks

NETWORKS = 40  # half of them correct the sum of their blocks, the other half check it
DRAWN = 400  # networks that these are taken from
PLANNED = 300  # blocks that cover the others, before those at random


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Args:
        blocks: distinct blocks; first those of the networks, then some that cover all kinds and sizes, then the others.
        networks: the blocks of each network by their place in ``blocks``; the small and the large ones alternate
            between correcting and checking, beginning with the smallest, which corrects.
        left_out: number of distinct blocks of the space that are not in ``blocks``.
    """

    blocks: tuple[BlockSpec, ...]
    networks: tuple[tuple[int, ...], ...]
    left_out: int = 0


def make_plan(pairs: PairSpace, most: int) -> Plan:
    """Plan what is measured of a pair space.

    Args:
        pairs: the pairs whose networks shall be priced.
        most: blocks that there is time for; those of the networks are planned in any case.
    """
    networks = _networks(pairs)
    first = list(dict.fromkeys(block.key for network in networks for block in network))
    known = set(first)
    others = [block.key for block in distinct_blocks(pairs) if block.key not in known]
    room = max(0, most - len(first))
    blocks = [*first, *(others[index] for index in _covering(first, others, room))]
    place = {block: index for index, block in enumerate(blocks)}
    return Plan(
        tuple(blocks),
        tuple(tuple(place[block.key] for block in network) for network in networks),
        len(first) + len(others) - len(blocks),
    )


def _networks(pairs: PairSpace) -> list[tuple[BlockSpec, ...]]:
    """Return different networks of both spaces, evenly spread over the logarithm of their MACs, the smallest first."""
    found = list[tuple[BlockSpec, ...]]()
    for subnet in _subnets(pairs):
        found.append(pairs.blocks(subnet))
    networks = sorted({tuple(block.key for block in network): network for network in found}.values(), key=_macs)
    sizes = np.log1p([_macs(network) for network in networks])
    chosen = set[int]()
    for target in np.linspace(sizes[0], sizes[-1], min(NETWORKS, len(networks))):
        order = np.argsort(np.abs(sizes - target), kind="stable")
        chosen.add(next(int(index) for index in order if int(index) not in chosen))
    return [networks[index] for index in sorted(chosen)]


def _subnets(pairs: PairSpace) -> list[Subnet]:
    """Return the smallest and the largest network of each space, and some at random."""
    rng, found = stream(0, "networks of a plan"), list[Subnet]()
    roles: tuple[Role, ...] = ("big",) if pairs.spaces["little"] is pairs.space else ("big", "little")
    for role in roles:
        space = pairs.spaces[role]
        archs = [space.smallest(), space.largest()]
        for _ in range(DRAWN // 2 // len(roles)):
            large = space.sample(rng)
            archs += [large, space.sample_within(large, rng)]
        found += [Subnet(arch, role) for arch in archs]
    return found


def _macs(network: Sequence[BlockSpec]) -> int:
    return sum(block.macs for block in network)


def _covering(first: Sequence[BlockSpec], others: Sequence[BlockSpec], most: int) -> list[int]:
    """Return up to ``most`` of the others: those farthest from all before them, and after some hundreds any."""
    features = _features([*first, *others])
    taken, rest = features[: len(first)], features[len(first) :]
    chosen = list[int]()
    if len(rest):
        distance = np.min([np.square(rest - each).sum(1) for each in taken], axis=0)
        for _ in range(min(most, PLANNED, len(rest))):
            farthest = int(distance.argmax())
            chosen.append(farthest)
            distance = np.minimum(distance, np.square(rest - rest[farthest]).sum(1))
            distance[farthest] = -1
    known = set(chosen)
    left = [index for index in stream(0, "order of blocks").permutation(len(others)).tolist() if index not in known]
    return (chosen + left)[:most]


def _features(blocks: Sequence[BlockSpec]) -> np.ndarray:
    """Return the numbers of blocks, (N, F) of variance 1: sizes, and how many layers and operations of each kind."""
    rows = [_row(block) for block in blocks]
    names = sorted({name for row in rows for name in row})
    values = np.array([[row.get(name, 0.0) for name in names] for row in rows], dtype=np.float32)
    spread = values.std(axis=0)
    kept: np.ndarray = (values / np.where(spread > 0, spread, 1))[:, spread > 0]
    return kept


def _row(block: BlockSpec) -> dict[str, float]:
    sizes = {
        "macs": block.macs,
        "params": block.params,
        "activations": sum(layer.activations for layer in block.layers),
        "in": block.in_channels,
        "out": block.out_channels,
        "side": block.resolution,
        "out side": block.out_resolution,
        "expansion": block.expansion,
    }
    row = {name: float(np.log1p(size)) for name, size in sizes.items()}
    kinds = [f"kind {block.kind}", *(f"operation {name}" for name in block.operations)]
    kinds += [f"{layer.kind} {layer.kernel} {layer.stride} {layer.groups > 1}" for layer in block.layers]
    for name in kinds:
        row[name] = row.get(name, 0.0) + 1
    return row
