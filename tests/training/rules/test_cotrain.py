"""The pair rule: what each term says, and where its gradient goes."""

from __future__ import annotations

import pytest
import torch

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.protocols import Step
from duonas.core.rng import stream
from duonas.costs.analytic import pair_cost
from duonas.routing.gate import Gate, find_gate
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.pair import PairSupernet
from duonas.training.losses import (
    cost_loss,
    feature_loss,
    gate_logit,
    peak_loss,
    router_loss,
    soft_gate,
)
from duonas.training.options import LossOptions
from duonas.training.rules.cotrain import Cotrain
from support.distillation import distillation_loss

COSTS = torch.tensor([1e6, 3e6, 8e6])


def supernet(coupling="nested"):
    table = MobileNet.Options(preset="digits", axes={"depth": [1, 2], "kernel": [3], "expansion": [1, 2]})
    space = MobileNet.space(table, 8, 4)
    pairs = pair_space(space, coupling)
    towers = [MobileNet.supernet(space, (0.5,) * 3, (0.2,) * 3, stream(0, "init", r), table) for r in pairs.roles]
    return PairSupernet(pairs, *towers).train()


def leaving(n=6, exits=3):
    rows = torch.from_numpy(stream(1).dirichlet([1.0] * exits, n)).float()
    return rows.requires_grad_()


class Recorder:
    """Passes on to the network and remembers the pairs, masks and outputs."""

    def __init__(self, net):
        self.net, self.seen = net, []

    def pair(self, images, pair, mask=None):
        output = self.net.pair(images, pair, mask)
        self.seen.append((pair, mask, output))
        return output

    def together(self, *networks):
        return self.net.together(*networks)


def step(options, coupling="nested"):
    recorder = Recorder(supernet(coupling))
    rule = Cotrain(recorder.net.pairs, options)
    images, targets = torch.rand(6, 3, 8, 8), torch.randint(0, 4, (6,))
    losses = rule.step(recorder, Step(images, targets, stream(0, "x"), lambda loss: loss.backward()))
    return recorder, rule, losses, targets


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
def test_each_step_trains_the_largest_a_smallest_and_sampled_pairs(coupling):
    recorder, _, _, _ = step(Cotrain.Options(random_archs=2, dropout=0.5), coupling)
    pairs, space = recorder.net.pairs, recorder.net.pairs.space
    drawn = [pair for pair, _, _ in recorder.seen]
    assert all(map(pairs.contains, drawn)) and len(drawn) == 4
    assert drawn[0].big == space.largest() and drawn[1].little == space.smallest()
    assert drawn[1] in list(pairs.smallest())
    masks = [mask for _, mask, _ in recorder.seen]
    assert masks[0] is not None and masks[1:] == [None] * 3


def test_the_loss_is_the_weighted_sum_of_its_terms():
    options = Cotrain.Options(random_archs=0, temperature=2.0, loss=LossOptions(alpha=0.5, beta=2.0, gamma=0.3))
    recorder, _, losses, _ = step(options)
    assert set(losses) == {"loss", "big", "little", "distillation", "router"}
    expected = losses["big"] + 0.5 * losses["little"] + 2 * losses["distillation"] + 0.3 * losses["router"]
    torch.testing.assert_close(losses["loss"], expected)
    outputs = [output for _, _, output in recorder.seen]
    distilled = sum(distillation_loss(output.little, output.big, 2.0) for output in outputs)
    torch.testing.assert_close(losses["distillation"], distilled.detach())


def test_a_term_without_weight_is_left_out():
    _, _, losses, _ = step(Cotrain.Options(loss=LossOptions(alpha=0, beta=0)))
    assert set(losses) == {"loss", "big"}


def test_the_cost_loss_is_zero_below_the_budget_and_pushes_towards_cheap_exits_above_it():
    rows = leaving()
    expected = float((rows.mean(0) @ COSTS).detach())
    assert cost_loss(rows, COSTS, expected + 1).item() == 0
    loss = cost_loss(rows, COSTS, expected - 1e6)
    assert loss.item() == pytest.approx(1e6 / (8e6 - expected + 1e6), rel=1e-4)
    loss.backward()
    slopes = rows.grad[0]
    assert (rows.grad == slopes).all() and slopes[0] < slopes[1] < slopes[2] and (slopes > 0).all()


def test_the_peak_loss_counts_only_exits_above_the_peak():
    rows = leaving()
    assert peak_loss(rows, COSTS, 8e6).item() == 0
    loss = peak_loss(rows, COSTS, 4e6)
    assert loss.item() == pytest.approx(float(rows[:, 2].detach().mean()), rel=1e-5)  # 8M is once 4M above it
    loss.backward()
    assert (rows.grad[:, :2] == 0).all() and (rows.grad[:, 2] > 0).all()


def test_an_exits_gradient_depends_on_its_own_column_alone():
    for function in (lambda p: cost_loss(p, COSTS, 1.0), lambda p: peak_loss(p, COSTS, 2e6)):
        one, other = leaving(), leaving()
        with torch.no_grad():
            other[:, 0] = other[:, 0].flip(0)
        for rows in (one, other):
            function(rows).backward()
        assert torch.equal(one.grad[:, 1:], other.grad[:, 1:])


def test_the_cost_loss_makes_little_surer_where_the_budget_is_tight():
    options = Cotrain.Options(random_archs=0, loss=LossOptions(alpha=0, beta=0, cost=1.0, cost_budget=1e5))
    net = supernet()
    little = net.pairs.space.smallest()
    assert pair_cost(net.pairs, next(net.pairs.smallest())).least <= 1e5
    logits = torch.randn(8, 4, requires_grad=True)
    gate = soft_gate(gate_logit(logits, options.loss.gate_tau, options.loss.gate_width))
    cost_loss(gate, torch.tensor([1e4, 1e6]), 1e5).backward()
    with torch.no_grad():
        after = soft_gate(gate_logit(logits - 0.5 * logits.grad, options.loss.gate_tau, options.loss.gate_width))
    assert after[:, 0].mean() > gate[:, 0].mean() and little in net.pairs.space.archs()


def test_the_router_learns_to_go_on_only_where_little_is_wrong_and_big_is_right():
    classes = torch.tensor([0, 0, 0, 0])
    right, wrong = torch.tensor([9.0, 0.0]), torch.tensor([0.0, 9.0])
    little, big = torch.stack([right, right, wrong, wrong]), torch.stack([right, wrong, right, wrong])
    ideal = torch.tensor([99.0, 99.0, -99.0, 99.0], requires_grad=True)
    assert router_loss(ideal, little, big, classes) < 1e-6
    wrong_way = (-ideal).detach().requires_grad_()
    router_loss(wrong_way, little, big, classes).backward()
    assert torch.equal(wrong_way.grad.sign(), -ideal.sign())  # sure and wrong: it still learns
    soft = torch.nn.functional.one_hot(classes, 2).float()
    assert router_loss(ideal, little, big, soft) < 1e-6


def learned(**loss):
    """A rule after a step in which little's own losses do not count, and the gradients of little's weights."""
    options = Cotrain.Options(
        random_archs=1, loss=LossOptions(alpha=0, beta=0, gate="learned", **{"gamma": 1.0} | loss)
    )
    recorder, rule, _, _ = step(options, "sibling")
    return rule, [p.grad for name, p in recorder.net.named_parameters() if name.startswith("little.")]


@pytest.mark.parametrize("loss", [{}, {"cost": 1.0, "cost_budget": 1e5, "peak": 1.0, "peak_budget": 1e5}])
def test_a_learned_gate_is_taught_and_teaches_little_nothing(loss):
    rule, little = learned(**loss)
    gate = find_gate(rule.weights)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in gate.parameters())
    assert little and all(each is None for each in little)


def test_a_learned_gate_finds_out_by_the_routers_loss_what_is_hard():
    gate, rng = Gate(4), stream(3, "gate")
    logits = torch.from_numpy(rng.normal(size=(256, 4))).float() * 3
    hard = logits.softmax(1).amax(1) < 0.7
    classes = torch.where(hard, (logits.argmax(1) + 1) % 4, logits.argmax(1))
    big = torch.eye(4)[classes] * 9
    optimizer = torch.optim.SGD(gate.parameters(), lr=0.1, momentum=0.9)
    for _ in range(200):
        optimizer.zero_grad()
        router_loss(gate(logits), logits, big, classes).backward()
        optimizer.step()
    assert ((gate(logits) < 0) == hard).float().mean() > 0.95
    other = gate(torch.cat([logits[:1], 50 * logits[1:]]))
    torch.testing.assert_close(other[:1], gate(logits[:1]))  # whatever its batch-mates


def test_a_gate_that_nothing_teaches_is_refused():
    with pytest.raises(DuonasError, match=r"\[train.loss\] gate = 'learned' is trained by .*: set gamma above 0"):
        Cotrain(supernet().pairs, Cotrain.Options(loss=LossOptions(gate="learned")))


def test_features_are_compared_at_littles_size_and_teach_little_alone():
    little, big = torch.randn(2, 3, 4, 4, requires_grad=True), torch.randn(2, 3, 8, 8, requires_grad=True)
    feature_loss(little, big).backward()
    assert big.grad is None and little.grad.abs().sum() > 0
    assert feature_loss(big, big) == 0


def test_learned_weights_find_each_terms_own_size():
    """At rest exp(-s) is 1 / (2 L): a term ten times as large gets a tenth of the weight."""
    _, rule, _, _ = step(Cotrain.Options(loss=LossOptions(weighting="uncertainty")))
    terms = {"big": torch.tensor(5.0), "little": torch.tensor(0.5), "distillation": torch.tensor(1.0)}
    optimizer = torch.optim.SGD(rule.weights.parameters(), lr=0.1)
    for _ in range(500):
        optimizer.zero_grad()
        rule.weights.total(terms, rule.fixed).backward()
        optimizer.step()
    found = torch.exp(-rule.weights.log_variances.detach())
    torch.testing.assert_close(found, 1 / (2 * torch.stack(list(terms.values()))), rtol=1e-2, atol=1e-3)


def test_a_budget_that_is_kept_is_no_uncertainty_to_learn():
    loss = LossOptions(cost=1.0, cost_budget=1e9, weighting="uncertainty")
    _, rule, _, _ = step(Cotrain.Options(loss=loss))
    terms = {name: torch.tensor(1.0) for name in ("big", "little", "distillation")} | {"cost": torch.tensor(0.0)}
    assert len(rule.weights.log_variances) == 3
    assert rule.weights.total(terms, rule.fixed) == 3  # each s starts at 0


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (LossOptions(cost=1.0), r"\[train.loss\] cost needs cost_budget, in MACs: at least [\d,]+"),
        (
            LossOptions(cost=1.0, cost_budget=10.0),
            r"cost_budget = 10 is below the smallest pair's [\d,]+",
        ),
        (
            LossOptions(peak=1.0, peak_budget=10.0),
            r"peak_budget = 10 is below the smallest pair's [\d,]+",
        ),
    ],
)
def test_budgets_that_cannot_be_met_are_refused(loss, message):
    with pytest.raises(DuonasError, match=message):
        Cotrain(supernet().pairs, Cotrain.Options(loss=loss))
