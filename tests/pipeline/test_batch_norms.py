"""No batch norm has to take the variance of a single value: it is refused before any training, or never happens."""

from __future__ import annotations

import pytest

import duonas
from duonas.core.errors import DuonasError
from duonas.core.files import read_json

SMALL = ["train.epochs=1", "train.ema=0", "search.evaluations=4", "search.population=4", "measure.latency_images=2",
         "measure.throughput_batches=1", "data.image_size=4", "space.axes={depth = [1, 2], kernel = [3]}"]  # fmt: skip


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["train.batch_size=1"],
            r"\[train\] batch_size = 1: the batch norm of block 'stage2.block0' gets maps of 1 x 1",
        ),
        (["finetune.mode=joint", "finetune.batch_size=1"], r"\[finetune\] batch_size = 1: the batch norm of block"),
        (["baselines.networks=['mobilenetv3_small_050']", "baselines.batch_size=1"], r"\[baselines\] batch_size = 1"),
        (["baselines.plain=true", "baselines.batch_size=1"], r"\[baselines\] batch_size = 1: the batch norm of block"),
    ],
)
def test_a_batch_of_one_image_is_refused_before_any_training(tmp_path, overrides, message):
    recipe = duonas.load_recipe("digits", [*SMALL, *overrides])
    with pytest.raises(DuonasError, match=message):
        duonas.profile(recipe)
    with pytest.raises(DuonasError, match=message):
        duonas.run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_batch_of_one_image_is_fine_where_maps_are_larger():
    recipe = duonas.load_recipe("digits", ["train.batch_size=1", "baselines.plain=true"])
    assert duonas.profile(recipe).refusal is None


def test_static_networks_need_two_images_whatever_the_space():
    overrides = ["baselines.networks=['mobilenetv3_small_050']", "baselines.batch_size=1"]
    with pytest.raises(DuonasError, match=r"\[baselines\] batch_size = 1: networks have batch norms"):
        duonas.profile(duonas.load_recipe("digits", overrides))


def test_recalibration_on_one_image_is_refused():
    with pytest.raises(DuonasError, match=r"\[search\] recalibration_images must be at least 2, got 1"):
        duonas.load_recipe("digits", ["search.recalibration_images=1"])


def test_maps_of_one_pixel_are_searched_one_image_at_a_time(tmp_path):
    few = ["search.batch_size=1", "search.recalibration_images=3", "train.batch_size=64", "data.val=0.02"]
    folder = duonas.run(duonas.load_recipe("digits", [*SMALL, *few]), tmp_path / "run", until="finetune")
    assert read_json(tmp_path / "run" / "front.json")["evaluated_archs"] > 0 and folder
