"""``profile --narrow``: the parts of a space, ranked by the size of what meets the constraints."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from typer.testing import CliRunner

import duonas
from duonas.cli.app import app
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.data.splits import load_splits
from duonas.pipeline import narrow as narrowing
from duonas.pipeline.narrow import narrow
from duonas.pipeline.spaces import pairs_of
from duonas.search.prices import Prices
from duonas.spaces.mobilenet import MobileNet

LIMIT = 1_500_000
PRESET = ["space.preset=cifar", "data.image_size=32"]
SPACE = [*PRESET, "space.axes={ width = [0.25, 0.5, 1.0], kernel = [3], depth = [1, 2] }"]
LIMITED = f"search.constraints.expected_macs={LIMIT}"
RECIPE = [*SPACE, LIMITED]


@pytest.fixture(autouse=True, scope="module")
def few():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(narrowing, "DRAWN", 40)
        yield


@pytest.fixture(scope="module")
def found(few):
    return narrow(duonas.load_recipe("digits", RECIPE))


def test_each_resolution_with_each_bound_is_ranked_by_the_mean_macs_of_what_fits(found):
    splits = load_splits(duonas.load_recipe("digits", RECIPE).data, 0)
    every = {(part.axes["resolution"][0], tuple(part.axes["width"])): part for part in found.parts}
    assert set(every) == {(side, widths) for side in (24, 32) for widths in ((0.25,), (0.25, 0.5), (0.25, 0.5, 1.0))}
    sums = [part.macs for part in found.parts]
    assert sums == sorted(sums, reverse=True) and len(set(sums)) == 6
    for (side, widths), part in every.items():
        axes = {"resolution": [side], "width": list(widths), "kernel": [3], "depth": [1, 2]}
        pairs = pairs_of(duonas.Recipe(space={"preset": "cifar", "axes": axes}), MobileNet, splits)
        prices, rng = Prices(pairs), stream(0, "narrow")
        drawn = [pairs.sample(rng) for _ in range(40)]
        fit = [pair for pair in drawn if prices.figures(pair)["expected_macs"] <= LIMIT]
        macs = np.mean([[prices.subnet(each).macs for each in pairs.subnets(pair)] for pair in fit], axis=0)
        assert part.fits == len(fit) / 40 and [part.little_macs, part.big_macs] == pytest.approx(macs.tolist())
    assert 0 < min(part.fits for part in found.parts) < 1


def test_the_line_gives_a_recipe_of_the_best_part(found):
    axes = tomllib.loads(found.line)["axes"]
    assert axes == {"kernel": [3], "depth": [1, 2], **found.parts[0].axes}
    line = found.line.replace("axes = ", "space.axes=")
    assert duonas.load_recipe("digits", [*RECIPE, line]).space.axes == axes


def test_stages_with_widths_of_their_own_keep_them():
    axes = "space.axes={ 'stage1.width' = [0.5, 1.0], 'stage2.width' = [0.25, 0.5] }"
    found = narrow(duonas.load_recipe("digits", [axes, LIMITED]))
    assert sorted(tuple(part.axes["stage1.width"]) for part in found.parts) == [(0.5,), (0.5, 1.0)]
    assert '"stage1.width" = [0.5' in found.line


def test_the_command_shows_the_table_and_the_line():
    shown = CliRunner().invoke(app, ["profile", "digits", "--narrow", *(f"--set={text}" for text in RECIPE)])
    assert shown.exit_code == 0
    assert (
        "drawn pairs that fit" in shown.output
        and "[space]\naxes = { kernel = [3], depth = [1, 2], resolution = [" in shown.output
    )


@pytest.mark.parametrize(("overrides", "sentence"), [
    (SPACE, r"the recipe has none that is known before archs are evaluated: set \[search.constraints\]"),
    ([*SPACE, "search.constraints.naswot=100"], "the recipe has none that is known before archs are evaluated"),
    (["space.name=nasbench201", "space.preset=nasbench201-small", "search.constraints.params=9e4"],
     "'nasbench201' has neither several resolutions"),
    (["space.width_range=[0.25, 1.0]", LIMITED], r"give \[space.axes\] width in place of width_range"),
    ([*SPACE, "search.constraints.expected_macs=10"], "cannot be met: the smallest pair of the space needs"),
])  # fmt: skip
def test_what_cannot_be_narrowed_is_one_sentence(overrides, sentence):
    with pytest.raises(DuonasError, match=sentence):
        narrow(duonas.load_recipe("digits", overrides))
