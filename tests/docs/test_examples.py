"""The examples run as they are, and the own space keeps every law of the shipped ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import duonas
from duonas.core.options import RouteOptions, SpaceOptions
from duonas.core.rng import stream
from duonas.routing.routers.make import make_router
from duonas.testing import RouterContract, SupernetContract

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICK = ["train.epochs=2", "train.batch_size=16", "search.evaluations=4", "search.population=4",
         "search.recalibration_images=32", "measure.latency_images=5", "measure.throughput_batches=2"]  # fmt: skip


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestOwnSpace(SupernetContract):
    def supernet(self):
        family = example("own_space").FAMILY
        space = family.space(SpaceOptions(), 8, 5)
        return family.supernet(space, (0.5,) * 3, (0.2,) * 3, stream(0, "init"), SpaceOptions())


class TestOwnRouter(RouterContract):
    def router(self):
        return make_router(RouteOptions(router=f"{EXAMPLES / 'own_router.py'}:Contrast"))


def test_own_space_goes_through_the_whole_pipeline(tmp_path):
    recipe = duonas.load_recipe("quickstart", [f"space.name={EXAMPLES / 'own_space.py'}:FAMILY", *QUICK])
    run = duonas.run(recipe, tmp_path / "run")
    assert (run / "report.html").exists()
    bundle = duonas.Bundle.load(run / "export")
    assert bundle.predict(np.zeros((2, 3, 8, 8), np.float32)).logits.shape == (2, 10)


@pytest.fixture
def pictures(tmp_path):
    """Two classes of images of many sizes: bright above, bright below."""
    for label, name in enumerate(("above", "below")):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(40):
            rng = stream(0, name, number)
            height, width = map(int, rng.integers(24, 60, 2))
            pixels = rng.integers(0, 120, (height, width, 3), dtype=np.uint8)
            half = slice(height // 2, None) if label else slice(None, height // 2)
            pixels[half] += 120
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number}.png")
    return tmp_path / "pictures"


def test_own_images_end_in_a_routed_file(tmp_path, pictures, capsys):
    example("own_images").main(str(pictures), str(tmp_path / "run"), *QUICK)
    said = capsys.readouterr().out
    assert said.count(" by ") == 3 and ("above" in said or "below" in said)
    assert (tmp_path / "run" / "export" / "dynamic.onnx").exists()
