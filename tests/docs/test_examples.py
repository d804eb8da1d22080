"""The examples run as they are, and each keeps the laws of its kind."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import duonas
from duonas.core.couplings import pair_space
from duonas.core.files import read_json
from duonas.core.registry import find, options_of
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.routing.options import RouteOptions
from duonas.routing.router import make_router
from duonas.search.goal import Goal
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.options import SpaceOptions
from duonas.supernet.pair import PairSupernet
from duonas.testing import (
    AugmentationContract,
    BaselineContract,
    DivergenceContract,
    RouterContract,
    RuleContract,
    SamplerContract,
    ScoreContract,
    SourceContract,
    SpaceContract,
    StrategyContract,
    SupernetContract,
    TargetContract,
    TermContract,
    WeightingContract,
)
from duonas.training.divergence import make_divergence
from duonas.training.sampler import make_sampler

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICK = ["train.epochs=2", "train.batch_size=16", "search.evaluations=4",
         "search.recalibration_images=32", "measure.latency_images=5", "measure.throughput_batches=2"]  # fmt: skip
MEAN, STD = (0.5,) * 3, (0.2,) * 3


def own(text):
    """The name of a part of an example, such as ``own_rule:Drawn``."""
    file, _, name = text.partition(":")
    return f"{EXAMPLES / file}.py:{name}"


def made(kind, text, **options):
    """A part of an example."""
    return find(kind, own(text))(options_of(kind, own(text))(**options))


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def supernet(family, options, size=8, classes=5):
    space = build_space(family, options, size, classes)
    return build_supernet(family, space, MEAN, STD, stream(0, "init"), options)


class TestOwnSpace(SupernetContract):
    def supernet(self):
        return supernet(find("space", own("own_space:Plain")), SpaceOptions())


class TestOwnOutline(SpaceContract):
    def space(self):
        return build_space(find("space", own("own_outline:Slim")), options_of("space", own("own_outline:Slim"))(), 8, 5)


class TestOwnWeights(SupernetContract):
    def supernet(self):
        weights = options_of("weights", own("own_weights:Two"))(name=own("own_weights:Two"))
        return supernet(MobileNet, MobileNet.Options(preset="digits", axes={"depth": [1]}, weights=weights))


class TestOwnRouter(RouterContract):
    def router(self):
        return make_router(RouteOptions(router=own("own_router:Contrast")))


class TestOwnScore(ScoreContract):
    def score(self):
        return own("own_score:Agreement")


class TestOwnRule(RuleContract):
    def supernet(self):
        net = supernet(MobileNet, MobileNet.Options(preset="digits", axes={"depth": [1]}))
        return PairSupernet(pair_space(net.space), net)

    def rule(self, pairs, options):
        kind = find("rule", own("own_rule:Drawn"))
        return kind(pairs, kind.Options(draws=2))


class TestOwnSampler(SamplerContract):
    def space(self):
        return MobileNet.space(MobileNet.Options(preset="digits", axes={"depth": [1, 2]}), 8, 4)

    def sampler(self, pairs):
        return make_sampler(pairs, options_for("train", sampler=own("own_sampler:Ends")).sampler)


class TestOwnDivergence(DivergenceContract):
    def divergence(self, temperature=1.0):
        table = options_for("train", divergence=own("own_divergence:SquaredError"))
        return make_divergence(table.divergence, temperature)


class TestOwnTerm(TermContract):
    def term(self):
        return made("term", "own_term:Unsure", unsure=0.1)


class TestOwnWeighting(WeightingContract):
    def weighting(self, trained):
        kind = find("weighting", own("own_weighting:Doubtful"))
        return kind(kind.Options(), trained)


class TestOwnStrategy(StrategyContract):
    def pairs(self):
        return pair_space(MobileNet.space(MobileNet.Options(preset="digits", axes={"depth": [1, 2]}), 8, 4))

    def strategy(self, pairs, seed):
        kind = find("strategy", own("own_strategy:Climb"))
        return kind(Problem(Goal(("accuracy", "peak_macs"), {}), Prices(pairs)), kind.Options(first=8), seed)


class TestOwnSource(SourceContract):
    def source(self):
        return made("source", "own_source:Stripes", images=60)


class TestOwnAugmentation(AugmentationContract):
    def augmentation(self):
        return made("augmentation", "own_augmentation:Erase", erase=3)


class TestOwnBaseline(BaselineContract):
    def baseline(self):
        return find("baseline", own("own_baseline:Plain"))("plain")


class TestOwnTarget(TargetContract):
    def target(self):
        return own("own_target:Reversed")


def test_an_example_is_short():
    for path in EXAMPLES.glob("own_*.py"):
        lines = len(path.read_text().splitlines())
        assert lines <= 40 or path.stem == "own_space", f"{path.name} has {lines} lines"


def test_a_recipe_of_own_parts_goes_through_the_whole_pipeline(tmp_path):
    """Each kind of part that a recipe names is the user's own, with a key of its own where it has one."""
    overrides = [
        f"data.name={own('own_source:Stripes')}", "data.images=200",
        f"data.augmentations=['{own('own_augmentation:Erase')}']", "data.erase=2",
        f"space.name={own('own_outline:Slim')}", "space.stages=2", "space.preset=", "space.axes=",
        f"space.weights={own('own_weights:Two')}",
        f"train.rule={own('own_rule:Drawn')}", "train.draws=2",
        "finetune.mode=joint", f"finetune.loss.terms=['{own('own_term:Unsure')}']", "finetune.loss.unsure=0.1",
        f"finetune.loss.weighting={own('own_weighting:Doubtful')}", "finetune.loss.doubt=0.3",
        f"search.strategy={own('own_strategy:Climb')}", "search.first=2",
        f"search.objectives=['accuracy', 'expected_macs', '{own('own_metric:Launches')}']",
        f"route.score={own('own_score:Agreement')}",
        f"baselines.networks=['{own('own_baseline:Plain')}']",
    ]  # fmt: skip
    recipe = duonas.load_recipe("digits", [*QUICK, *overrides])
    run = duonas.run(recipe, tmp_path / "run")
    assert (run / "report.html").exists()
    assert read_json(run / "export" / "policy.json")["router"]["score"] == own("own_score:Agreement")
    assert own("own_metric:Launches") in read_json(run / "front.json")["objectives"]
    assert [each["name"] for each in read_json(run / "baselines.json")["networks"]] == [own("own_baseline:Plain")]
    assert len(list((run / "baselines").glob("*own_baseline*/weights.safetensors"))) == 1  # and nothing beside the run
    bundle = duonas.Bundle.load(run / "export")
    assert bundle.predict(np.zeros((2, 3, 8, 8), np.float32)).logits.shape == (2, 3)


@pytest.mark.slow
def test_own_space_goes_through_the_whole_pipeline(tmp_path):
    overrides = [f"space.name={own('own_space:Plain')}", f"route.router={own('own_router:Contrast')}"]
    run = duonas.run(duonas.load_recipe("digits", [*overrides, *QUICK]), tmp_path / "run")
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
    more = ["finetune.steps=2", "search.device.table=none", f"data.cache={tmp_path / 'cache'}"]
    example("own_images").main(str(pictures), str(tmp_path / "run"), *QUICK, *more)
    said = capsys.readouterr().out
    assert said.startswith("recipe own-images-32: the short sides of the images have a median of")
    assert said.count(" by ") == 3 and ("above" in said or "below" in said)
    assert (tmp_path / "run" / "export" / "dynamic.onnx").exists()
