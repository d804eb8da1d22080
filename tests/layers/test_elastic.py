"""Elastic layers: what is sliced, and that only the slice learns."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from duonas.core.block import LayerSpec
from duonas.core.rng import stream
from duonas.data.batches import evaluation_batches
from duonas.layers.blocks import Input
from duonas.layers.elastic import ElasticConv, ElasticLinear
from duonas.layers.init import initialise
from duonas.layers.norm import SlicedBatchNorm, SwitchableBatchNorm, recalibrate


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
    plain = norm.extract(2)
    torch.testing.assert_close(plain.running_mean, x.mean((0, 2, 3)), rtol=0.05, atol=0.05)
    untouched = norm.extract(4).running_mean[2:]
    assert torch.equal(untouched, torch.zeros(2))


def test_a_normalised_image_has_no_mean_and_resizing_comes_first():
    block = Input((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 4)
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
