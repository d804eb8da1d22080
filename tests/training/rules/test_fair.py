"""Single paths: uniform, fair, Focus-Fair; on labels, or on what the mixed supernet says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.core.cell import OPERATIONS
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.pair import Subnet
from duonas.core.rng import stream
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import PRESETS, MobileNetSpace
from duonas.spaces.nasbench201 import NasBench201
from duonas.spaces.uib import UIB
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.pair import PairSupernet
from duonas.supernet.weights.kshot import Kshot
from duonas.supernet.weights.kshot_hypernet import KshotHypernet
from duonas.training.losses import label_loss
from duonas.training.options import TrainOptions
from duonas.training.paths import fair_paths, focused_paths
from duonas.training.rule import make_rule
from duonas.training.rules.fair import Fair
from duonas.training.rules.focus_fair import FocusFair
from duonas.training.rules.uniform import Uniform
from support.distillation import distillation_loss

SPACE = NasBench201.space(NasBench201.Options(), 8, 4)


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
def test_uniform_trains_one_drawn_subnet_of_each_tower_on_labels(make, take, coupling):
    net = make(coupling)
    rule = Uniform(net.pairs, Uniform.Options(label_smoothing=0.1, dropout=0.5))
    archs = set()
    for step in range(5):
        watched, losses, targets = take(rule, net, step)
        assert [subnet.role for subnet in watched.subnets] == list(net.pairs.roles)
        for subnet, logits, mask in zip(watched.subnets, watched.logits, watched.masks, strict=True):
            torch.testing.assert_close(losses[subnet.role], label_loss(logits, targets, 0.1))
            assert mask is None
            archs.add(subnet.arch)
    assert len(archs) == 5 * len(net.pairs.roles)


def cells(**options):
    table = NasBench201.Options(**{"channels": 4, "cells": 1} | options)
    pairs = pair_space(build_space(NasBench201, table, 8, 4))
    towers = (
        build_supernet(NasBench201, pairs.space, (0.5,) * 3, (0.2,) * 3, stream(0, role), table)
        for role in pairs.towers
    )
    return PairSupernet(pairs, *towers).train()


def test_fair_paths_have_every_value_of_every_axis():
    """As many as the largest axis has values; each of its values once, those of shorter ones as evenly as possible."""
    space = MobileNetSpace(PRESETS["digits"], 8, 4, {"depth": [4]})
    archs = list(fair_paths(space, stream(0)))
    assert len(archs) == 4
    for name, axis in space.axes.items():
        counts = np.bincount([arch[name] for arch in archs], minlength=len(axis.values))
        assert counts.min() >= 1 and counts.max() <= -(-4 // len(axis.values))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.floats(-3, 3), min_size=5, max_size=5))
def test_focused_paths_are_fair_too(seed, logits):
    archs = list(focused_paths(SPACE, stream(seed), dict.fromkeys(SPACE.axes, np.array(logits))))
    for name in SPACE.axes:
        assert sorted(arch[name] for arch in archs) == [0, 1, 2, 3, 4]


def test_focused_paths_bring_good_operations_together_as_the_paper_says():
    """Section 3.3: [0.2, 0.5, 0.3] and [0.3, 0.1, 0.6] meet at [o1, o2] with 30 %, where even draws give 11 %."""
    space = NasBench201.space(NasBench201.Options(axes={"operation": ["none", "nor_conv_1x1", "nor_conv_3x3"]}), 8, 4)
    first, second = list(space.axes)[:2]
    logits = {first: np.log([0.2, 0.5, 0.3]), second: np.log([0.3, 0.1, 0.6])}
    rng = stream(0)
    meetings = [next(focused_paths(space, rng, logits)) for _ in range(3000)]
    together = np.mean([arch[first] == 1 and arch[second] == 2 for arch in meetings])
    assert together == pytest.approx(0.3, abs=0.03)


def test_sizes_of_focused_paths_are_those_of_a_sandwich():
    space = UIB.space(UIB.Options(preset="uib-digits"), 16, 4)
    sizes = [name for name in space.axes if name not in space.mixed]
    logits = {name: np.zeros(len(space.axes[name].values)) for name in space.mixed}
    places, others = set(), set()
    for seed in range(20):
        archs = list(focused_paths(space, stream(seed), logits))
        assert len(archs) == max(len(space.axes[name].values) for name in space.mixed)
        least = [place for place, arch in enumerate(archs) if all(arch[name] == 0 for name in sizes)]
        assert least
        places |= set(least) if len(least) == 1 else set()
        others |= {tuple(arch[name] for name in sizes) for arch in archs}
        for name in space.mixed:
            met = [arch[name] for arch in archs if name in arch]
            assert len(met) == len(set(met))
    assert places == {0, 1, 2} and len(others) > 5


def test_good_operations_meet_at_other_sizes_than_the_smallest_too():
    """A block that the smallest archs lack is trained with its best operation no less often than with the others."""
    space = UIB.space(UIB.Options(preset="uib-digits"), 16, 4)
    extra = next(name for name in space.mixed if name not in space.smallest())
    logits = {name: np.array([0.0, 0, 20])[: len(space.axes[name].values)] for name in space.mixed}
    rng = stream(0)
    drawn = [arch for _ in range(600) for arch in focused_paths(space, rng, logits)]
    counts = np.bincount([arch[extra] for arch in drawn if extra in arch], minlength=3)
    assert counts.min() > 0.8 * counts.max()


def test_focus_fair_teaches_by_the_mixed_supernet_alone(take):
    """The teacher learns from labels, the five paths from its soft labels; beta gets a gradient."""
    net = cells()
    rule = FocusFair(net.pairs, options_for("train", rule="focus-fair"))
    watched, losses, targets = take(rule, net)
    assert len(watched.subnets) == 5 and watched.mixtures == 1
    torch.testing.assert_close(losses["big_mixed"], label_loss(watched.teacher, targets))
    soft = sum(distillation_loss(logits, watched.teacher) for logits in watched.logits)
    torch.testing.assert_close(losses["big"], soft)
    torch.testing.assert_close(losses["loss"], losses["big"] + losses["big_mixed"])
    assert rule.beta("big").logits.grad.abs().sum() > 0


def test_every_convolution_of_every_edge_is_trained_in_a_fair_step(take):
    """Strict fairness: whatever is drawn, each is used by one path."""
    net = cells()
    take(Fair(net.pairs, options_for("train", rule="fair")), net)
    assert all(p.grad is not None for name, p in net.named_parameters() if "conv" in name)


@pytest.mark.parametrize(
    ("kind", "students", "teachers"),
    [(Uniform, "auto", 0), (Uniform, "soft", 1), (Fair, "auto", 0), (Fair, "soft", 1), (FocusFair, "labels", 1)],
)
def test_students_learn_from_whom_they_are_told_to(take, kind, students, teachers):
    net = cells()
    watched, losses, targets = take(kind(net.pairs, kind.Options(students=students)), net)
    assert watched.mixtures == teachers
    learned = students == "soft"
    expected = sum(
        distillation_loss(logits, watched.teacher) if learned else label_loss(logits, targets)
        for logits in watched.logits
    )
    torch.testing.assert_close(losses["big"], expected)


def test_the_mixed_supernet_is_a_single_path_where_one_operation_has_all():
    """Equation 5 with all of beta on one operation is that arch, at plain weights."""
    net = cells().eval()
    space, images = net.pairs.space, torch.rand(3, 3, 8, 8)
    arch = space.sample(stream(5))
    mixture = {
        name: torch.nn.functional.one_hot(torch.tensor(arch[name]), len(axis.values)).float()
        for name, axis in space.axes.items()
    }
    with torch.inference_mode():
        mixed = net.mixed(images, Subnet(space.largest()), mixture)
        torch.testing.assert_close(mixed, net(images, Subnet(arch)), rtol=1e-4, atol=1e-5)


def test_what_was_found_is_a_probability_for_every_operation():
    rule = FocusFair(cells().pairs, FocusFair.Options())
    found = rule.findings()
    assert list(found) == list(SPACE.axes)
    assert found["edge01.operation"] == pytest.approx(dict.fromkeys(OPERATIONS, 0.2))


def test_spaces_without_operations_have_no_mixed_teacher(make):
    pairs = make().pairs
    with pytest.raises(DuonasError, match="operations to mix, which 'mobilenet' does not have"):
        make_rule(pairs, options_for("train", rule="focus-fair"))
    make_rule(pairs, options_for("train", rule="fair"))


def test_generated_weights_warm_up_with_equal_coefficients():
    net = cells(weights=KshotHypernet.Options(dictionary=2, rank=2))

    def sharpness(step, **options):
        make_rule(net.pairs, TrainOptions(rule="uniform", epochs=20, **options)).prepare(net, step, 100)
        return net.big.generator.sharpness.item()

    assert [sharpness(step) for step in (0, 24, 25, 99)] == [0.0, 0.0, 1.0, 1.0]
    assert sharpness(0, coefficients="free") == 1.0
    assert sharpness(10, coefficient_epochs=2) == 1.0
    annealed = [sharpness(step, coefficients="annealed", coefficient_epochs=10) for step in (0, 25, 50)]
    assert annealed == pytest.approx([1 / 30, 1 / 15.5, 1.0])


def test_progressive_shrinking_refuses_generated_weights():
    net = cells(weights=Kshot.Options(dictionary=2))
    with pytest.raises(DuonasError, match="sorts channels"):
        make_rule(net.pairs, options_for("train", rule="progressive"))
