"""The contract of search spaces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import numpy as np

from duonas.core.arch import Arch
from duonas.core.couplings import possible_pairs
from duonas.core.pair import PairArch, PairSpace
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.costs.analytic import analytic

SAMPLES = 8  # random archs per test


def some_archs(space: SearchSpace) -> list[Arch]:
    """Return the smallest arch of a space, the largest, and random ones."""
    return [space.smallest(), space.largest(), *(space.sample(stream(0, "contract", i)) for i in range(SAMPLES))]


class SpaceContract(ABC):
    """Tests of every search space."""

    @abstractmethod
    def space(self) -> SearchSpace:
        """Return the space under test."""

    def little_space(self) -> SearchSpace | None:
        """Return a space of little's own, if any: of the same axes with other blocks, or any other."""
        return None

    def archs(self) -> list[Arch]:
        """Return archs to test: the smallest, the largest and random ones."""
        return some_archs(self.space())

    def test_archs_are_valid_and_survive_json(self) -> None:
        """Samples are canonical archs of the space."""
        for arch in self.archs():
            assert self.space().validate(arch) == arch == Arch.from_json(arch.to_json())

    def test_the_seed_decides(self) -> None:
        """Equal generators give equal archs."""
        space = self.space()
        assert space.sample(stream(1, "x")) == space.sample(stream(1, "x"))

    def test_operators_stay_inside(self) -> None:
        """Mutation, crossover, neighbours and ``sample_within`` give valid archs."""
        space, rng = self.space(), stream(2, "x")
        for a, b in zip(self.archs(), reversed(self.archs()), strict=True):
            for made in (space.mutate(a, rng, 0.3), space.crossover(a, b, rng), space.sample_within(a, rng)):
                assert space.validate(made) == made
            for neighbour in space.neighbours(a):
                assert space.validate(neighbour) != a
            assert space.mutate(a, rng, 0.0) == a

    def test_contains_is_an_order_with_a_top_and_a_bottom(self) -> None:
        """Every arch contains itself; the largest has all in an ordered space; the smallest is in all if any is."""
        space = self.space()
        for arch in self.archs():
            assert space.contains(arch, arch)
            assert space.contains(arch, space.smallest()) or not space.has_smallest
            assert space.contains(arch, space.reduced(arch))
            assert space.contains(space.largest(), arch) or not space.ordered
            assert space.contains(arch, space.sample_within(arch, stream(3, arch.id)))

    def test_cutting_down_gives_what_is_contained(self) -> None:
        """``cut`` returns a contained arch, and a contained arch unchanged."""
        space = self.space()
        for little, big in zip(self.archs(), reversed(self.archs()), strict=True):
            cut = space.validate(space.cut(little, big))
            assert space.contains(big, cut) and (cut == little or not space.contains(big, little))

    def test_a_part_has_no_layer_that_the_whole_has_not(self) -> None:
        """A contained arch has no other and no larger layers; every arch is contained in the whole space."""
        space = self.space()
        for big in self.archs():
            little = space.sample_within(big, stream(14, big.id))
            for part, whole in ((space.blocks(little), space.blocks(big)), (space.blocks(big), space.whole())):
                named = {block.name: block for block in whole}
                for block in part:
                    assert all(layer.params <= named[block.name][layer.name].params for layer in block.layers)

    def test_encoding_is_one_hot_and_tells_archs_apart(self) -> None:
        """There are as many ones as active axes, and different archs have different codes."""
        codes = {}
        for arch in self.archs():
            code = self.space().encode(arch)
            assert code.sum() == len(arch.choices) and set(np.unique(code)) <= {0.0, 1.0}
            codes[arch] = code.tobytes()
        assert len(set(codes.values())) == len(codes)

    def test_size_counts_different_archs(self) -> None:
        """The count is exact if the space can be enumerated."""
        space = self.space()
        assert space.size() >= len(set(self.archs()))
        if space.size() <= 5000:
            assert len(set(space.archs())) == space.size()

    def test_blocks_chain_from_image_to_classes(self) -> None:
        """Shapes of consecutive blocks agree, stages ascend, names are unique."""
        space = self.space()
        for arch in self.archs():
            blocks = space.blocks(arch)
            assert blocks[0].resolution == space.image_size and blocks[-1].out_channels == space.classes
            for before, after in pairwise(blocks):
                assert (before.out_channels, before.out_resolution) == (after.in_channels, after.resolution)
                assert before.stage <= after.stage
            assert len({block.name for block in blocks}) == len(blocks)

    def test_nothing_costs_more_than_the_largest(self) -> None:
        """MACs and parameters of a contained arch do not exceed those of the containing one."""
        space = self.space()
        for big in self.archs():
            little = space.sample_within(big, stream(4, big.id))
            mine, other = analytic(space.blocks(little)), analytic(space.blocks(big))
            assert mine.macs <= other.macs and mine.params <= other.params

    def couplings(self) -> list[PairSpace]:
        """Return the pair space of every possible coupling that shares weights, or the independent pairs of two spaces.

        Independent pairs of a single space are siblings with a second stem, and add nothing to what these test.
        """
        found = possible_pairs(self.space(), little=self.little_space())
        return [pairs for pairs in found.values() if pairs.shares or len(found) == 1]

    def test_whatever_makes_a_pair_it_is_allowed(self) -> None:
        """Sampled, mutated, crossed and smallest pairs are valid under every coupling."""
        for pairs in self.couplings():
            rng = stream(5, "x")
            for _ in range(SAMPLES):
                a, b = pairs.sample(rng), pairs.sample(rng)
                for pair in (a, pairs.mutate(a, rng, 0.3), pairs.crossover(a, b, rng), *pairs.smallest()):
                    assert pairs.validate(pair) == PairArch.from_json(pair.to_json()) == pair
                    little = pairs.spaces["little"].indices(pair.little)
                    big = pairs.space.indices(pair.big)
                    assert pairs.matches(little, big[None], pair.split).tolist() == [True]

    def test_the_number_of_pairs_is_exact(self) -> None:
        """The count is exact if the spaces can be enumerated."""
        for pairs in self.couplings():
            if max(space.size() for space in pairs.spaces.values()) > 300:
                continue
            littles, bigs = list(pairs.spaces["little"].archs()), list(pairs.space.archs())
            found = [PairArch(little, big, split) for little in littles for big in bigs for split in pairs.splits]
            assert pairs.size() == sum(map(pairs.contains, found))

    def test_shared_blocks_are_the_same_blocks(self) -> None:
        """Shared blocks are equal in both towers, and are those of the stages up to the split."""
        for pairs in self.couplings():
            for i in range(SAMPLES):
                pair = pairs.sample(stream(12, i))
                little, big = map(pairs.blocks, pairs.subnets(pair))
                shared = pairs.shared(pair)
                assert little[:shared] == big[:shared]
                assert pair.split == 0 or shared == sum(block.stage <= pair.split for block in little)
