"""Weights that are made for each arch."""

from __future__ import annotations

import pytest
import torch

from duonas.core.block import BlockSpec, LayerSpec
from duonas.core.errors import DuonasError
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.layers.elastic import LayerWithWeight
from duonas.recipe.schema import options_for
from duonas.spaces.nasbench201 import NasBench201
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.weights.kshot import KshotGenerator
from duonas.supernet.weights.kshot_hypernet import HypernetGenerator, KshotHypernet
from duonas.training.optim import build_optimizer

TOKENS = (3, 5)


def conv(name, ins, outs, kernel=3, groups=1):
    return LayerSpec(name, "conv", ins, outs, kernel, groups=groups, in_resolution=4, norm=True)


def block(*layers, stage=1):
    return BlockSpec("block", stage, "x", 8, 8, 4, 4, layers=layers)


LAYERS = (conv("wide", 8, 6), conv("depthwise", 8, 8, 5, groups=8), conv("point", 4, 8, 1))


def hypernet(size=4, rank=3, layers=LAYERS, seed=0):
    options = KshotHypernet.Options(dictionary=size, rank=rank)
    return HypernetGenerator([block(*layers)], TOKENS, options, stream(seed, "x"))


def kshot(size=4):
    return KshotGenerator([block(*LAYERS)], TOKENS, size, stream(0, "x"))


def tokens(seed=0):
    return torch.nn.functional.one_hot(torch.from_numpy(stream(seed, "t").integers(0, 5, 3)), 5).float()


def fill(generator, one, seed=0):
    """A block of an arch with its weights."""
    return generator.fill([[one]], tokens(seed)[None])[0][0]


def count(*parameters):
    return sum(p.numel() for p in parameters)


def test_a_hypernet_layer_has_the_parameters_of_section_3_2():
    """256 channels, kernel 3, h = N = 64. The paper's sum leaves h out of its second term; section 3.1 has it there."""
    options = KshotHypernet.Options(dictionary=64, rank=64, mixers=1)
    net = HypernetGenerator([block(conv("c", 256, 256))], TOKENS, options, stream(0))
    first, second = count(*net.first.values()), count(*net.second.values())
    assert first == 256 * 64 * 64 == 1_048_576
    assert second == 64 * 256 * 9
    assert round((first + 256 * 9) / 1e6, 2) == 1.05  # as the paper adds it up
    assert KshotGenerator([block(conv("c", 256, 256))], TOKENS, 64, stream(0)).kernels["block:c"].numel() == 37_748_736


@pytest.mark.parametrize("make", [hypernet, kshot])
def test_weights_have_the_shapes_of_the_largest_and_are_he_normal(make):
    generator = make(size=16)
    filled = fill(generator, block(*LAYERS))
    for layer, plain in zip(filled.layers, LAYERS, strict=True):
        assert isinstance(layer, LayerWithWeight)
        outs, ins, side = plain.out_channels, plain.in_channels // plain.groups, plain.kernel
        assert layer.weight.shape == (outs, ins, side, side)
        assert vars(plain).items() <= vars(layer).items()


def test_first_weights_of_a_hypernet_have_hes_deviation():
    layers = (conv("c", 32, 48),)
    generator = hypernet(64, 32, layers)
    generator.sharpness.fill_(0)
    filled = fill(generator, block(*layers))
    assert filled.layers[0].weight.detach().std().item() == pytest.approx((2 / (48 * 9)) ** 0.5, rel=0.1)


@pytest.mark.parametrize("layer", [conv("c", 32, 48), conv("d", 32, 32, 5, groups=32)])
def test_the_scale_of_a_layer_can_be_a_factor_of_its_fan_in(layer):
    """The weights then have He's deviation over the fan-in, and the maps are alike in all layers."""
    options = KshotHypernet.Options(dictionary=64, rank=32, scale="fan-in")
    generator = HypernetGenerator([block(layer)], TOKENS, options, stream(0, "x"))
    generator.sharpness.fill_(0)
    filled = fill(generator, block(layer))
    inputs = layer.in_channels // layer.groups * layer.kernel**2
    assert filled.layers[0].weight.detach().std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.2)
    assert generator.second[f"block:{layer.name}"].std().item() == pytest.approx(32**-0.5, rel=0.1)


def test_a_hypernet_that_starts_as_sharing_gives_all_archs_the_same_weights_and_learns_to_tell_them_apart():
    options = KshotHypernet.Options(dictionary=4, rank=3, start="shared")
    generator = HypernetGenerator([block(*LAYERS)], TOKENS, options, stream(0, "x"))
    one, other = (fill(generator, block(*LAYERS), seed) for seed in (0, 1))
    for layer, same in zip(one.layers, other.layers, strict=True):
        theta = generator.theta[f"block:{layer.name}"]
        assert torch.equal(layer.weight, same.weight) and torch.equal(layer.weight, theta)
    torch.stack([layer.weight.square().sum() for layer in one.layers]).sum().backward()
    with torch.no_grad():
        for weight in generator.second.values():
            weight.sub_(weight.grad)
    one, other = (fill(generator, block(*LAYERS), seed) for seed in (0, 1))
    assert all(not torch.equal(a.weight, b.weight) for a, b in zip(one.layers, other.layers, strict=True))


def test_inputs_on_a_circle_have_the_same_norm_for_all_archs():
    options = KshotHypernet.Options(dictionary=4, rank=3, inputs="circle")
    generator = HypernetGenerator([block(*LAYERS)], TOKENS, options, stream(0, "x"))
    seen = []
    generator.embed.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    for encoding in (tokens(), torch.full(TOKENS, 0.2), torch.zeros(TOKENS)):
        generator.code(encoding)
    assert [float(each.square().sum()) for each in seen] == pytest.approx([TOKENS[0] * TOKENS[1]] * 3)


def test_a_hypernet_has_a_learning_rate_of_its_own_but_not_the_weights_that_archs_share():
    options = KshotHypernet.Options(dictionary=4, rank=3, start="shared", lr=0.25)
    generator = HypernetGenerator([block(*LAYERS)], TOKENS, options, stream(0, "x"))
    network = torch.nn.ModuleList([generator, torch.nn.Linear(2, 2)])
    groups = build_optimizer(network, options_for("train")).param_groups
    factors = {id(weight): group["lr_factor"] for group in groups for weight in group["params"]}
    shared = {id(weight) for weight in (*generator.theta.values(), *network[1].parameters())}
    assert len(factors) == len(list(network.parameters()))
    assert {key for key, factor in factors.items() if factor == 1} == shared
    assert set(factors.values()) == {1.0, 0.25}


@pytest.mark.parametrize("place", [1, 0])
def test_weights_of_a_hypernet_have_the_rank_that_is_asked_for(place):
    """Not that of the few choices which an arch is made of, whatever all archs have in common."""
    layers = (conv("c", 32, 48),)
    generator = hypernet(64, 16, layers)
    generator.place.data.mul_(place)
    filled = fill(generator, block(*layers))
    values = torch.linalg.svdvals(filled.layers[0].weight.detach().transpose(0, 1).flatten(1))
    assert (values > 1e-3 * values[0]).sum() in (15, 16)  # a norm without its bias takes one


def test_the_sum_is_that_over_all_kernels_of_the_dictionary():
    """Equation 3: w_n made one by one, then weighted."""
    generator = hypernet()
    code = generator.code(tokens())
    for key, (outs, ins, side, _) in generator.shapes.items():
        first = generator.first[key].view(4, 3, ins)
        kernels = [(code.features @ entry).T @ generator.second[key] for entry in first]
        mixed = sum(c * k for c, k in zip(code.coefficients, kernels, strict=True))
        expected = mixed.view(ins, outs, side, side).transpose(0, 1)
        torch.testing.assert_close(generator.weight(key, code), expected)


@pytest.mark.parametrize("make", [hypernet, kshot])
def test_coefficients_are_a_simplex_that_the_arch_decides(make):
    generator = make()
    a, b = (generator.code(tokens(seed)).coefficients for seed in (0, 1))
    assert a.sum().item() == pytest.approx(1) and (a > 0).all()
    assert (a - b).abs().max() > 1e-4


@pytest.mark.parametrize("make", [hypernet, kshot])
def test_held_coefficients_are_equal_and_get_no_gradient(make):
    generator = make()
    generator.sharpness.fill_(0)
    code = generator.code(tokens())
    torch.testing.assert_close(code.coefficients, torch.full((4,), 0.25))
    code.coefficients.square().sum().backward()
    head = generator.simplex if make is kshot else generator.to_coefficients
    assert (head.weight.grad == 0).all()


@pytest.mark.parametrize("make", [hypernet, kshot])
def test_every_part_learns(make):
    generator = make(size=32)
    filled = fill(generator, block(*LAYERS))
    sum(layer.weight.square().sum() for layer in filled.layers).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())


def test_the_stem_and_linear_layers_keep_their_own():
    table = NasBench201.Options(channels=4, cells=1, weights=KshotHypernet.Options(dictionary=2, rank=2))
    space = build_space(NasBench201, table, 8, 4)
    net = build_supernet(NasBench201, space, (0.5,) * 3, (0.2,) * 3, stream(0), table)
    own = [name for name, _ in net.blocks.named_parameters() if "norm" not in name]
    assert own == ["stem.conv.conv.weight", "head.classify.weight", "head.classify.bias"]
    specs = net.specs(space.largest(), space.blocks(space.largest()))
    assert not any(isinstance(layer, LayerWithWeight) for spec in specs for layer in spec.layers if spec.stage == 0)


def test_the_name_alone_is_short_for_a_table():
    assert options_for("space", weights="kshot-hypernet").weights == KshotHypernet.Options()


def test_an_unknown_kind_of_weights_is_refused():
    with pytest.raises(DuonasError, match=r"\[space.weights\] name has no choice 'hypernet': did you mean"):
        options_for("space", weights="hypernet")


@pytest.mark.parametrize("name", ["nasbench201", "uib", "mobilenet"])
def test_a_hypernet_starts_from_the_kernels_of_a_supernet_with_shared_weights(name):
    """In every family all convolutions are found, and the networks are the same to the bit."""
    weights = KshotHypernet.Options(dictionary=2, rank=2, start="folder")
    small = {"channels": 4, "cells": 1} if name == "nasbench201" else {}
    family, colours = find("space", name), ((0.5,) * 3, (0.2,) * 3)
    shared, ours = (options_for("space", name=name, weights=each, **small) for each in ("shared", weights))
    space = build_space(family, shared, 8, 4)
    theirs = build_supernet(family, space, *colours, stream(1), shared).eval()
    net = build_supernet(family, space, *colours, stream(0), ours, theirs.state_dict()).eval()
    images, arch = torch.rand(2, 3, 8, 8), space.largest()
    with torch.inference_mode():
        assert torch.equal(net(images, arch), theirs(images, arch))
