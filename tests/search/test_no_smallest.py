"""Spaces where no arch is contained in all others: values with weights of their own, as some operations have."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.core.axis import Axis
from duonas.core.block import BlockSpec, LayerSpec, head_block, input_block, stem_block
from duonas.core.couplings import NestedPairs, SiblingPairs
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.search.goal import Goal
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.strategies.sequential import Sequential
from duonas.spaces.nasbench201 import NasBench201
from duonas.testing import SpaceContract


class Listed(SearchSpace):
    """One layer for each axis, whose cost is that of the value; values of ``weightless`` axes are layers apart.

    Args:
        axes: the choices.
        costs: kernel sizes by axis and index.
    """

    def __init__(self, axes, costs):
        super().__init__("listed", axes, image_size=8, classes=3)
        self.costs = costs

    def blocks(self, arch):
        """Input, stem, one block for each active axis, head."""
        found = [self._block(name, (index,)) for name, index in arch.choices]
        head = head_block(2, 4, 8, 3, 8, activation="relu")
        return (input_block(8, 8), stem_block(4, 8, stride=1, activation="relu"), *found, head)

    def whole(self):
        """Every layer of every axis."""
        found = [self._block(name, range(len(axis.values))) for name, axis in self.axes.items()]
        return (*self.blocks(self.smallest())[:2], *found, self.blocks(self.smallest())[-1])

    def _block(self, name, indices):
        axis = self.axes[name]
        kept = [i for i in indices if axis.weightless is None or axis.values[i] not in axis.weightless]
        if axis.weightless is None:
            kept = [max(indices)]
        layers = [
            LayerSpec("conv" if axis.weightless is None else f"conv{i}", "conv", 4, 4, self.costs[name][i], 1, 1, 8)
            for i in kept
        ]
        return BlockSpec(name, 1, "listed", 4, 4, 8, 8, layers=tuple(layers), operations=tuple(map(str, indices)))


@st.composite
def spaces(draw):
    axes, costs = [], {}
    for number in range(draw(st.integers(1, 4))):
        count, name = draw(st.integers(1, 3)), f"axis{number}"
        values = tuple(range(count))
        weightless = draw(st.one_of(st.none(), st.sets(st.sampled_from(values)).map(sorted).map(tuple)))
        parent = draw(st.sampled_from([None, *[axis.name for axis in axes]]))
        axes.append(Axis(name, values, parent, draw(st.integers(0, 2)) if parent else 0, 1, weightless))
        costs[name] = sorted(draw(st.lists(st.sampled_from([1, 3, 5, 7]), min_size=count, max_size=count)))
        if weightless is not None:
            costs[name] = draw(st.permutations(costs[name]))
    return Listed(axes, costs)


@settings(max_examples=40, deadline=None)
@given(spaces())
def test_a_space_knows_whether_an_arch_is_in_all_others(space):
    archs = list(space.archs())
    assert space.has_smallest == all(space.contains(arch, space.smallest()) for arch in archs)
    for arch in archs:
        for within in (space.reduced(arch), space.sample_within(arch, stream(0)), space.cut(archs[-1], arch)):
            assert space.contains(arch, space.validate(within))


@settings(max_examples=30, deadline=None)
@given(spaces())
def test_a_search_finds_pairs_wherever_there_are_any(space):
    archs, pairs = list(space.archs()), NestedPairs(space)
    every = [PairArch(little, big) for big in archs for little in archs if pairs.contains(PairArch(little, big))]
    assert pairs.size() == len(every)
    assert set(pairs.smallest()) <= set(every) and bool(list(pairs.smallest())) == bool(every)
    problem = Problem(Goal(("accuracy",), {}), Prices(pairs))
    if not every:
        with pytest.raises(DuonasError, match="has no allowed nested pair"):
            problem.check()
        with pytest.raises(DuonasError, match="needs an arch that contains another"):
            pairs.sample(stream(0))
        return
    problem.check()
    strategy = Sequential(problem, Sequential.Options(evaluations=4000), 0)
    assert {each.pair.big for each in strategy.ask(2000)} == {pair.big for pair in every}


OPERATIONS = [
    Axis("edge1", ("wide", "narrow", "grouped"), weightless=()),
    Axis("edge2", ("wide", "narrow"), weightless=()),
    Axis("depth", (1, 2), stage=1),
]
UNORDERED = Listed(OPERATIONS, {"edge1": (7, 1, 5), "edge2": (5, 3), "depth": (1, 3)})


class TestListed(SpaceContract):
    """Two of three choices have weights of their own, and the cheapest is not the first."""

    def space(self):
        return UNORDERED


@pytest.mark.parametrize("coupling", [NestedPairs, SiblingPairs])
def test_a_constraint_that_only_the_cheapest_pair_meets_is_not_refused(coupling):
    pairs = coupling(UNORDERED)
    prices = Prices(pairs)
    archs = list(UNORDERED.archs())
    every = [PairArch(a, b) for a in archs for b in archs if pairs.contains(PairArch(a, b))]
    least = min(prices.figures(pair)["peak_macs"] for pair in every)
    problem = Problem(Goal(("accuracy",), {"peak_macs": float(least)}), prices).check()
    drawn = problem.sample(stream(0))
    assert prices.figures(drawn)["peak_macs"] == least
    with pytest.raises(DuonasError, match=r"peak_macs = .* cannot be met: the smallest pair found needs"):
        Problem(Goal(("accuracy",), {"peak_macs": least - 1.0}), prices).check()


def test_the_smallest_value_need_not_come_first():
    axes = [Axis(f"edge{i}", ("conv", "skip", "wide"), weightless=("skip",)) for i in (1, 2)]
    space = Listed(axes, {"edge1": (3, 1, 5), "edge2": (3, 1, 5)})
    assert space.has_smallest and set(space.values(space.smallest()).values()) == {"skip"}
    pairs = NestedPairs(space)
    assert len(list(pairs.smallest())) == 4 and all(map(pairs.contains, pairs.smallest()))


def test_convolutions_alone_contain_nothing_and_are_told_so():
    axes = {"operation": ["nor_conv_1x1", "nor_conv_3x3"]}
    space = NasBench201.space(NasBench201.Options(channels=2, cells=1, axes=axes), 8, 4)
    assert not space.has_smallest
    with pytest.raises(DuonasError, match="or choose another \\[pair\\] coupling"):
        Problem(Goal(("accuracy",), {}), Prices(NestedPairs(space))).check()
    assert Problem(Goal(("accuracy",), {}), Prices(SiblingPairs(space))).check().starts
