"""The contract of search spaces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import numpy as np

from duonas.core.arch import Arch
from duonas.core.couplings import possible_pairs
from duonas.core.narrowed import Alone, WithBig
from duonas.core.pair import PairArch, PairSpace
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.costs.analytic import analytic

SAMPLES = 12  # archs that each law is tried on


class SpaceContract(ABC):
    """What every search space keeps."""

    @abstractmethod
    def space(self) -> SearchSpace:
        """The space under test."""

    def little_space(self) -> SearchSpace | None:
        """The same axes with other blocks, if little is to be made of those."""
        return None

    def archs(self) -> list[Arch]:
        """Samples to try the laws on, the extremes among them."""
        space = self.space()
        return [space.smallest(), space.largest(), *(space.sample(stream(0, "contract", i)) for i in range(SAMPLES))]

    def test_archs_are_valid_and_survive_json(self) -> None:
        """Samples are canonical archs of the space."""
        for arch in self.archs():
            assert self.space().validate(arch) == arch == Arch.from_json(arch.to_json())

    def test_the_seed_decides(self) -> None:
        """Two draws from equal generators are equal."""
        space = self.space()
        assert space.sample(stream(1, "x")) == space.sample(stream(1, "x"))

    def test_operators_stay_inside(self) -> None:
        """Mutation, crossover, neighbours and cutting down give valid archs."""
        space, rng = self.space(), stream(2, "x")
        for a, b in zip(self.archs(), reversed(self.archs()), strict=True):
            for made in (space.mutate(a, rng, 0.3), space.crossover(a, b, rng), space.sample_within(a, rng)):
                assert space.validate(made) == made
            for neighbour in space.neighbours(a):
                assert space.validate(neighbour) != a
            assert space.mutate(a, rng, 0.0) == a

    def test_contains_is_an_order_with_a_top_and_a_bottom(self) -> None:
        """The largest contains every arch where the space is ordered, every arch contains the smallest and itself."""
        space = self.space()
        for arch in self.archs():
            assert space.contains(arch, arch) and space.contains(arch, space.smallest())
            assert space.contains(space.largest(), arch) or not space.ordered
            assert space.contains(arch, space.sample_within(arch, stream(3, arch.id)))

    def test_cutting_down_gives_what_is_contained(self) -> None:
        """And changes nothing where that is so already."""
        space = self.space()
        for little, big in zip(self.archs(), reversed(self.archs()), strict=True):
            cut = space.validate(space.cut(little, big))
            assert space.contains(big, cut) and (cut == little or not space.contains(big, little))

    def test_a_part_has_no_layer_that_the_whole_has_not(self) -> None:
        """What is contained has no other layers, and none larger; and every arch is contained in the whole space."""
        space = self.space()
        for big in self.archs():
            little = space.sample_within(big, stream(14, big.id))
            for part, whole in ((space.blocks(little), space.blocks(big)), (space.blocks(big), space.whole())):
                named = {block.name: block for block in whole}
                for block in part:
                    assert all(layer.params <= named[block.name][layer.name].params for layer in block.layers)

    def test_encoding_is_one_hot_and_tells_archs_apart(self) -> None:
        """As many ones as active axes; different archs, different codes."""
        codes = {}
        for arch in self.archs():
            code = self.space().encode(arch)
            assert code.sum() == len(arch.choices) and set(np.unique(code)) <= {0.0, 1.0}
            codes[arch] = code.tobytes()
        assert len(set(codes.values())) == len(codes)

    def test_size_counts_different_archs(self) -> None:
        """Where the space can be walked through, the count is exact."""
        space = self.space()
        assert space.size() >= len(set(self.archs()))
        if space.size() <= 5000:
            assert len(set(space.archs())) == space.size()

    def test_blocks_chain_from_image_to_classes(self) -> None:
        """Each block takes what the one before it gives, stages rise, names are unique."""
        space = self.space()
        for arch in self.archs():
            blocks = space.blocks(arch)
            assert blocks[0].resolution == space.image_size and blocks[-1].out_channels == space.classes
            for before, after in pairwise(blocks):
                assert (before.out_channels, before.out_resolution) == (after.in_channels, after.resolution)
                assert before.stage <= after.stage
            assert len({block.name for block in blocks}) == len(blocks)

    def test_nothing_costs_more_than_the_largest(self) -> None:
        """Macs and params of a contained arch never exceed those of what contains it."""
        space = self.space()
        for big in self.archs():
            little = space.sample_within(big, stream(4, big.id))
            mine, other = analytic(space.blocks(little)), analytic(space.blocks(big))
            assert mine.macs <= other.macs and mine.params <= other.params

    def couplings(self) -> list[PairSpace]:
        """The space of pairs under every coupling that this search space can have."""
        return list(possible_pairs(self.space(), little=self.little_space()).values())

    def pair_spaces(self) -> list[PairSpace]:
        """The same, and of each the parts that a search of one arch at a time looks at."""
        whole = self.couplings()
        bigs = [WithBig(pairs, pairs.sample(stream(13, "big")).big) for pairs in whole]
        return [*whole, *bigs, *(Alone(pairs) for pairs in whole)]

    def test_whatever_makes_a_pair_it_is_allowed(self) -> None:
        """Under every coupling; and the pair's archs are of the space."""
        for pairs in self.pair_spaces():
            rng = stream(5, "x")
            for _ in range(SAMPLES):
                a, b = pairs.sample(rng), pairs.sample(rng)
                for pair in (a, pairs.mutate(a, rng, 0.3), pairs.crossover(a, b, rng), *pairs.smallest()):
                    assert pairs.validate(pair) == PairArch.from_json(pair.to_json()) == pair
                    little, big = map(pairs.space.indices, (pair.little, pair.big))
                    assert pairs.matches(little, big[None], pair.split).tolist() == [True]

    def test_the_number_of_pairs_is_exact(self) -> None:
        """Where the space can be walked through."""
        archs = list(self.space().archs()) if self.space().size() <= 300 else []
        for pairs in self.couplings():
            found = {big: self.count_with(pairs, big, archs) for big in archs}
            assert not archs or pairs.size() == sum(found.values())
            assert all(pairs.size_with(big) == number for big, number in found.items())
            assert all(any(pairs.smallest_with(big)) == (number > 0) for big, number in found.items())
            assert not archs or Alone(pairs).size() == sum(number > 0 for number in found.values())

    def count_with(self, pairs: PairSpace, big: Arch, archs: list[Arch]) -> int:
        """How many pairs with one big there are, by walking through them."""
        return sum(pairs.contains(PairArch(little, big, split)) for little in archs for split in pairs.splits)

    def test_shared_blocks_are_the_same_blocks(self) -> None:
        """What two towers share is equal in both, and it is all of the stages up to the split."""
        for pairs in self.pair_spaces():
            for i in range(SAMPLES):
                pair = pairs.sample(stream(12, i))
                little, big = map(pairs.blocks, pairs.subnets(pair))
                shared = pairs.shared(pair)
                assert little[:shared] == big[:shared]
                assert pair.split == 0 or shared == sum(block.stage <= pair.split for block in little)
