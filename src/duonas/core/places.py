"""Where blocks may be in a search space, and which choices decide about each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

import numpy as np

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError
from duonas.core.pair import PairSpace, Role, Subnet
from duonas.core.rng import stream
from duonas.core.space import SearchSpace

MOST = 20_000  # combinations of choices that may decide about one block
BASES = 2  # random archs from which single choices are changed, besides the largest ones

Blocks = Callable[[Arch], Sequence[BlockSpec]]
Where = tuple[int, int]  # stage, and number within the stage


@dataclass(frozen=True, eq=False)
class Place:
    """The block that is ``number``-th in ``stage``, for every combination of the choices that decide about it.

    Args:
        stage: 0 for input and stem, then 1, 2, ...
        number: within the stage, from 0.
        axes: the axes that decide about the block.
        classes: (V,) for each of these, the class of every value; values of a class make no difference to the block.
        rows: (M, axes) classes of M combinations.
        specs: the block of each combination; ``None`` where there is none, as in a shorter stage.
        additive: whether the combinations are only those with one choice that is not the first one: what the block
            costs is then a sum over the axes, as in a cell of operations.
    """

    stage: int
    number: int
    axes: tuple[str, ...]
    classes: tuple[np.ndarray, ...]
    rows: np.ndarray
    specs: tuple[BlockSpec | None, ...]
    additive: bool = False

    @property
    def optional(self) -> bool:
        """Whether some archs have no block here."""
        return None in self.specs


def places(space: SearchSpace, blocks: Blocks | None = None) -> tuple[Place, ...]:
    """All places of a space, in the order in which they run.

    Which axes decide about a block is found by changing one choice after the other, from several archs. A block that
    only axes decide about that the space can mix is additive.

    Args:
        space: the search space.
        blocks: the blocks of an arch; default: those of the space.

    Raises:
        DuonasError: there are too many combinations of choices for one block.
    """
    return _Finder(space, blocks or space.blocks).found()


@lru_cache(maxsize=16)
def network_places(pairs: PairSpace, role: Role, split: int = 0) -> tuple[Place, ...]:
    """The places of one network of a pair space, the blocks up to the split being those of big."""
    return places(pairs.spaces[role], lambda arch: pairs.blocks(Subnet(arch, role, split)))


class _Finder:
    def __init__(self, space: SearchSpace, blocks: Blocks) -> None:
        self._space, self._blocks = space, blocks
        self._largest = {name: len(axis.values) - 1 for name, axis in space.axes.items()}

    def found(self) -> tuple[Place, ...]:
        deciding = self._deciding()
        tables: dict[Where, dict[tuple[int, ...], BlockSpec | None]] = {where: {} for where in deciding}
        additive = {where: bool(axes) and axes.keys() <= set(self._space.mixed) for where, axes in deciding.items()}
        for where, axes in deciding.items():
            if additive[where]:
                tables[where] = {row: self._at(self._like(axes, row)).get(where) for row in _single_changes(axes)}
        for where, axes in deciding.items():
            count = prod(len(set(classes)) for classes in axes.values())
            if count > MOST and not additive[where]:
                raise DuonasError(
                    f"search space {self._space.name!r} has {count:,} combinations of choices for one block of stage "
                    f"{where[0]}, of which at most {MOST:,} can be summed over: leave out values by [space.axes]."
                )
            for row in product(*(sorted(set(classes)) for classes in axes.values())):
                if not additive[where] and row not in tables[where]:
                    self._note(self._like(axes, row), deciding, tables, additive)
        return tuple(_place(where, deciding[where], tables[where], additive[where]) for where in sorted(deciding))

    def _note(
        self,
        indices: dict[str, int],
        deciding: dict[Where, dict[str, list[int]]],
        tables: dict[Where, dict[tuple[int, ...], BlockSpec | None]],
        additive: dict[Where, bool],
    ) -> None:
        """Note all blocks of an arch, since its other blocks need not be looked for again."""
        there = self._at(indices)
        for where, axes in deciding.items():
            if not additive[where]:
                tables[where][tuple(classes[indices[axis]] for axis, classes in axes.items())] = there.get(where)

    def _like(self, axes: dict[str, list[int]], row: Sequence[int]) -> dict[str, int]:
        """The indices of an arch with these choices, and like ones on other axes of the same kinds."""
        chosen = dict(zip(axes, row, strict=True))
        by_kind = {self._space.axes[name].kind: index for name, index in chosen.items()}
        like = {name: min(last, by_kind.get(self._space.axes[name].kind, last)) for name, last in self._largest.items()}
        return like | chosen

    def _at(self, indices: dict[str, int]) -> dict[Where, BlockSpec]:
        found: dict[Where, BlockSpec] = {}
        numbers: dict[int, int] = {}
        for block in self._blocks(self._space.build(indices)):
            number = numbers.get(block.stage, 0)
            numbers[block.stage] = number + 1
            found[block.stage, number] = block
        return found

    def _deciding(self) -> dict[Where, dict[str, list[int]]]:
        """By place the axes that decide, each with the class of every value: the first value that is no different."""
        rng = stream(0, "places")
        bases = [self._largest | dict(arch.choices) for arch in self._space.maximal()]
        bases += [{n: int(rng.integers(last + 1)) for n, last in self._largest.items()} for _ in range(BASES)]
        found: dict[Where, dict[str, list[int]]] = {where: {} for base in bases for where in self._at(base)}
        for name, last in self._largest.items():
            each = [[self._at(base | {name: index}) for base in bases] for index in range(last + 1)]
            for where in found:
                seen = [[at.get(where) for at in row] for row in each]
                classes = [seen.index(row) for row in seen]
                if any(classes):
                    found[where][name] = classes
        return found


def _single_changes(axes: dict[str, list[int]]) -> list[tuple[int, ...]]:
    first = (0,) * len(axes)
    changed = [
        (*first[:column], value, *first[column + 1 :])
        for column, classes in enumerate(axes.values())
        for value in sorted(set(classes) - {0})
    ]
    return [first, *changed]


def _place(
    where: Where, axes: dict[str, list[int]], table: dict[tuple[int, ...], BlockSpec | None], additive: bool
) -> Place:
    # The classes are named by their first values; from here on they are numbered.
    numbers = [{value: number for number, value in enumerate(sorted(set(classes)))} for classes in axes.values()]
    rows = [[number[value] for number, value in zip(numbers, row, strict=True)] for row in table]
    classes = tuple(
        np.array([number[value] for value in one]) for number, one in zip(numbers, axes.values(), strict=True)
    )
    shaped = np.array(rows, dtype=np.int64).reshape(len(table), len(axes))
    return Place(*where, tuple(axes), classes, shaped, tuple(table.values()), additive)
