"""``profile --narrow``: the parts of a space, ranked by the size of what meets the constraints."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from typer.testing import CliRunner

import duonas
from duonas.cli.app import app
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.rng import stream
from duonas.data.splits import load_splits
from duonas.pipeline import context as contexts
from duonas.pipeline import narrow as narrowing
from duonas.pipeline.context import Context
from duonas.pipeline.narrow import narrow
from duonas.pipeline.profile import profile
from duonas.pipeline.reuse import difference
from duonas.pipeline.spaces import pairs_of
from duonas.report.summary import searched
from duonas.rundir.folder import RunFolder
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


SMALL = ["space.axes={ width = [0.25, 0.5, 1.0], kernel = [3], depth = [1], expansion = [1] }", "train.epochs=1",
         "train.batch_size=256", "train.accelerator=cpu", "search.constraints.peak_macs=46000",
         "search.narrow=true"]  # fmt: skip


@pytest.fixture(scope="module")
def trained(few, tmp_path_factory):
    return duonas.run(duonas.load_recipe("digits", SMALL), tmp_path_factory.mktemp("narrow") / "run", until="train")


def test_a_run_trains_the_best_part_alone(trained):
    recipe = duonas.load_recipe("digits", SMALL)
    best = narrow(recipe)
    assert len(best.parts) > 1 and best.axes["width"] == [0.25, 0.5]
    run = RunFolder(trained.folder)
    assert run.recipe.search.narrow and run.recipe.space.axes == recipe.space.axes
    assert read_json(run.narrow) == {"axes": best.axes, "said": best.said}
    context = Context(run.recipe, run)
    assert context.recipe.space.axes == best.axes
    assert set(context.space.axes["stage1.width"].values) == set(best.axes["width"])
    assert context.supernet.big.space is context.pairs.space  # and the weights fit


def test_a_run_that_has_begun_keeps_its_part(trained, monkeypatch):
    monkeypatch.setattr(contexts, "narrow", None)
    duonas.run(duonas.load_recipe("digits", SMALL), trained.folder, until="train")
    run = RunFolder(trained.folder)
    assert Context(run.recipe, run).recipe.space.axes == read_json(run.narrow)["axes"]


def test_its_supernet_is_that_of_a_recipe_with_these_axes(trained, tmp_path):
    best = narrow(duonas.load_recipe("digits", SMALL))
    whole = duonas.load_recipe("digits", SMALL[:-1])
    line = best.line.replace("axes = ", "space.axes=")
    same = duonas.load_recipe("digits", [*SMALL[:-1], line])
    assert difference(best.within(duonas.load_recipe("digits", SMALL)), same) == ""
    duonas.run(same, tmp_path / "same", until="train", supernet=trained.folder)
    with pytest.raises(DuonasError, match=r"was trained with another \[space\]"):
        duonas.run(whole, tmp_path / "whole", until="train", supernet=trained.folder)


def test_profile_is_of_the_part_and_says_so():
    recipe = duonas.load_recipe("digits", SMALL)
    best = narrow(recipe)
    found = profile(recipe)
    assert found.narrowed == best.said and found.archs == profile(best.within(recipe)).archs
    assert best.said.startswith(
        "The search is narrowed to the part of the space with resolution = [8], width = [0.25, "
    )
    front = {"points": [{"accuracy": 0.5}], "chosen": 0}
    assert searched(front, {"said": best.said}) == f"{best.said} {searched(front)}"


@pytest.mark.parametrize(("overrides", "sentence"), [
    (["search.narrow=true"], "narrowing ranks the parts of a space by what meets the constraints"),
    ([*SMALL, "search.constraints.peak_macs=10"], "cannot be met"),
])  # fmt: skip
def test_what_cannot_be_narrowed_is_refused_before_training_and_leaves_nothing(overrides, sentence, tmp_path):
    with pytest.raises(DuonasError, match=sentence):
        duonas.run(duonas.load_recipe("digits", overrides), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_pair_that_is_given_needs_no_part():
    with pytest.raises(DuonasError, match=r"narrow chooses a part of the space, and \[search.pair\] names the pair"):
        duonas.load_recipe("digits", [*SMALL, "search.pair.little={ width = 0.25 }"])
