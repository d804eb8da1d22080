"""MSDNet, RANet and BranchyNet are the published networks, and refuse names that mean nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from duonas.baselines.baseline import find_baseline
from duonas.baselines.networks.branchynet import _cut
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.exits.network import count_exits
from duonas.layers.init import initialise
from duonas.pair.build import build
from duonas.spaces.mobilenet import MobileNet

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def network(name, size=32, classes=10):
    return find_baseline(name).network(classes, size, MEAN, STD, stream(0, name)).eval()


def without_weights(name, size, classes):
    """The network without memory for its weights, which counts as any other."""
    with torch.device("meta"):
        return find_baseline(name).build(classes, size, MEAN, STD).eval()


def operations(net, size):
    """Counted as the authors of MSDNet do: ReLUs, poolings and biases of linear layers, too, in millions, by exit."""
    total, found = 0, []

    def count(module, inputs, output):
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += module.weight.numel() * output.shape[-1] ** 2
        elif isinstance(module, nn.ReLU):
            total += output.numel()
        elif isinstance(module, nn.Linear):
            total += module.weight.numel() + module.bias.numel() + 4 * module.in_features  # and the mean over 2 x 2
        elif isinstance(module, nn.MaxPool2d):
            total += output.numel() * module.kernel_size**2

    for module in net.modules():
        module.register_forward_hook(count)
    with torch.inference_mode():
        for _ in net.exits(torch.zeros(1, 3, size, size, device=next(net.parameters()).device)):
            found.append(round(total / 1e6, 2))
    return found


def params(net):
    """Of all that an image needs that leaves at each exit."""
    found, total = [], 0
    for stage, head in zip(net.stages, net.heads, strict=True):
        total += sum(value.numel() for part in (stage, head) for value in part.parameters())
        found.append(total)
    return found


def test_msdnet_is_the_published_one_for_imagenet():
    """As the authors' program prints it: github.com/kalviny/MSDNet-PyTorch, issue 10."""
    net = without_weights("msdnet-imagenet-step7", size=224, classes=1000)
    assert operations(net, 224) == [615.69, 1436.39, 2283.21, 2967.42, 3253.79]
    assert [round(each / 1e6, 2) for each in params(net)] == [8.76, 20.15, 31.73, 41.86, 62.31]


def test_msdnet_is_the_published_one_for_cifar():
    """Ten exits as in pytorchcv's msdnet22_cifar10; five and seven as in the commands of the authors' README."""
    assert params(network("msdnet-exits10-step2-base4"))[-1] == 4_839_544
    batch = network("msdnet", classes=100)
    assert operations(batch, 32) == [6.86, 14.35, 27.54, 41.71, 58.48]
    assert [round(each / 1e6, 2) for each in params(batch)] == [0.3, 0.65, 1.02, 1.49, 2.08]
    anytime = network("msdnet-exits7-step2-base4", classes=100)
    assert operations(anytime, 32) == [15.14, 25.51, 37.1, 46.33, 57.34, 66.96, 75.94]


@pytest.mark.parametrize(
    ("name", "weights", "macs"),
    [
        ("ranet", 2_547_601, (8_316_160, 21_686_784, 32_695_872, 41_354_048, 52_924_800, 58_607_744)),
        (
            "ranet-scales4-step4-even", 3_261_830,
            (15_738_112, 31_173_120, 44_462_208, 50_152_832, 60_314_944, 63_302_208, 89_522_560, 94_247_040),
        ),
    ],
)  # fmt: skip
def test_ranet_is_the_published_one_for_cifar(name, weights, macs):
    """Counted from the authors' program with the options of their README and of their script for CIFAR."""
    net = network(name)
    assert params(net)[-1] == weights
    assert count_exits(net, torch.zeros(1, 3, 32, 32)) == macs


def test_branchynet_without_its_exits_is_timms_network():
    net, plain = network("branchynet-mobilenetv3_small_050-exits4", size=16), network("mobilenetv3_small_050", size=16)
    known = dict(zip((value.shape for value in plain.parameters()), plain.parameters(), strict=False))
    assert known  # of the same shapes, in the same order: stem and stages, then the rest
    rest = [*net.stages.parameters(), *net.heads[-1].parameters()]
    for mine, theirs in zip(rest, plain.parameters(), strict=True):
        mine.data.copy_(theirs.data)
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(net(images)[-1], plain(images))
    assert net.confidence == "entropy" and net.weights == (1, 1, 1, 0.3) and not net.frozen


def test_branchynets_exits_divide_the_cost_evenly():
    macs = count_exits(network("branchynet-resnet10t-exits3-frozen"), torch.zeros(1, 3, 32, 32))
    assert 0.2 < macs[0] / macs[-1] < 0.5 < macs[1] / macs[-1] < 0.8


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("msdnt", "timm has no 'msdnt': did you mean 'msdnet'?"),
        ("msdnet-chanels8", "'msdnet-chanels8': there is no 'chanels8' in it: did you mean 'channels'?"),
        ("msdnet-exits", "'exits' needs a number, such as exits4."),
        ("msdnet-imagenet2", "'imagenet' takes no number."),
        ("msdnet-exits1", "'msdnet-exits1': exits must be at least 2."),
        ("msdnet-exits3-exits4", "it has 'exits' twice."),
        ("msdnet-scales5", "scales must be at most 4."),
        ("msdnet-", "there is no '' in it: expected one of base, channels, exits"),
        ("ranet-scales5", "scales must be one of 2, 3, 4."),
        ("ranet-growth0", "growth must be at least 2."),
        ("branchynet-mobilnetv3_small_100", "did you mean 'mobilenetv3_small_100'?"),
        ("branchynet-exit3", "there is no 'exit3' in it: did you mean 'exits'?"),
    ],
)
def test_a_wrong_name_is_one_sentence_before_any_work(name, message):
    with pytest.raises(DuonasError) as caught:
        find_baseline(name).check()
    assert str(caught.value).startswith("[baselines] networks: ")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_what_cannot_be_cut_is_one_sentence():
    with pytest.raises(DuonasError, match="timm's resnet10t cannot be cut into 5 stages: expected at most 4"):
        network("branchynet-resnet10t-exits5")
    assert _cut(nn.Linear(2, 2))[0] == []


def big():
    """A network of a small space with two stages, and the stages of its blocks."""
    space = MobileNet.space(MobileNet.Options(preset="digits"), 8, 10)
    blocks = space.blocks(space.largest())
    made = build(blocks)
    initialise(made, stream(0, "big"))
    return made, [block.stage for block in blocks]


def test_branchynet_puts_exits_on_a_network_of_the_search_space():
    whole, stages = big()
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = whole(images)
        baseline = find_baseline("branchynet-big-exits2")
        assert baseline.role == "big" and find_baseline("branchynet-mobilenetv3_small_050").role is None
        baseline.check()
        net = baseline.build_on(whole, stages, 10, 8).eval()
        early, last = net(images)
        macs = count_exits(net, images[:1])
    assert torch.equal(last, wanted) and early.shape == last.shape and macs[0] < macs[1]
    assert len(net) == 2 and net.confidence == "entropy"
    with pytest.raises(DuonasError, match="the pair's big cannot be cut into 9 stages: expected at most 2"):
        find_baseline("branchynet-big-exits9").build_on(whole, stages, 10, 8)
