"""After the search: the pair trained on, from scratch, or apart; routed, exported and measured like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import duonas
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.progress import Silent
from duonas.costs.count import count_macs
from duonas.pair.pair import Pair
from duonas.pipeline.context import Context
from duonas.report.summary import origin, stored_params
from duonas.routing.policy import Policy
from duonas.routing.routed import RoutedPair
from duonas.rundir.folder import RunFolder

QUICK = ["data.test=0.6", "train.epochs=2", "train.batch_size=64", "train.checkpoint_seconds=0.000001",
         "train.accelerator=cpu", "search.evaluations=6", "search.population=3", "search.recalibration_images=64",
         "measure.latency_images=2", "measure.throughput_batches=1",
         "space.axes={depth = [1], kernel = [3], expansion = [1, 2]}"]  # fmt: skip
MODES = ("joint", "scratch", "independent")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A run up to its pair, straight from the supernet."""
    folder = tmp_path_factory.mktemp("finetune") / "base"
    return Path(duonas.run(duonas.load_recipe("digits", QUICK), folder, until="pair"))


@pytest.fixture(scope="module")
def measured(base):
    """The same supernet and pair in every mode, measured; ``scratch`` is routed only, being ``joint`` from there on."""

    def run(mode):
        recipe = duonas.load_recipe("digits", [*QUICK, f"finetune.mode={mode}", "finetune.epochs=2"])
        until = "route" if mode == "scratch" else "measure"
        return Path(duonas.run(recipe, base.parent / mode, until=until, supernet=base))

    return {mode: run(mode) for mode in MODES}


def pair(folder):
    return read_json(folder / "pair" / "pair.json")


def weights(folder):
    return {role: load_file(folder / "pair" / f"{role}.safetensors") for role in ("little", "big")}


def test_without_finetuning_there_is_no_trace_of_it(base):
    assert not (base / "finetune").exists() and pair(base)["finetune"] == "none"
    assert list(read_json(base / "stages.json")["stages"]) == ["train", "search", "pair"]


def test_the_search_replays_so_every_mode_has_the_same_archs(base, measured):
    for folder in measured.values():
        assert pair(folder)["pair"] == pair(base)["pair"]
        assert (folder / "front.json").read_bytes() == (base / "front.json").read_bytes()


def test_the_weights_are_the_pairs_own(base, measured):
    straight = weights(base)
    for mode, folder in measured.items():
        found = weights(folder)
        assert found["big"].keys() == straight["big"].keys()
        assert any(not torch.equal(found["big"][n], straight["big"][n]) for n in straight["big"])
        shared = [block["name"] for block in pair(folder)["blocks"]["big"][: pair(folder)["shared"]]]
        assert bool(shared) is (mode != "independent")
        for name, value in found["little"].items():
            if name.split(".")[0] in shared:  # really one and the same
                assert torch.equal(value, found["big"][name])
        stems = [(found["little"][n], found["big"][n]) for n in found["big"] if n == "stem.0.weight"]
        assert stems and all(torch.equal(a, b) is (mode != "independent") for a, b in stems)


def test_params_are_counted_as_they_are_stored(base, measured):
    for mode, folder in measured.items():
        shared = {block["name"] for block in pair(folder)["blocks"]["big"][: pair(folder)["shared"]]}
        assert bool(shared) is (mode != "independent")
        found = weights(folder)
        own = {name: value for name, value in found["little"].items() if name.split(".")[0] not in shared}
        stored = [*found["big"].items(), *own.items()]
        trained = sum(value.numel() for name, value in stored if name.endswith((".weight", ".bias")))
        assert stored_params(pair(folder)) == trained
    assert "straight from the supernet; little's weights are a part of big's" in origin(pair(base))


def test_costs_are_what_ran(measured):
    """Law 6 in every mode, on the networks that were saved: independent ones compute two stems."""
    for mode, folder in measured.items():
        run = RunFolder(folder)
        net, policy = Pair.load(run.pair), Policy.load(run.policy)
        cost, cascade = net.facts.cost, RoutedPair(net, policy.router)
        images = torch.from_numpy(Context(run.recipe, run).splits.test.pixels[:40].numpy() / 255).float()
        with torch.inference_mode():
            scores = cascade(images, 0.0).score
        tau = float(scores.sort().values[15:17].mean())
        share = float((scores >= tau).float().mean())
        assert count_macs(_AtTau(cascade, tau), images) == pytest.approx(40 * cost.expected(share), abs=1)
        assert (cost.stem == 0) is (mode == "independent")
        if mode == "scratch":
            continue
        figures = read_json(run.measure)
        for role, tower in net.towers().items():
            assert figures[role]["macs"] == count_macs(tower, images[:1])
            assert figures[role]["params"] == sum(p.numel() for p in tower.parameters())
        twice = 0 if mode == "independent" else cost.stem
        assert figures["routed"]["peak_macs"] == figures["little"]["macs"] + figures["big"]["macs"] - twice


class _AtTau(torch.nn.Module):
    def __init__(self, cascade, tau):
        super().__init__()
        self.cascade, self.tau = cascade, tau

    def forward(self, images):
        return self.cascade(images, self.tau).logits


def test_onnx_decides_as_pytorch_in_every_mode(measured):
    for mode in ("joint", "independent"):
        folder = measured[mode]
        onnx = read_json(folder / "measure.json")["onnx"]
        assert onnx["differing_decisions"] == 0 and onnx["max_logit_difference"] < 1e-3


def test_apart_means_as_many_steps_for_each_network(base, measured):
    steps = {stage: [entry["step"] for entry in RunFolder(measured["independent"]).read_log(stage)][-1]
             for stage in ("finetune/little", "finetune/big")}  # fmt: skip
    assert set(steps.values()) == {RunFolder(base).read_log("train")[-1]["step"]}
    entry = RunFolder(measured["independent"]).read_log("finetune/little")[0]
    assert "distillation" not in entry and "distillation" in RunFolder(measured["joint"]).read_log("finetune")[0]


class _Interrupted(Silent):
    """Interrupts a stage at its report number ``at``."""

    def __init__(self, at):
        self.at = at

    def stage(self, name):
        return _Interrupt(self.at) if name == "finetune" else super().stage(name)


class _Interrupt:
    def __init__(self, at):
        self.left = at

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def __call__(self, done, total, **figures):
        self.left -= done > 0
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("mode", "at"), [("joint", 5), ("independent", 20), pytest.param("independent", 3, marks=pytest.mark.slow)]
)
def test_killed_while_finetuning_is_never_killed(base, measured, tmp_path, mode, at):
    """Law 8, in either network of a pair that is trained apart."""
    recipe = RunFolder(measured[mode]).recipe
    with pytest.raises(KeyboardInterrupt):
        duonas.run(recipe, tmp_path / "run", supernet=base, progress=_Interrupted(at))
    assert "finetune" not in read_json(tmp_path / "run" / "stages.json")["stages"]
    duonas.run(recipe, tmp_path / "run", until="finetune")
    for name in ("pair/pair.json", "pair/little.safetensors", "pair/big.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (measured[mode] / name).read_bytes()
    for stage in ("finetune", "finetune/little", "finetune/big"):
        steps = [
            [e["step"] for e in RunFolder(folder).read_log(stage)] for folder in (tmp_path / "run", measured[mode])
        ]
        assert steps[0] == sorted(set(steps[0])) and set(steps[0]) >= set(steps[1][-1:])


def test_partial_pairs_keep_their_common_stages_unless_they_are_trained_apart(tmp_path):
    overrides = [*QUICK, "pair.coupling=partial", "train.epochs=1", "search.evaluations=3"]
    image = torch.zeros(1, 3, 8, 8)
    for mode in ("joint", "independent"):
        recipe = duonas.load_recipe("digits", [*overrides, f"finetune.mode={mode}", "finetune.epochs=1"])
        first = tmp_path / "joint"
        folder = duonas.run(recipe, tmp_path / mode, until="route", supernet=first if first.exists() else None)
        net, shared = Pair.load(RunFolder(folder).pair), pair(folder)["shared"]
        assert pair(folder)["coupling"] == ("partial" if mode == "joint" else "independent")
        assert (len(net.stem) if net.stem else 0) == shared and bool(shared) is (mode == "joint")
        assert count_macs(net, image) == net.facts.cost.peak
        stages = {block["stage"] for block in pair(folder)["blocks"]["big"][: pair(folder)["shared"]]}
        assert stages == ({0, 1} if mode == "joint" else set())
    assert pair(tmp_path / "joint")["pair"] == pair(tmp_path / "independent")["pair"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("finetune.mode=jont", "[finetune] mode has no choice 'jont': did you mean 'joint'?"),
        ("finetune.epochs=0", "[finetune] epochs must be above 0, got 0"),
        ("finetune.loss.alpha=-1", "[finetune] loss.alpha must be at least 0, got -1"),
        ("finetune.temperature=0", "[finetune] temperature must be above 0, got 0"),
        ("finetune.epoch=3", "[finetune] has no key 'epoch': did you mean 'epochs'?"),
        ("baselines.epochs=0", "[baselines] epochs must be above 0, got 0"),
        ("baselines.networks=resnet18", "[baselines] networks must be a list, got 'resnet18'"),
    ],
)
def test_bad_input_is_one_sentence(override, message):
    with pytest.raises(DuonasError) as caught:
        duonas.load_recipe("digits", [override])
    assert message in str(caught.value)


def test_an_unknown_baseline_is_refused_before_any_work(tmp_path):
    recipe = duonas.load_recipe("digits", [*QUICK, 'baselines.networks=["mobilenetv3_smal_100"]'])
    with pytest.raises(DuonasError, match="did you mean 'mobilenetv3_small_100'"):
        duonas.run(recipe, tmp_path / "run", until="train")
    assert not (tmp_path / "run" / "supernet.safetensors").exists()
