"""Progressive shrinking: what is elastic when, who teaches whom, channels sorted once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from duonas.core.axis import Axis
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.recipe.schema import options_for
from duonas.supernet.pair import PairSupernet
from duonas.training.losses import label_loss
from duonas.training.options import PhaseOptions
from duonas.training.rules.progressive import Phases, Progressive
from support.distillation import distillation_loss

OPTIONS = options_for("train", rule="progressive")
COUPLINGS = ["nested", "sibling", "partial"]
# The least index of kernels (3 values), depths (3), expansions (4) and widths (4) at a step of 600.
SCHEDULE = [
    (0, (2, 2, 3, 3)),
    (149, (2, 2, 3, 3)),
    (150, (0, 2, 3, 3)),
    (299, (0, 2, 3, 3)),
    (300, (0, 1, 3, 3)),
    (324, (0, 1, 3, 3)),
    (325, (0, 0, 3, 3)),
    (449, (0, 0, 3, 3)),
    (450, (0, 0, 1, 1)),
    (474, (0, 0, 1, 1)),
    (475, (0, 0, 0, 0)),
    (599, (0, 0, 0, 0)),
]


@pytest.mark.parametrize(("step", "expected"), SCHEDULE)
def test_choices_become_elastic_one_kind_after_the_other(make, step, expected):
    space = make().pairs.space
    least = Phases(space, PhaseOptions()).least(step / 600)
    kinds = dict(zip(("kernel", "depth", "expansion", "width"), expected, strict=True)) | {"resolution": 0}
    assert least == {name: kinds[axis.kind] for name, axis in space.axes.items()}


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize(("step", "expected"), [SCHEDULE[i] for i in (0, 2, 4, 6, 8, 10)])
def test_what_is_not_elastic_stays_at_its_largest_and_all_else_varies(make, coupling, step, expected):
    net = make(coupling)
    rule = Progressive(net.pairs, replace(OPTIONS, random_archs=40))
    rule.prepare(net, step, 600)
    students = [subnet for _, subnet in rule.students(stream(0, "archs"))]
    for role in net.pairs.roles:
        archs = [subnet.arch for subnet in students if subnet.role == role]
        if role == "little":
            assert archs.pop(0) == net.pairs.space.largest()
        assert len(archs) == (40 if step else 0)
        for kind, least in zip(("kernel", "depth", "expansion", "width"), expected, strict=True):
            axes = [axis for axis in net.pairs.space.axes.values() if axis.kind == kind]
            seen = {arch[axis.name] for arch in archs for axis in axes if axis.name in arch}
            assert seen == (set(range(least, len(axes[0].values))) if archs else set())


def test_splits_are_drawn_from_the_first_step(make, take):
    net = make("partial", preset="cifar-small", axes={"depth": [1], "kernel": [3], "width": [0.5], "expansion": [1, 2]})
    rule = Progressive(net.pairs, OPTIONS)
    drawn = [subnet for step in range(6) for subnet in take(rule, net, step)[0].subnets if subnet.role == "little"]
    assert {subnet.split for subnet in drawn} == {1, 2} and {subnet.arch for subnet in drawn} == {
        net.pairs.space.largest()
    }


def test_the_largest_learns_from_labels_and_all_others_from_labels_and_the_largest(make, take):
    net = make("sibling")
    options = replace(OPTIONS, random_archs=1, label_smoothing=0.1, temperature=2.0, dropout=0.5)
    watched, losses, targets = take(Progressive(net.pairs, options), net, 99)
    teacher, *students = watched.logits
    torch.testing.assert_close(losses["largest"], label_loss(teacher, targets, 0.1))
    for name, student in zip(("random", "little_largest", "little_random"), students, strict=True):
        expected = label_loss(student, targets, 0.1) + distillation_loss(student, teacher, 2.0)
        torch.testing.assert_close(losses[name], expected)
    torch.testing.assert_close(losses["loss"], sum(losses[name] for name in losses if name != "loss"))
    assert watched.masks[0] is not None and watched.masks[1:] == [None] * 3


def test_weights_of_what_is_not_elastic_are_not_touched(make, take):
    """Kernel transforms get no gradient before kernels are elastic, norms of narrow layers none before widths are."""
    net = make(norm="switchable", kernel_transform=True)
    rule = Progressive(net.pairs, OPTIONS)

    def touched(step):
        net.zero_grad()
        take(rule, net, step)
        return {name for name, parameter in net.named_parameters() if parameter.grad is not None}

    def narrow(names):
        return {name for name in names if "by_width" in name} - widest

    widest = {name for name in touched(0) if "by_width" in name}
    assert not any("shrink" in name for name in touched(24))
    assert any("shrink" in name for name in touched(25)) and not narrow(touched(25))
    assert not narrow(touched(74)) and narrow(touched(99))


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_channels_are_sorted_once_right_before_widths(make, coupling):
    net = make(coupling)
    rule = Progressive(net.pairs, OPTIONS)
    before = [parameter.clone() for parameter in net.parameters()]
    assert [step for step in range(100) if rule.prepare(net, step, 100)] == [75]
    assert any(not torch.equal(now, old) for now, old in zip(net.parameters(), before, strict=True))


def test_without_elastic_channels_nothing_is_sorted(make):
    net = make(axes={"width": [1.0], "expansion": [4]})
    rule = Progressive(net.pairs, OPTIONS)
    assert not any(rule.prepare(net, step, 100) for step in range(100))


def test_the_schedule_is_an_option(make):
    space = make().pairs.space
    phases = Phases(space, PhaseOptions(kernel=0.6, depth=0.2, expansion=0.0, width=0.9))
    assert phases.elastic(0.0) and phases.widens(0.0) and phases.least(0.0)["stage1.block0.expansion"] == 1
    assert (phases.least(0.3)["stage1.depth"], phases.least(0.3)["stage1.block0.kernel"]) == (0, 2)
    assert (phases.least(0.6)["stage1.block0.kernel"], phases.least(0.89)["stage1.width"]) == (0, 3)


class OtherSpace(SearchSpace):
    """Axes of kinds that nobody has heard of."""

    def __init__(self):
        super().__init__("other", [Axis("colour", (1, 2, 3)), Axis("a.depth", (1, 2))], image_size=8, classes=2)

    def blocks(self, arch):
        return ()


def test_a_kind_of_ones_own_becomes_elastic_with_the_first():
    phases = Phases(OtherSpace(), PhaseOptions())
    assert phases.least(0.24) == {"colour": 2, "a.depth": 1} and not phases.elastic(0.24)
    assert phases.least(0.25) == {"colour": 0, "a.depth": 1} and phases.elastic(0.25)
    assert phases.least(0.6) == {"colour": 0, "a.depth": 0} and not phases.widens(1.0)


def test_a_space_of_ones_own_need_not_know_how_to_sort(take):
    """Its blocks keep their channels; those of the shipped head alone are sorted."""
    family = find("space", f"{Path(__file__).parents[3] / 'examples' / 'own_space.py'}:Plain")
    space = family.space(family.Options(), 8, 4)
    net = PairSupernet(pair_space(space), family.supernet(space, (0.5,) * 3, (0.2,) * 3, stream(0), family.Options()))
    before = {name: parameter.clone() for name, parameter in net.named_parameters()}
    rule = Progressive(net.pairs, OPTIONS)
    assert rule.prepare(net, 75, 100)
    moved = {name for name, parameter in net.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved == {"big.blocks.head.widen.conv.weight", "big.blocks.head.classify.weight"}
    watched, _, _ = take(rule, net, 99)
    assert len(set(watched.subnets)) == 3


def test_no_archs_to_draw_is_refused(make):
    with pytest.raises(DuonasError, match=r"random_archs = 0 would train only the largest network"):
        Progressive(make().pairs, replace(OPTIONS, random_archs=0))
