"""The contract of samplers of archs."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch

from duonas.core.couplings import possible_pairs
from duonas.core.pair import PairSpace, Subnet
from duonas.core.protocols import Step
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.training.sampler import Sampler

STEPS, DRAWS = 20, 8


class SamplerContract(ABC):
    """Tests of every sampler, under every coupling of a search space (laws 8 and 9)."""

    @abstractmethod
    def sampler(self, pairs: PairSpace) -> Sampler:
        """Return the sampler under test, equal on every call."""

    @abstractmethod
    def space(self) -> SearchSpace:
        """Return the space to draw from."""

    def couplings(self) -> list[PairSpace]:
        """Return the pair space of every possible coupling of the space."""
        return list(possible_pairs(self.space()).values())

    def test_what_is_drawn_is_allowed(self) -> None:
        """Subnets and pairs are of the space, and no choice is below ``least``, when a run begins and when it ends."""
        for pairs in self.couplings():
            sampler, rng = self.sampler(pairs), stream(0, "sampler", pairs.coupling)
            for step in (0, STEPS - 1):
                self._train(sampler, step, step + 1)
                for _ in range(DRAWS):
                    pairs.validate(sampler.pair(rng))
                    for role in pairs.roles:
                        subnet = sampler.subnet(role, rng)
                        assert subnet.role == role and subnet.split in (*pairs.splits, 0)
                        pairs.spaces[role].validate(subnet.arch)
                        self._check_least(sampler, role, rng)

    def test_a_run_that_was_killed_goes_on_with_the_same_draws(self) -> None:
        """The state is in buffers, and draws depend on it, on the step and on the generator alone."""
        pairs = self.couplings()[0]
        whole, first = self.sampler(pairs), self.sampler(pairs)
        self._train(whole, 0, STEPS)
        self._train(first, 0, STEPS // 2 + 3)
        second = self.sampler(pairs)
        second.load_state_dict(first.state_dict())
        self._train(second, STEPS // 2 + 3, STEPS)
        state = second.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in whole.state_dict().items())
        draws = [
            [each.arch(role, stream(1, i)) for i in range(DRAWS) for role in pairs.roles] for each in (whole, second)
        ]
        assert draws[0] == draws[1]

    def test_different_generators_draw_different_archs(self) -> None:
        """Subnets are drawn, not fixed."""
        pairs = self.couplings()[0]
        sampler = self.sampler(pairs)
        sampler.prepare(0, STEPS)
        assert len({sampler.arch(pairs.roles[0], stream(2, i)) for i in range(DRAWS)}) > 1

    @staticmethod
    def _check_least(sampler: Sampler, role: str, rng: np.random.Generator) -> None:
        space = sampler.pairs.spaces[role]  # type: ignore[index]
        least = {name: len(axis.values) // 2 for name, axis in space.axes.items()}
        arch = sampler.subnet(role, rng, least).arch  # type: ignore[arg-type]
        space.validate(arch)
        assert all(index >= least[name] for name, index in arch.choices)

    def _train(self, sampler: Sampler, first: int, last: int) -> None:
        """Let the sampler see steps in which small archs are worse, as in the sandwich."""
        pairs = sampler.pairs
        for step in range(first, last):
            sampler.prepare(step, STEPS)
            rng = stream(3, step)
            trained = []
            for role in pairs.roles:
                space = pairs.spaces[role]
                drawn = [sampler.arch(role, rng) for _ in range(2)]
                trained += [Subnet(arch, role) for arch in (space.largest(), space.smallest(), *drawn)]
            if sampler.compares:
                targets = torch.from_numpy(rng.integers(0, pairs.space.classes, 8))
                sampler.observe([(subnet, self._logits(subnet, targets, pairs)) for subnet in trained], _given(targets))

    @staticmethod
    def _logits(subnet: Subnet, targets: torch.Tensor, pairs: PairSpace) -> torch.Tensor:
        sure = pairs.spaces[subnet.role].encode(subnet.arch).sum() + sum(index for _, index in subnet.arch.choices)
        return float(sure) / 10 * torch.nn.functional.one_hot(targets, pairs.space.classes).float()


def _given(targets: torch.Tensor) -> Step:
    return Step(torch.zeros(len(targets), 3, 1, 1), targets, stream(0), lambda loss: None)
