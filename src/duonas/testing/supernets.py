"""The contract of supernets and of pairs in them."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.pair import PairArch, Role, Subnet
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.costs.analytic import analytic, pair_cost
from duonas.costs.count import count_macs
from duonas.layers.norm import folded, recalibrate
from duonas.pair.pair import Pair
from duonas.routing.routed import RoutedPair
from duonas.routing.routers.confidence import Confidence
from duonas.supernet.pair import PairSupernet
from duonas.supernet.relaxed import RelaxedNetwork
from duonas.supernet.supernet import Supernet
from duonas.testing._digest import digest
from duonas.testing.spaces import SpaceContract, some_archs

PAIRS = 2  # random pairs of every coupling
_TRAINED: dict[tuple[type, Role, str], Supernet] = {}  # by class of tests, role and digest, since every test needs them


def between(scores: Tensor) -> float:
    """Return a threshold in the widest gap of the scores (N,), so that rounding errors do not matter."""
    ordered = scores.sort().values
    widest = int((ordered[1:] - ordered[:-1]).argmax())
    return float(ordered[widest : widest + 2].mean())


class SupernetContract(SpaceContract):
    """Tests of every supernet and of its pairs (laws 1, 2, 3, 5, 6 of the design)."""

    @abstractmethod
    def supernet(self) -> Supernet:
        """Return the supernet under test, with initial weights, equal on every call."""

    def little(self) -> Supernet | None:
        """Return a supernet of little's own, if any: of the same axes with other blocks, or of any other space."""
        return None

    @cached_property
    def untouched(self) -> Supernet:
        """The supernet under test, for what a test only reads."""
        return self.supernet()

    def space(self) -> SearchSpace:
        """Return the space of the supernet."""
        return self.untouched.space

    def little_space(self) -> SearchSpace | None:
        """Return the space of little's own, if it has one."""
        little = self.little()
        return little.space if little else None

    def trained(self, role: Role = "big") -> Supernet:
        """Return the supernet of a role with perturbed weights and updated running statistics, a new one each time."""
        fresh = (role == "little" and self.little()) or self.untouched
        known = (type(self), role, digest(fresh))
        if known not in _TRAINED:
            _TRAINED[known] = self._perturbed(copy.deepcopy(fresh))
        space = _TRAINED[known].space
        return copy.deepcopy(_TRAINED[known], {id(space): space})

    def _perturbed(self, supernet: Supernet) -> Supernet:
        supernet.train()
        with torch.no_grad():
            for parameter in supernet.parameters():
                parameter.add_(torch.from_numpy(stream(6, *parameter.shape).normal(0, 0.1, parameter.shape)).float())
            for arch in some_archs(supernet.space):
                supernet(self.images(4), arch)
        return supernet.eval()

    def images(self, n: int) -> Tensor:
        """Return random images (n, 3, H, H) in [0, 1]."""
        side = self.space().image_size
        return torch.from_numpy(stream(7, n).random((n, 3, side, side), dtype=np.float32))

    def coupled(self) -> Iterator[PairSupernet]:
        """Yield the trained supernets under every coupling."""
        for pairs in self.couplings():
            yield PairSupernet(pairs, *map(self.trained, pairs.towers)).eval()

    def pair_net(self, coupled: PairSupernet) -> tuple[PairArch, Pair]:
        """Return a random pair and its extracted, recalibrated networks."""
        pair = coupled.pairs.sample(stream(8, "pair"))
        net = coupled.extract_pair(pair)
        for tower in net.towers().values():
            recalibrate(tower, [self.images(32)])
        return pair, net.eval()

    def test_extracted_equals_the_supernet(self) -> None:
        """Law 1: logits are bitwise equal, and MACs and parameters equal those that are counted."""
        supernet, images = self.trained(), self.images(3)
        for arch in self.archs():
            plain = supernet.extract(arch)
            with torch.inference_mode():
                assert torch.equal(plain(images), supernet(images, arch))
            cost = analytic(supernet.space.blocks(arch))
            assert count_macs(plain, images) == 3 * cost.macs
            assert sum(p.numel() for p in plain.parameters()) == cost.params

    def test_extraction_and_recalibration_leave_nothing_behind(self) -> None:
        """An extracted network has its own weights, so that changes do not affect the supernet."""
        supernet = self.trained()
        before = copy.deepcopy(supernet.state_dict())
        plain = supernet.extract(supernet.space.largest())
        recalibrate(plain, [self.images(8)])
        with torch.no_grad():
            for parameter in plain.parameters():
                parameter.fill_(float("nan"))
        assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())

    def test_recalibration_is_the_cumulative_average(self) -> None:
        """Statistics over two equal batches are those of one: an average, not a moving one."""
        supernet, images = self.trained(), self.images(8)
        arch = supernet.space.largest()
        once, twice = (recalibrate(supernet.extract(arch), [images] * n) for n in (1, 2))
        for (name, a), b in zip(once.state_dict().items(), twice.state_dict().values(), strict=True):
            if "running" in name:
                torch.testing.assert_close(a, b)

    def test_a_relaxed_network_without_doubt_is_the_subnet(self) -> None:
        """Where every choice has probability 1, logits are equal to rounding; else gradients reach what decides.

        Only of supernets that ``relaxes``, which strategies with gradients can search.
        """
        if not self.untouched.relaxes:
            return
        coupled, images = next(self.coupled()), self.images(3)
        for role in coupled.pairs.roles:
            relaxed, space = RelaxedNetwork(coupled, role), coupled.pairs.spaces[role]
            for arch in (space.smallest(), space.sample(stream(10, role))):
                sure = {name: one_hot(arch.get(name, 0), len(axis.values)) for name, axis in space.axes.items()}
                with torch.no_grad():
                    logits = coupled(images, Subnet(arch, role))
                    error = (relaxed(images, sure) - logits).abs().max()
                assert error <= 1e-4 * (1 + logits.abs().max())
            even = {name: torch.full_like(row, 1 / len(row)).requires_grad_() for name, row in sure.items()}
            relaxed(images, even).square().sum().backward()
            deciding = {axis for place in relaxed.places for axis in place.axes}
            reached = {name: even[name].grad for name in deciding}
            assert all(grad is not None and grad.abs().sum() > 0 for grad in reached.values())

    def test_folding_the_norms_changes_no_answer(self) -> None:
        """Logits are equal to rounding, and the network itself is unchanged."""
        supernet, images = self.trained(), self.images(3)
        for arch in self.archs()[:4]:
            plain = recalibrate(supernet.extract(arch), [self.images(32)])
            before = copy.deepcopy(plain.state_dict())
            fast = folded(plain)
            with torch.inference_mode():
                torch.testing.assert_close(fast(images), plain(images), rtol=1e-3, atol=1e-4)
            assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())

    def test_no_mate_in_the_batch_matters(self) -> None:
        """In eval mode, a row's logits do not depend on the batch (to rounding)."""
        supernet, images = self.trained(), self.images(5)
        for arch in self.archs()[:4]:
            plain = supernet.extract(arch)
            with torch.inference_mode():
                torch.testing.assert_close(plain(images)[2:3], plain(images[2:3]), rtol=1e-4, atol=1e-5)

    def test_a_pair_in_the_supernet_equals_its_two_subnets(self) -> None:
        """Running shared blocks once gives the same logits, and MACs of subnets equal those of their blocks."""
        images = self.images(3)
        for coupled in self.coupled():
            for i in range(PAIRS):
                pair = coupled.pairs.sample(stream(9, i))
                together, alone = coupled.pair(images, pair), coupled.extract_pair(pair)(images)
                for role, subnet in zip(("little", "big"), coupled.pairs.subnets(pair), strict=True):
                    assert torch.equal(getattr(together, role), coupled(images, subnet))
                    assert torch.equal(getattr(together, role), getattr(alone, role))
                    cost = analytic(coupled.pairs.blocks(subnet))
                    assert count_macs(coupled.extract(subnet), images) == 3 * cost.macs

    def test_sorted_channels_leave_the_largest_as_they_were(self) -> None:
        """Logits are equal to rounding in every tower and at every split; sums have another order."""
        images = self.images(3)
        for coupled in self.coupled():
            largest = coupled.pairs.largest_subnets()
            with torch.inference_mode():
                before = [coupled(images, subnet) for subnet in largest]
                coupled.sort_channels()
                for subnet, logits in zip(largest, before, strict=True):
                    error = (coupled(images, subnet) - logits).abs().max()
                    assert error <= 1e-4 * (1 + logits.abs().max())

    def test_the_ends_of_tau_are_little_and_big_exactly(self) -> None:
        """Law 2: logits and MACs at infinite tau are those of little and big; law 6: MACs at a finite tau."""
        for coupled in self.coupled():
            pair, net = self.pair_net(coupled)
            cost = pair_cost(coupled.pairs, pair)
            images, cascade = self.images(16), RoutedPair(net, Confidence("margin"))
            with torch.inference_mode():
                both = net(images)
                assert torch.equal(cascade(images, float("-inf")).logits, both.little)
                assert torch.equal(cascade(images, float("inf")).logits, both.big)
                scores = cascade(images, 0.0).score
            for tau in (float("-inf"), between(scores), float("inf")):
                stays = float((scores >= tau).float().mean()) if tau < float("inf") else 0.0
                ran = count_macs(_AtTau(cascade, tau), images)
                assert ran == round(16 * cost.expected(stays))

    def test_routing_a_batch_is_routing_its_rows(self) -> None:
        """Law 3: logits do not depend on batch size and order; the batch may be empty."""
        _, net = self.pair_net(next(self.coupled()))
        images, cascade = self.images(9), RoutedPair(net, Confidence("margin"))
        with torch.inference_mode():
            tau = between(cascade(images, 0.0).score)
            whole = cascade(images, tau)
            order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
            shuffled = cascade(images[order], tau)
            rows = [cascade(images[i : i + 1], tau) for i in range(9)]
            torch.testing.assert_close(shuffled.logits, whole.logits[order], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(torch.cat([r.logits for r in rows]), whole.logits, rtol=1e-4, atol=1e-5)
            assert len(cascade(images[:0], tau).logits) == 0

    def test_what_is_not_taken_does_not_run(self) -> None:
        """Law 5: NaN weights in big do not affect easy rows."""
        _, net = self.pair_net(next(self.coupled()))
        images, cascade = self.images(12), RoutedPair(net, Confidence("margin"))
        with torch.inference_mode():
            tau = between(cascade(images, 0.0).score)
            before = cascade(images, tau)
            for parameter in net.big.parameters():
                parameter.fill_(float("nan"))
            after = cascade(images, tau)
            easy = before.is_little
            assert easy.any() and not easy.all()
            assert torch.equal(after.logits[easy], before.logits[easy])
            assert after.logits[~easy].isnan().all()
            assert torch.equal(cascade(images, float("-inf")).logits, net(images).little)


def one_hot(index: int, size: int) -> Tensor:
    """Return probabilities (size,) of which one is 1."""
    return torch.eye(size)[index]


class _AtTau(nn.Module):
    def __init__(self, cascade: RoutedPair, tau: float) -> None:
        super().__init__()
        self.cascade, self.tau = cascade, tau

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.cascade(images, self.tau).logits
        return logits
