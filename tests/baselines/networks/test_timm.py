"""timm's networks on small images: what they are, what they cost, what they refuse."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from duonas.baselines.networks.timm import Timm
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.rng import stream
from duonas.costs.count import count_macs
from duonas.pipeline import stages
from duonas.pipeline.baselines import train_baselines
from duonas.pipeline.context import Context
from duonas.recipe.schema import parse
from duonas.rundir.folder import RunFolder

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def network(name="mobilenetv3_small_050", size=32, seed=0, classes=10):
    return Timm(name).network(classes, size, MEAN, STD, stream(seed, name))


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("mobilenetv2_050", 700_490, 27_969_024),  # 0.70M and 28.0M in chenyaofo's table of CIFAR networks
        ("mobilenetv3_small_100", 1_528_106, None),
        ("mobilenetv3_large_100", 4_214_842, None),
        ("efficientnet_b0", 4_020_358, None),
    ],
)
def test_known_counts_with_the_usual_cifar_stem(name, params, macs):
    net = network(name)
    assert sum(p.numel() for p in net.parameters()) == params
    assert macs in (None, count_macs(net.eval(), torch.zeros(1, 3, 32, 32)))


@pytest.mark.parametrize(("size", "stem", "last"), [(8, 8, 4), (32, 32, 4), (64, 64, 4), (96, 48, 3), (224, 112, 7)])
def test_the_earliest_strides_go_until_the_last_map_is_three_wide(size, stem, last):
    sides = []
    net = network(size=size).eval()
    for module in net.modules():
        if (isinstance(module, nn.Conv2d) and module.groups > 1) or module is net[1].conv_stem:
            module.register_forward_hook(lambda module, inputs, output: sides.append(output.shape[-1]))
    assert net(torch.zeros(1, 3, size, size)).shape == (1, 10)
    assert (sides[0], sides[-1]) == (stem, last)


def test_images_are_normalised_inside_and_the_seed_decides():
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before = torch.random.get_rng_state()
    first, second, other = (network(seed=seed).eval() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    normalised = (images - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    with torch.inference_mode():
        torch.testing.assert_close(first(images), first[1](normalised))
        assert torch.equal(first(images), second(images)) and not torch.equal(first(images), other(images))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mobilenetv3_smal_100", "timm has no 'mobilenetv3_smal_100': did you mean 'mobilenetv3_small_100'?"),
        ("mobilenetv3_small_100.lamb_in1k", "did you mean 'mobilenetv3_small_100'?"),  # fresh weights only
        ("hf-hub:some/model", "timm has no 'hf-hub:some/model'"),  # nothing is downloaded
        ("zzzzqqqq", "expected one of branchynet, efficientnet_b0, mobilenetv3_large_100, mobilenetv3_small_100"),
        ("vit_tiny_patch16_224", "timm's vit_tiny_patch16_224 does not support images of 32 x 32"),
    ],
)
def test_what_timm_lacks_or_cannot_do_is_one_sentence(name, message):
    with pytest.raises(DuonasError) as caught:
        network(name)
    assert message in str(caught.value) and "\n" not in str(caught.value)


NAME = "mobilenetv3_small_050"
RECIPE = parse(
    {
        "data": {"test": 0.8},
        "space": {"axes": {"depth": [1], "kernel": [3], "expansion": [1]}},
        "train": {"epochs": 1, "batch_size": 96, "lr": 0.02, "accelerator": "cpu", "checkpoint_seconds": 1e-6},
        "search": {"recalibration_images": 64},
        "baselines": {"networks": [NAME], "epochs": 1},
    }
)


class Killed(Exception):
    pass


def stage(folder, kill_at=None):
    """The stage by itself: it reads nothing but the data."""

    def told(done, total, **figures):
        if done == kill_at:
            raise Killed

    with RunFolder.open(folder, RECIPE) as run:
        context = Context(RECIPE, run)
        train_baselines(context, told)
    return context


def files(context):
    weights = context.run.baseline_weights / NAME
    return [path.read_bytes() for path in (context.run.baselines, *sorted(weights.rglob("*.safetensors")))]


def steps(context):
    return [entry["step"] for entry in context.run.read_log(f"baselines/{NAME}")]


def test_a_killed_stage_goes_on_and_another_run_takes_its_networks_along(tmp_path):
    """Law 8; and what baselines.json says is what the saved network does on the test split."""
    stages.run(RECIPE, tmp_path / "whole", until="train")
    whole = stage(tmp_path / "whole")
    with pytest.raises(Killed):
        stage(tmp_path / "killed", kill_at=2)
    resumed = stage(tmp_path / "killed")
    stages.run(RECIPE, tmp_path / "other", until="train", supernet=tmp_path / "whole")
    other = stage(tmp_path / "other")
    assert len(files(whole)) == 3 and files(resumed) == files(whole) == files(other)
    assert steps(resumed) == steps(whole) == [1, 2, 3] and steps(other) == []

    found = read_json(whole.run.baselines)
    (result,) = found["networks"]
    assert result["epochs"] == 1 and found["test_images"] == len(whole.splits.test)
    fresh = Timm(NAME).network(10, 8, whole.splits.mean, whole.splits.std, stream(9)).eval()
    assert result["macs"] == count_macs(fresh, torch.zeros(1, 3, 8, 8))
    assert result["params"] == sum(p.numel() for p in fresh.parameters())
    fresh.load_state_dict(load_file(whole.run.baseline_weights / NAME / "weights.safetensors"))
    whole.recalibrate(fresh)
    test = whole.splits.test
    with torch.inference_mode():
        right = fresh(test.pixels.float() / 255).argmax(1) == test.labels
    assert result["accuracy"] == pytest.approx(right.float().mean().item(), abs=2.5 / len(test))
