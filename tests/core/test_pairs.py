"""Pairs that are refused, with the reason; and the parts of a pair space that a search looks at one by one."""

from __future__ import annotations

import re

import pytest

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.narrowed import Alone, WithBig
from duonas.core.options import SpaceOptions
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.spaces.mobilenet import FAMILY
from duonas.supernet.pair import PairSupernet

TABLE = SpaceOptions(preset="digits", axes={"depth": [1, 2], "kernel": [3], "expansion": [1, 2], "width": [0.5, 1.0]})
SPACE = FAMILY.space(TABLE, 8, 4)
SMALL, LARGE = SPACE.smallest(), SPACE.largest()


@pytest.mark.parametrize(
    ("coupling", "pair", "reason"),
    [
        (
            "nested",
            PairArch(LARGE, SMALL),
            "little is not contained in big, its stage1.width is 1.0 more than big's 0.5",
        ),
        (
            "nested",
            PairArch(SPACE.arch(stage1_block1_expansion=1), SPACE.arch(stage1_depth=1)),
            "little is not contained in big, its stage1.depth is 2 more than big's 1",
        ),
        ("nested", PairArch(SMALL, SMALL), "little and big are the same arch"),
        ("nested", PairArch(SMALL, LARGE, 1), "its split is 1, but nested pairs have one tower that splits nowhere"),
        ("sibling", PairArch(SMALL, LARGE, 2), "its split is 2, but siblings share the stem alone (split 0)"),
        ("partial", PairArch(SMALL, SMALL, 2), "its split is 2, and little may branch off after stage 1"),
        (
            "partial",
            PairArch(SMALL, LARGE, 1),
            "up to stage 1 both make the same choices, but stage1.width is 0.5 in little and 1.0 in big",
        ),
    ],
)
def test_a_pair_that_is_not_allowed_is_refused_with_the_reason(coupling, pair, reason):
    pairs = pair_space(SPACE, coupling)
    message = re.escape(f"{pair.id} is not a {coupling} pair: {reason}.")
    with pytest.raises(DuonasError, match=message):
        pairs.validate(pair)
    towers = [FAMILY.supernet(SPACE, (0.5,) * 3, (0.2,) * 3, stream(0, role), TABLE) for role in pairs.roles]
    with pytest.raises(DuonasError, match=message):
        PairSupernet(pairs, *towers).extract_pair(pair)


def test_an_arch_of_elsewhere_is_refused_first():
    other = FAMILY.space(SpaceOptions(preset="cifar-small"), 32, 4)
    with pytest.raises(DuonasError, match=r"axis 'stage1\.width' has 2 values; .* asks for number 3"):
        pair_space(SPACE, "nested").validate(PairArch(SMALL, other.largest()))


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
def test_given_big_what_is_left_is_its_littles(coupling):
    pairs, rng = pair_space(SPACE, coupling), stream(0)
    big = pairs.sample(rng).big
    part = WithBig(pairs, big)
    drawn = {part.sample(rng) for _ in range(2000)}
    archs = list(SPACE.archs())
    allowed = {PairArch(little, big, split) for little in archs for split in pairs.splits}
    allowed = {pair for pair in allowed if pairs.contains(pair)}
    assert drawn == allowed and len(allowed) == part.size()
    other = next(arch for arch in archs if arch != big and any(pairs.smallest_with(arch)))
    assert not any(part.contains(pair) for pair in pairs.smallest_with(other))
    assert part.size_with(other) == 0 and not any(part.smallest_with(other))
    with pytest.raises(DuonasError, match=f"its big must be {big.id}"):
        part.validate(next(pairs.smallest_with(other)))


def test_no_little_goes_with_the_smallest_nested_big():
    pairs = pair_space(SPACE, "nested")
    with pytest.raises(DuonasError, match="there is no smaller arch"):
        WithBig(pairs, SMALL)
    assert not Alone(pairs).contains(PairArch(SMALL, SMALL)) and Alone(pairs).contains(PairArch(LARGE, LARGE))
    assert Alone(pairs).repair(PairArch(LARGE, SMALL), stream(0)).big != SMALL
