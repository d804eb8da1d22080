"""Elastic layers: what is sliced, and that only the slice learns."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from duonas.core.block import LayerSpec
from duonas.core.rng import stream
from duonas.data.batches import evaluation_batches
from duonas.layers.elastic import ElasticConv, ElasticLinear, KernelTransform, centre
from duonas.layers.init import initialise
from duonas.layers.norm import SlicedBatchNorm, SwitchableBatchNorm, recalibrate
from duonas.layers.plain import Input


def test_a_smaller_kernel_is_the_centre_and_fewer_channels_the_first():
    conv = ElasticConv(LayerSpec("c", "conv", 4, 6, kernel=5))
    initialise(conv, stream(0, "x"))
    small = LayerSpec("c", "conv", 2, 3, kernel=3, in_resolution=8)
    x = torch.rand(2, 2, 8, 8)
    expected = F.conv2d(x, conv.weight[:3, :2, 1:4, 1:4], padding=1)
    assert torch.equal(conv(x, small), expected)
    conv(x, small).sum().backward()
    touched = conv.weight.grad != 0
    assert touched[:3, :2, 1:4, 1:4].all() and touched.sum() == 3 * 2 * 9


def by_hand(weight, transform, kernels):
    """OFA's transform, channel by channel, with the matrices written out."""
    for side in kernels:
        matrix = torch.eye(side**2) + transform.changes[str(side)]
        inner = [matrix @ centre(channel, side).flatten() for channel in weight[:, 0]]
        weight = torch.stack(inner).view(-1, 1, side, side)
    return weight


def test_kernel_transforms_map_the_centre_of_the_next_larger_kernel():
    transform = KernelTransform([3, 5, 7])
    assert {name: p.shape for name, p in transform.changes.items()} == {"5": (25, 25), "3": (9, 9)}
    weight = torch.randn(4, 1, 7, 7)
    for kernel in (3, 5, 7):
        assert torch.equal(transform(weight, kernel), centre(weight, kernel))  # at the start
    with torch.no_grad():
        for change in transform.changes.values():
            change.normal_()
    assert torch.equal(transform(weight, 7), weight)
    torch.testing.assert_close(transform(weight, 5), by_hand(weight, transform, [5]))
    torch.testing.assert_close(transform(weight, 3), by_hand(weight, transform, [5, 3]))


def test_kernel_transforms_learn_from_the_kernels_that_use_them():
    conv = ElasticConv(LayerSpec("d", "conv", 4, 4, kernel=7, groups=4), KernelTransform([3, 5, 7]))
    initialise(conv, stream(0, "x"))
    x, grads = torch.rand(2, 4, 8, 8), {}
    for kernel in (7, 5, 3):
        conv.zero_grad()
        conv(x, LayerSpec("d", "conv", 4, 4, kernel, 1, 4, 8)).square().sum().backward()
        grads[kernel] = {name for name, p in conv.shrink.changes.items() if p.grad is not None}
    assert grads == {7: set(), 5: {"5"}, 3: {"5", "3"}}


def test_a_narrow_linear_layer_reads_the_first_features():
    linear = ElasticLinear(LayerSpec("l", "linear", 6, 3, bias=True))
    initialise(linear, stream(0, "x"))
    x = torch.rand(5, 4)
    assert torch.equal(
        linear(x, LayerSpec("l", "linear", 4, 3, bias=True)), F.linear(x, linear.weight[:, :4], linear.bias)
    )


@pytest.mark.parametrize("kind", [SlicedBatchNorm, SwitchableBatchNorm])
def test_a_norm_trains_the_statistics_of_its_own_width(kind):
    norm = kind([2, 4]).train()
    x = torch.randn(64, 2, 3, 3) * 3 + 5
    for _ in range(60):
        norm(x)
    _, _, mean, *_ = norm.weights(LayerSpec("norm", "norm", 2, 2))
    torch.testing.assert_close(mean, x.mean((0, 2, 3)), rtol=0.05, atol=0.05)
    _, _, widest, *_ = norm.weights(LayerSpec("norm", "norm", 4, 4))
    assert torch.equal(widest[2:], torch.zeros(2))


def test_a_normalised_image_has_no_mean_and_resizing_comes_first():
    block = Input(4, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    out = block(torch.full((1, 3, 8, 8), 0.75))
    assert out.shape == (1, 3, 4, 4) and torch.allclose(out, torch.ones(1))


def test_recalibration_equals_statistics_over_all_images_at_once():
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(3))
    batches = [torch.rand(10, 3, 4, 4) for _ in range(5)]
    recalibrate(network, iter(batches))
    torch.testing.assert_close(network[0].running_mean, torch.cat(batches).mean((0, 2, 3)))
    assert not network.training and network[0].momentum == 0.1


def test_recalibration_weighs_every_image_alike_whatever_the_batch_size():
    pixels = torch.randint(0, 256, (512, 3, 4, 4), dtype=torch.uint8)
    network = recalibrate(torch.nn.Sequential(torch.nn.BatchNorm2d(3)), evaluation_batches(pixels, 250))
    torch.testing.assert_close(network[0].running_mean, (pixels / 255).mean((0, 2, 3)), rtol=1e-3, atol=0)


def test_initial_weights_follow_the_seed_and_not_the_global_state():
    def weights(seed):
        torch.randn(seed + 1)  # global draws change nothing
        conv = ElasticConv(LayerSpec("c", "conv", 64, 128, kernel=3))
        initialise(conv, stream(seed, "x"))
        return conv.weight.detach()

    assert torch.equal(weights(1), weights(1)) and not torch.equal(weights(1), weights(2))
    assert weights(1).std() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.05)  # He, fan-out
