"""Pairs that are refused, with the reason."""

from __future__ import annotations

import re

import pytest

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.pair import PairSupernet

TABLE = MobileNet.Options(
    preset="digits", axes={"depth": [1, 2], "kernel": [3], "expansion": [1, 2], "width": [0.5, 1.0]}
)
SPACE = MobileNet.space(TABLE, 8, 4)
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
        ("sibling", PairArch(SMALL, LARGE, 2), "its split is 2, but siblings share only the stem (split 0)"),
        ("partial", PairArch(SMALL, SMALL, 2), "its split is 2, and little may branch off after stage 1"),
        (
            "partial",
            PairArch(SMALL, LARGE, 1),
            "up to stage 1 choices must be equal, but stage1.width is 0.5 in little and 1.0 in big",
        ),
    ],
)
def test_a_pair_that_is_not_allowed_is_refused_with_the_reason(coupling, pair, reason):
    pairs = pair_space(SPACE, coupling)
    message = re.escape(f"{pair.id} is not a {coupling} pair: {reason}.")
    with pytest.raises(DuonasError, match=message):
        pairs.validate(pair)
    towers = [MobileNet.supernet(SPACE, (0.5,) * 3, (0.2,) * 3, stream(0, role), TABLE) for role in pairs.roles]
    with pytest.raises(DuonasError, match=message):
        PairSupernet(pairs, *towers).extract_pair(pair)


def test_an_arch_of_elsewhere_is_refused_first():
    other = MobileNet.space(MobileNet.Options(preset="cifar-small"), 32, 4)
    with pytest.raises(DuonasError, match=r"axis 'stage1\.width' has 2 values; .* has index 3"):
        pair_space(SPACE, "nested").validate(PairArch(SMALL, other.largest()))
