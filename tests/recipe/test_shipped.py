"""Every shipped recipe trains: two steps of it, on images made here where its own would be downloaded."""

from __future__ import annotations

import numpy as np
import pytest

import duonas
from duonas.core.files import read_json
from duonas.core.progress import Silent
from duonas.core.rng import stream
from duonas.data.sources.imagenet100 import CLASSES
from duonas.recipe.read import shipped
from duonas.rundir.folder import RunFolder

COMPLETE = [name for name in shipped() if name not in ("own-images", "cascade")]  # which need the user's own
SMALL = {
    "own-images-128": ["data.image_size=64", "space.axes.resolution=[64]", "pair.little.axes.resolution=[32]"],
    "own-images-128-fast": ["data.image_size=64", "space.axes.resolution=[64]"],
    "own-images-224": ["data.image_size=64", "space.axes.resolution=[64]", "pair.little.axes.resolution=[32]"],
    "own-images-64": [],
}


class TwoSteps(Silent):
    """Stops training as Ctrl-C would, at the second report."""

    def stage(self, name):
        return self if name in ("train", "finetune") else super().stage(name)

    def __enter__(self):
        self.told = 0
        return self

    def __exit__(self, *_):
        return False

    def __call__(self, done, total, **figures):
        self.told += done > 0
        if self.told == 2:
            raise KeyboardInterrupt


LARGE = (
    "uib-imagenet",
    "cifar10",
    "cifar100",
    "imagenet100",
    "nasbench201",
)  # which take a minute each, and teach little that others do not


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in COMPLETE]
)
def test_two_steps_of_every_shipped_recipe(name, make_shard, make_folder, make_imagenet, make_coco, tmp_path):
    overrides = ["train.batch_size=4", "train.accelerator=cpu", "train.checkpoint_seconds=0.000001"]
    overrides.append("search.device.table=none")
    data = duonas.load_recipe(name).data.name
    if data == "folder":  # of smaller images than its own
        overrides += [
            f"data.path={make_folder({'a': 5, 'b': 5}, under='train')}",
            *SMALL.get(name, ["data.image_size=32"]),
        ]
        overrides.append(f"data.cache={tmp_path / 'cache'}")
    elif data == "imagenet100":
        overrides += [f"data.path={make_imagenet(CLASSES)}", "data.image_size=32", f"data.cache={tmp_path / 'cache'}"]
    elif data == "visual_wake_words":
        images = {"train": [[(1, 0.2)], []] * 5, "val": [[(1, 0.2)], []]}
        overrides += [f"data.path={make_coco(images)}", "data.image_size=32", f"data.cache={tmp_path / 'cache'}"]
    elif data not in ("digits", "clothing"):
        classes = {"cifar10": 10, "cifar100": 100}[data]
        names = [f"c{i}" for i in range(classes)]
        for part, count in (("train", 3), ("test", 1)):
            pixels = stream(0, part).integers(0, 256, (classes * count, 3, 32, 32), dtype=np.uint8)
            shards = make_shard(f"{part}-0", pixels, list(range(classes)) * count, names=names)
        overrides.append(f"data.path={shards}")
    recipe = duonas.load_recipe(name, overrides)
    with pytest.raises(KeyboardInterrupt):
        duonas.run(recipe, tmp_path / "run", progress=TwoSteps())
    stage = "train" if recipe.trains_supernet else "finetune"
    lines = RunFolder(tmp_path / "run").read_log(stage)
    assert len(lines) == 2 and lines[1]["step"] >= 2 and all(np.isfinite(line["loss"]) for line in lines)
    assert stage not in read_json(tmp_path / "run" / "stages.json")["stages"]


@pytest.mark.parametrize("name", COMPLETE)
def test_a_shipped_evolution_goes_through_all_its_generations(name):
    search = duonas.load_recipe(name).search
    if search.strategy == "evolution":
        settings = search.evolution
        whole = settings.population + settings.iterations * (settings.mutations + settings.crossovers)
        assert search.evaluations == whole


def test_the_quickstart_can_find_a_little_of_a_tenth_of_big():
    macs = duonas.profile(duonas.load_recipe("quickstart", ["search.device.table=none"])).figures["macs"]
    assert 10 * macs.least < macs.most
