"""The distinct blocks of all archs of a space, found without going through all archs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.pair import PairSpace
from duonas.core.rng import stream
from duonas.core.space import SearchSpace

FEW = 20_000  # spaces with at most so many archs are enumerated, and so are the choices that one block depends on
DRAWN = 12  # archs at which is tried what each block depends on
PATIENCE = 200  # draws without a new block after which all blocks count as found


def distinct_blocks(pairs: PairSpace) -> Iterator[BlockSpec]:
    """The distinct blocks, by ``BlockSpec.key``, of all archs of a pair space.

    A block depends on few axes, such as the width of its stage and its own kernel. Which these are is tried on some
    archs, and all combinations of their values are made. Where there are more than 20,000 combinations, blocks are
    drawn, and rare ones may be missing.
    """
    known = set[BlockSpec]()
    for space in dict.fromkeys(pairs.spaces.values()):
        for arch in _archs(space):
            new = {block.key: block for block in space.blocks(arch) if block.key not in known}
            known.update(new)
            yield from new.values()
        yield from _drawn(space, known)


def _archs(space: SearchSpace) -> Iterator[Arch]:
    """Archs that have every block between them."""
    if space.size() <= FEW:
        yield from space.archs()
        return
    yield space.largest()
    rng, top = stream(0, "combinations"), {name: len(axis.values) - 1 for name, axis in space.axes.items()}
    for axes in dict.fromkeys(map(tuple, _dependences(space).values())):
        values = [range(len(space.axes[name].values)) for name in axes]
        if prod(map(len, values)) <= FEW:
            yield from (space.build(top | dict(zip(axes, chosen, strict=True))) for chosen in product(*values))
        else:
            draws = (rng.integers([len(each) for each in values]).tolist() for _ in range(FEW))
            yield from (space.build(top | dict(zip(axes, chosen, strict=True))) for chosen in draws)


def _dependences(space: SearchSpace) -> Mapping[str, list[str]]:
    """The axes that each block depends on, by the block's name, in the order of the axes."""
    rng, found = stream(0, "dependences"), dict[str, set[str]]()
    for arch in (space.largest(), space.smallest(), *(space.sample(rng) for _ in range(DRAWN))):
        before = {block.name: block for block in space.blocks(arch)}
        for name, chosen in arch.choices:
            others = [index for index in range(len(space.axes[name].values)) if index != chosen]
            for index in {others[0], others[-1]} if others else ():
                for block in space.blocks(space.changed(arch, name, index)):
                    depends = found.setdefault(block.name, set())
                    if block.name in before and block != before[block.name]:
                        depends.add(name)
    return {block: [name for name in space.axes if name in axes] for block, axes in found.items()}


def _drawn(space: SearchSpace, known: set[BlockSpec]) -> Iterator[BlockSpec]:
    """Blocks of archs drawn at random that are not known, until there are none in many archs."""
    if space.size() <= FEW:
        return
    rng, misses = stream(0, "distinct blocks"), 0
    while misses < PATIENCE:
        new = {block.key: block for block in space.blocks(space.sample(rng)) if block.key not in known}
        known.update(new)
        yield from new.values()
        misses = 0 if new else misses + 1
