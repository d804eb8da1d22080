"""Laws 2, 3 and 5 of the routed pair in PyTorch, wherever the router stands."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from duonas.core.cost import PairCost
from duonas.core.registry import names
from duonas.pair.facts import PairFacts, Preprocessing
from duonas.pair.pair import Pair
from duonas.routing.routed import RoutedPair
from duonas.routing.router import Router
from duonas.routing.routers.confidence import Confidence
from duonas.routing.routers.difficulty import Difficulty
from duonas.routing.routers.random import Random

INFINITY = float("inf")
ROUTERS = {
    "input": Difficulty("edges", position="input"),
    "stem": Random("stem"),
    "after_little": Confidence("margin"),
}
everywhere = pytest.mark.parametrize("position", ROUTERS)


class Counting(nn.Sequential):
    """Remembers how many rows it was given, call by call."""

    def __init__(self, *layers):
        super().__init__(*layers)
        self.rows = []

    def forward(self, x):
        self.rows.append(len(x))
        return super().forward(x)


def tower(channels, width):
    return Counting(nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
                    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 4))  # fmt: skip


def routed(router: Router, stem=True, same=False) -> RoutedPair:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shared = Counting(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()) if stem else None
        big = tower(8 if stem else 3, 16)
        facts = PairFacts({"macs": PairCost(stem=1, router=0, little=1, big=2)}, {}, 4, Preprocessing(8))
        pair = Pair(shared, big if same else tower(8 if stem else 3, 4), big, facts)
    return RoutedPair(pair, router).eval().to(memory_format=torch.channels_last)


def images(n, seed=0):
    noise = torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return noise.to(memory_format=torch.channels_last)


def median(net, batch):
    score = net(batch, -INFINITY).score.sort().values
    return float((score[len(score) // 2 - 1] + score[len(score) // 2]) / 2)


@pytest.mark.parametrize("router", [*ROUTERS.values(), *map(Confidence, names("score"))], ids=str)
@pytest.mark.parametrize("stem", [True, False])
@torch.inference_mode()
def test_the_ends_are_little_and_big_bit_for_bit(router, stem):
    net, batch = routed(router, stem), images(9)
    both = net.pair(batch)
    little, big = net(batch, -INFINITY), net(batch, INFINITY)
    assert torch.equal(little.logits, both.little) and little.is_little.all()
    assert torch.equal(big.logits, both.big) and not big.is_little.any()


@given(st.sampled_from(sorted(ROUTERS)), st.integers(0, 13), st.integers(1, 13), st.integers(0, 5))
@settings(deadline=None, max_examples=60)
@torch.inference_mode()
def test_a_row_is_routed_alike_in_any_batch(position, n, size, seed):
    net = routed(ROUTERS[position])
    tau = median(net, images(40, seed=99))
    batch = images(n, seed)
    whole = net(batch, tau)
    assert whole.logits.shape == (n, 4) and whole.score.shape == whole.is_little.shape == (n,)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    parts = [net(part, tau) for part in batch[order].split(size)] if n else []
    if parts:
        logits = torch.cat([part.logits for part in parts])
        torch.testing.assert_close(logits, whole.logits[order], rtol=1e-4, atol=1e-6)
        assert torch.equal(torch.cat([part.is_little for part in parts]), whole.is_little[order])


@everywhere
@torch.inference_mode()
def test_each_sees_its_own_rows_only_and_the_stem_runs_once(position):
    net, batch = routed(ROUTERS[position]), images(20)
    tau = median(net, batch)
    both = net.pair(batch)
    for part in (net.pair.stem, net.pair.little, net.pair.big):
        part.rows.clear()
    out = net(batch, tau)
    by_little = 20 if position == "after_little" else 10
    assert (net.pair.stem.rows, net.pair.little.rows, net.pair.big.rows) == ([20], [by_little], [10])
    expected = torch.where(out.is_little[:, None], both.little, both.big)
    torch.testing.assert_close(out.logits, expected, rtol=1e-4, atol=1e-6)
    net(batch, -INFINITY)
    net(images(0), 0.5)
    assert net.pair.big.rows == [10]


@everywhere
@torch.inference_mode()
def test_broken_weights_in_the_branch_not_taken_change_nothing(position):
    net, batch = routed(ROUTERS[position]), images(20)
    tau = median(net, batch)
    before, easy = net(batch, tau), net(batch, -INFINITY)
    for parameter in net.pair.big.parameters():
        parameter.fill_(float("nan"))
    assert torch.equal(net(batch, -INFINITY).logits, easy.logits)
    after = net(batch, tau)
    kept = before.is_little
    assert torch.equal(after.is_little, kept) and torch.equal(after.logits[kept], before.logits[kept])
    assert after.logits[~kept].isnan().all()


@pytest.mark.parametrize("position", ["input", "stem"])
@torch.inference_mode()
def test_a_broken_little_changes_nothing_for_big_where_it_is_not_asked_first(position):
    net, batch = routed(ROUTERS[position]), images(20)
    tau = median(net, batch)
    before = net(batch, tau)
    for parameter in net.pair.little.parameters():
        parameter.fill_(float("nan"))
    after = net(batch, tau)
    assert torch.equal(after.is_little, before.is_little) and after.logits[before.is_little].isnan().all()
    assert torch.equal(after.logits[~before.is_little], before.logits[~before.is_little])


@everywhere
@torch.inference_mode()
def test_where_both_are_the_same_network_routing_changes_no_prediction(position):
    net, batch = routed(ROUTERS[position], same=True), images(40)
    alone = net.pair(batch).big.argmax(1)
    for tau in (-INFINITY, median(net, batch), INFINITY):
        assert torch.equal(net(batch, tau).logits.argmax(1), alone)


@torch.inference_mode()
def test_a_broken_little_is_never_kept():
    net, batch = routed(ROUTERS["after_little"]), images(6)
    big = net.pair(batch).big
    for parameter in net.pair.little.parameters():
        parameter.fill_(float("nan"))
    for tau in (-INFINITY, 0.5, INFINITY):
        out = net(batch, tau)
        assert not out.is_little.any() and torch.equal(out.logits, big)


@everywhere
@torch.inference_mode()
def test_tau_may_be_a_tensor(position):
    net, batch = routed(ROUTERS[position]), images(8)
    tau = median(net, batch)
    assert torch.equal(net(batch, torch.tensor(tau)).is_little, net(batch, tau).is_little)
