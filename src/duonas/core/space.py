"""A search space: its axes, and the blocks of its archs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, wraps
from math import prod
from typing import Any

import numpy as np

from duonas.core.arch import Arch
from duonas.core.axis import Axis
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError, nearest

WALKED = 200_000  # archs of the largest space that is enumerated
KEPT = 100_000  # archs whose blocks a space caches


def once_per_arch(blocks: Callable[[Any, Arch], tuple[BlockSpec, ...]]) -> Callable[[Any, Arch], tuple[BlockSpec, ...]]:
    """Decorator for ``SearchSpace.blocks`` that caches the blocks of the most recent archs."""

    @wraps(blocks)
    def kept(space: SearchSpace, arch: Arch) -> tuple[BlockSpec, ...]:
        known = space._blocks
        if arch not in known:
            if len(known) >= KEPT:
                known.pop(next(iter(known)))
            known[arch] = blocks(space, arch)
        return known[arch]

    return kept


class SearchSpace(ABC):
    """A search space; a subclass defines ``blocks``, and everything else follows from ``axes``.

    Args:
        name: the value of ``Arch.space`` for archs of this space.
        axes: the choices; a parent comes before its children.
        image_size: side of the square input images, in pixels.
        classes: the number of classes K.

    ``mixed`` names the axes over whose values a supernet can sum (paper T, eq. 5). ``generated`` says that weights are
    generated for each arch, so that two archs share the weights of the stem only. ``relaxes`` says that the supernet is
    also a function of probabilities of all choices, so that strategies with gradients can search the space; a space in
    which widths are choices of the whole network is not ``relaxed_by_stages`` and never does.
    """

    mixed: tuple[str, ...] = ()
    generated: bool = False
    relaxes: bool = False
    relaxed_by_stages: bool = True

    def __init__(self, name: str, axes: list[Axis], *, image_size: int, classes: int) -> None:
        self.name = name
        self.axes: Mapping[str, Axis] = {axis.name: axis for axis in axes}
        self.image_size = image_size
        self.classes = classes
        self._blocks: dict[Arch, tuple[BlockSpec, ...]] = {}  # see once_per_arch
        self._children: dict[str | None, list[Axis]] = {}
        for axis in axes:
            self._children.setdefault(axis.parent, []).append(axis)

    @abstractmethod
    def blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        """The blocks of ``arch`` from image to logits."""

    def whole(self) -> tuple[BlockSpec, ...]:
        """The blocks that a supernet is built from, with every layer of any arch at its largest size.

        The default is the largest arch; a space whose largest arch does not contain all others overrides this.
        """
        return self.blocks(self.largest())

    def mixed_blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        """The blocks of ``arch`` with the layers of every value on the ``mixed`` axes.

        The default takes the last value on every mixed axis; a space where that does not contain the other values
        overrides this.
        """
        last = {name: len(self.axes[name].values) - 1 for name in self.mixed}
        return self.blocks(self.build({name: arch.get(name, 0) for name in self.axes} | last))

    def text(self, arch: Arch) -> str | None:
        """The name of ``arch`` in published tables; ``None`` if there are no such tables for this space."""
        return None

    def channels(self, stage: int, width: Any) -> int:
        """The number of channels of a stage (1, 2, ...) at a value of its width; by default the value itself."""
        return int(width)

    def value(self, arch: Arch, axis: str) -> Any:
        """The value (not the index) of ``arch`` on ``axis``."""
        return self.axes[axis].values[arch[axis]]

    def values(self, arch: Arch) -> dict[str, Any]:
        """The values of ``arch`` by the names of its active axes."""
        return {name: self.value(arch, name) for name, _ in arch.choices}

    def arch(self, **values: Any) -> Arch:
        """The arch with these values, and the largest value on all other axes.

        Args:
            values: by axis; underscores may replace the dots of axis names.

        Raises:
            DuonasError: no such axis or value.
        """
        indices = {name: len(axis.values) - 1 for name, axis in self.axes.items()}
        for key, value in values.items():
            name = key if key in self.axes else key.replace("_", ".")
            if name not in self.axes:
                raise DuonasError(f"search space {self.name!r} has no axis {name!r}: {nearest(name, self.axes)}.")
            if value not in self.axes[name].values:
                raise DuonasError(f"axis {name!r} has no value {value!r}: choose from {list(self.axes[name].values)}.")
            indices[name] = self.axes[name].values.index(value)
        return self.build(indices)

    def build(self, indices: Mapping[str, int]) -> Arch:
        """The arch with these indices; those of inactive axes are dropped."""
        choices: dict[str, int] = {}
        for name, axis in self.axes.items():
            if axis.parent is None or choices.get(axis.parent, -1) >= axis.minimum:
                choices[name] = indices[name]
        return Arch(self.name, tuple(choices.items()))

    def canonical(self, arch: Arch) -> Arch:
        """The arch of the same network without choices on inactive axes, in the order of the axes."""
        return self.build(dict(arch.choices))

    def validate(self, arch: Arch) -> Arch:
        """``arch`` itself, if it is a canonical arch of this space.

        Raises:
            DuonasError: it is of another space, lacks a choice, or has an unknown or inactive axis or a wrong index.
        """
        if arch.space != self.name:
            raise DuonasError(f"arch {arch.id} belongs to search space {arch.space!r}, not {self.name!r}.")
        for name, index in arch.choices:
            if name not in self.axes:
                raise DuonasError(f"search space {self.name!r} has no axis {name!r}: {nearest(name, self.axes)}.")
            if not 0 <= index < len(self.axes[name].values):
                raise DuonasError(
                    f"axis {name!r} has {len(self.axes[name].values)} values; arch {arch.id} has index {index}."
                )
        try:
            same = self.canonical(arch) == arch
        except KeyError as error:
            raise DuonasError(f"arch {arch.id} has no choice for axis {error.args[0]!r}.") from error
        if not same:
            raise DuonasError(f"arch {arch.id} has choices on inactive axes: use space.canonical(arch).")
        return arch

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw every active axis uniformly."""
        return self.build(self._draw(rng))

    def sample_within(self, big: Arch, rng: np.random.Generator) -> Arch:
        """Draw an arch that ``big`` contains; each active axis uniformly from what big's choice contains."""
        drawn = dict.fromkeys(self.axes, 0)
        for name, index in big.choices:
            within = self._within(self.axes[name], index)
            drawn[name] = within[int(rng.integers(len(within)))]
        return self.build(drawn)

    def cut(self, little: Arch, big: Arch) -> Arch:
        """Make ``little`` a part of ``big``: each choice becomes the largest one, up to itself, that big's contains."""
        indices = dict.fromkeys(self.axes, 0)
        for name, index in little.choices:
            if name in big:
                within = self._within(self.axes[name], big[name])
                indices[name] = max((i for i in within if i <= index), default=within[0])
        return self.build(indices)

    def sample_above(self, least: Mapping[str, int], rng: np.random.Generator) -> Arch:
        """Draw every active axis uniformly from the indices ``least[axis]`` and above."""
        return self.build({name: int(rng.integers(least[name], len(axis.values))) for name, axis in self.axes.items()})

    def mutate(self, arch: Arch, rng: np.random.Generator, p: float = 0.1) -> Arch:
        """Redraw each axis of ``arch`` with probability ``p``; axes that become active are drawn."""
        drawn = self._draw(rng)
        keep = rng.random(len(self.axes)) >= p
        return self.build(
            {
                name: arch[name] if kept and name in arch else drawn[name]
                for name, kept in zip(self.axes, keep, strict=True)
            }
        )

    def crossover(self, a: Arch, b: Arch, rng: np.random.Generator) -> Arch:
        """Take each axis from ``a`` or ``b`` with equal probability; an axis of only one of them from that one."""
        drawn = self._draw(rng)
        from_a = rng.random(len(self.axes)) < 0.5
        child = {}
        for name, first in zip(self.axes, from_a, strict=True):
            parents = (a, b) if first else (b, a)
            child[name] = next((parent[name] for parent in parents if name in parent), drawn[name])
        return self.build(child)

    def changed(self, arch: Arch, axis: str, index: int) -> Arch:
        """``arch`` with index ``index`` on one axis; axes that become active get their smallest value."""
        return self.build({name: arch.get(name, 0) for name in self.axes} | {axis: index})

    def neighbours(self, arch: Arch) -> Iterator[Arch]:
        """All archs that differ from ``arch`` by one choice; see ``changed``."""
        for name, chosen in arch.choices:
            for index in range(len(self.axes[name].values)):
                if index != chosen:
                    yield self.changed(arch, name, index)

    def archs(self) -> Iterator[Arch]:
        """Every arch once, in sorted order of the choices; for spaces that are small enough to enumerate."""

        def extend(chosen: dict[str, int], names: list[str]) -> Iterator[Arch]:
            if not names:
                yield Arch(self.name, tuple(chosen.items()))
                return
            axis, rest = self.axes[names[0]], names[1:]
            if axis.parent is not None and chosen.get(axis.parent, -1) < axis.minimum:
                yield from extend(chosen, rest)
                return
            for index in range(len(axis.values)):
                yield from extend(chosen | {axis.name: index}, rest)

        return extend({}, list(self.axes))

    def smallest(self) -> Arch:
        """The arch that all others contain, where ``has_smallest``; else one with the first value on some axes."""
        return self.build({name: axis.bottom or 0 for name, axis in self.axes.items()})

    @cached_property
    def has_smallest(self) -> bool:
        """Whether every arch contains ``smallest()``, so that no arch costs less."""
        for name, index in self.smallest().choices:
            axis = self.axes[name]
            if axis.bottom is None or axis.bottom != index:
                return False
            if axis.parent is not None and axis.minimum > 0:  # archs without this axis do not contain it
                return False
        return True

    def reduced(self, arch: Arch) -> Arch:
        """A smallest arch that ``arch`` contains: ``smallest()``, or one that contains no other."""
        indices = dict.fromkeys(self.axes, 0)
        for name, index in arch.choices:
            axis = self.axes[name]
            indices[name] = min(self._within(axis, index), key=lambda i: (len(axis.within(i)), i))
        return self.build(indices)

    def largest(self) -> Arch:
        """The arch with the last value on every axis; in an ``ordered`` space it contains all others."""
        return self.build({name: len(axis.values) - 1 for name, axis in self.axes.items()})

    def maximal(self) -> tuple[Arch, ...]:
        """Archs that together have every block at its largest, and every two blocks that may follow each other.

        Channels that these blocks have in common are sorted together (``supernet.sorting``). The default is the
        largest arch; a space where that does not contain all others overrides this.
        """
        return (self.largest(),)

    @cached_property
    def ordered(self) -> bool:
        """Whether every choice contains all smaller ones."""
        return all(axis.weightless is None for axis in self.axes.values())

    def contains(self, big: Arch, little: Arch) -> bool:
        """Whether little's weights are a subset of big's."""
        return bool(self.contained(self.indices(little), self.indices(big)[None])[0])

    def contained(self, little: np.ndarray, bigs: np.ndarray) -> np.ndarray:
        """``contains`` for one little and N bigs by their ``indices``, (A,) and (N, A), as a mask (N,).

        On an axis that is inactive in little (-1) every big contains it; on one that is inactive in big only such a
        little is contained.
        """
        if self.ordered:  # equivalent, and faster
            mask: np.ndarray = np.all(little <= bigs, axis=1)
        else:
            columns = zip(self.axes.values(), little, bigs.T, strict=True)
            mask = np.all([axis.order[mine, theirs] for axis, mine, theirs in columns], axis=0)
        return mask

    def indices(self, arch: Arch) -> np.ndarray:
        """The index on every axis (A,); -1 on inactive axes."""
        choices = dict(arch.choices)
        return np.array([choices.get(name, -1) for name in self.axes], dtype=np.int16)

    def encode(self, arch: Arch) -> np.ndarray:
        """One-hot vector over all axes, (sum of the axes' sizes,) float32; zeros for inactive axes."""
        parts = []
        for name, axis in self.axes.items():
            part = np.zeros(len(axis.values), dtype=np.float32)
            if name in arch:
                part[arch[name]] = 1
            parts.append(part)
        return np.concatenate(parts)

    @property
    def tokens_shape(self) -> tuple[int, int]:
        """The number of axes and the largest number of values of an axis."""
        return len(self.axes), max(len(axis.values) for axis in self.axes.values())

    def tokens(self, arch: Arch) -> np.ndarray:
        """One-hot rows of shape ``tokens_shape``, float32, for generating weights; zeros for inactive axes."""
        rows = np.zeros(self.tokens_shape, dtype=np.float32)
        for row, name in zip(rows, self.axes, strict=True):
            if name in arch:
                row[arch[name]] = 1
        return rows

    @property
    def stages(self) -> int:
        """The number of stages with choices."""
        return max((axis.stage for axis in self.axes.values()), default=0)

    def graft(self, early: Arch, late: Arch, split: int) -> Arch:
        """The choices of ``early`` up to stage ``split``, and those of ``late`` after it."""
        chosen = {name: early if axis.stage <= split else late for name, axis in self.axes.items()}
        return self.build({name: arch.get(name, 0) for name, arch in chosen.items()})

    def size(self, *, after: int = -1, upto: int | None = None) -> int:
        """The exact number of archs, or of combinations of choices in the stages ``after`` < stage <= ``upto``."""
        upto = self.stages if upto is None else upto
        return prod(self._count(axis) for axis in self._children.get(None, []) if after < axis.stage <= upto)

    def nested_pairs(self) -> int:
        """The exact number of pairs (little, big) with ``contains(big, little)``."""
        return prod(self._count_pairs(axis) for axis in self._children.get(None, []))

    def _within(self, axis: Axis, index: int) -> Sequence[int]:
        """The values that value ``index`` contains, without those that have axes which it does not have."""
        if axis.weightless is None:
            return axis.within(index)
        children = self._children.get(axis.name, [])
        return [i for i in axis.within(index) if not any(i >= child.minimum > index for child in children)]

    def _draw(self, rng: np.random.Generator) -> dict[str, int]:
        sizes = [len(axis.values) for axis in self.axes.values()]
        return dict(zip(self.axes, map(int, rng.integers(sizes)), strict=True))

    def _count(self, axis: Axis) -> int:
        return sum(
            prod(self._count(child) for child in self._children.get(axis.name, []) if index >= child.minimum)
            for index in range(len(axis.values))
        )

    def _count_pairs(self, axis: Axis) -> int:
        total = 0
        for big in range(len(axis.values)):
            for little in self._within(axis, big):
                ways = 1
                for child in self._children.get(axis.name, []):
                    if little >= child.minimum:
                        ways *= self._count_pairs(child)
                    elif big >= child.minimum:
                        ways *= self._count(child)
                total += ways
        return total
