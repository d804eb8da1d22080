"""A search space is its table of axes: counting, walking and drawing must agree with each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.core.arch import Arch
from duonas.core.axis import Axis
from duonas.core.block import BlockSpec, head_block, input_block, stem_block
from duonas.core.couplings import NestedPairs, pair_space
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.core.space import SearchSpace


class Tiny(SearchSpace):
    """Depth with a nested kernel and expansion: small enough to enumerate."""

    def __init__(self) -> None:
        axes = [
            Axis("width", (4, 8)),
            Axis("depth", (1, 2, 3)),
            Axis("kernel2", (3, 5), "depth", 1),
            Axis("kernel3", (3, 5), "depth", 2),
            Axis("dilation3", (1, 2), "kernel3", 1),
        ]
        super().__init__("tiny", axes, image_size=8, classes=3)

    def blocks(self, arch: Arch) -> tuple[BlockSpec, ...]:
        stem = stem_block(self.value(arch, "width"), 8, stride=1, activation="relu")
        return (input_block(8, 8), stem, head_block(1, stem.out_channels, 8, 3, 8, activation="relu"))


SPACE = Tiny()
ARCHS = list(SPACE.archs())
archs = st.sampled_from(ARCHS)
seeds = st.integers(0, 2**32)


def test_size_is_the_number_of_different_archs():
    assert len(set(ARCHS)) == len(ARCHS) == SPACE.size()
    assert SPACE.size() == 2 * (1 + 2 + 2 * (1 + 2))


def test_nested_pairs_equal_brute_force():
    brute = sum(SPACE.contains(big, little) for big in ARCHS for little in ARCHS)
    assert SPACE.nested_pairs() == brute
    assert NestedPairs(SPACE).size() == brute - len(ARCHS)


@given(archs, archs, seeds)
def test_operators_stay_inside_the_space(a, b, seed):
    rng = np.random.default_rng(seed)
    for made in (SPACE.sample(rng), SPACE.mutate(a, rng, 0.5), SPACE.crossover(a, b, rng), SPACE.sample_within(a, rng)):
        assert SPACE.validate(made) in ARCHS
    assert all(SPACE.validate(n) in ARCHS and n != a for n in SPACE.neighbours(a))
    assert SPACE.contains(a, SPACE.sample_within(a, rng))


@given(archs, seeds)
def test_no_mutation_is_the_identity_and_seeds_decide(arch, seed):
    assert SPACE.mutate(arch, np.random.default_rng(seed), 0.0) == arch
    draws = [SPACE.sample(np.random.default_rng(seed)) for _ in range(2)]
    assert draws[0] == draws[1]


@given(archs, archs, archs)
def test_contains_is_a_partial_order(a, b, c):
    assert SPACE.contains(a, a)
    assert SPACE.contains(SPACE.largest(), a) and SPACE.contains(a, SPACE.smallest())
    if SPACE.contains(a, b) and SPACE.contains(b, a):
        assert a == b
    if SPACE.contains(a, b) and SPACE.contains(b, c):
        assert SPACE.contains(a, c)


def test_encoding_tells_all_archs_apart():
    codes = {SPACE.encode(arch).tobytes() for arch in ARCHS}
    assert len(codes) == len(ARCHS)
    assert SPACE.encode(SPACE.smallest()).sum() == 2  # width and depth are active, nothing else


@given(archs)
def test_arch_survives_json_and_keeps_its_id(arch):
    again = Arch.from_json(arch.to_json())
    assert again == arch and again.id == arch.id and len(arch.id) == 8


@given(archs, seeds)
def test_pairs_nest_whatever_made_them(arch, seed):
    pairs, rng = NestedPairs(SPACE), np.random.default_rng(seed)
    a, b = pairs.sample(rng), pairs.sample(rng)
    repaired = pairs.repair(PairArch(a.little, arch), rng)
    for pair in (a, b, pairs.mutate(a, rng, 0.5), pairs.crossover(a, b, rng), repaired):
        assert pairs.contains(pair) and PairArch.from_json(pair.to_json()) == pair
        SPACE.validate(pair.little)


def test_largest_values_fill_in_what_a_user_leaves_out():
    arch = SPACE.arch(depth=1, width=4)
    assert arch == SPACE.smallest()
    with pytest.raises(DuonasError, match="no axis 'dept': did you mean 'depth'"):
        SPACE.arch(dept=1)
    with pytest.raises(DuonasError, match=r"axis 'depth' has no value 9: choose from \[1, 2, 3\]"):
        SPACE.arch(depth=9)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        (Arch("other", ()), "belongs to search space 'other', not 'tiny'"),
        (Arch("tiny", (("width", 0), ("dept", 0))), "did you mean 'depth'"),
        (Arch("tiny", (("width", 7), ("depth", 0))), "axis 'width' has 2 values"),
        (Arch("tiny", (("width", 0),)), "no choice for axis 'depth'"),
        (Arch("tiny", (("width", 0), ("depth", 0), ("kernel2", 1))), "inactive"),
    ],
)
def test_a_foreign_arch_is_refused_in_one_sentence(arch, message):
    with pytest.raises(DuonasError, match=message):
        SPACE.validate(arch)


def test_unknown_coupling_is_refused():
    with pytest.raises(DuonasError, match="no coupling 'nestled': did you mean 'nested'"):
        pair_space(SPACE, "nestled")
