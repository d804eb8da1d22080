"""The contract of baselines."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from duonas.baselines.baseline import Baseline
from duonas.core.rng import stream
from duonas.costs.count import count_macs
from duonas.exits.network import ExitNet, count_exits

CLASSES = 5


class BaselineContract(ABC):
    """Tests of every baseline (laws 3 and 9)."""

    side = 32  # of the images in pixels

    @abstractmethod
    def baseline(self) -> Baseline:
        """Return the baseline under test."""

    def network(self, seed: int = 0) -> nn.Module:
        """Return the network with initial weights, in eval mode."""
        made = self.baseline().network(CLASSES, self.side, (0.5,) * 3, (0.25,) * 3, stream(seed, "init"))
        return made.eval()

    def images(self, n: int) -> Tensor:
        """Return random images (n, 3, H, H) in [0, 1]."""
        return torch.from_numpy(stream(1, n).random((n, 3, self.side, self.side), dtype=np.float32))

    def answers(self, network: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of each exit of a network; a plain one has one exit."""
        found = network(images)
        return tuple(found) if isinstance(network, ExitNet) else (found,)

    def test_it_gives_logits_whatever_the_batch(self) -> None:
        """Logits are (N, K) and finite, and a row's do not depend on the batch (to rounding)."""
        self.baseline().check()
        network, images = self.network(), self.images(4)
        with torch.inference_mode():
            whole, alone = self.answers(network, images), self.answers(network, images[2:3])
        for logits, row in zip(whole, alone, strict=True):
            assert logits.shape == (4, CLASSES) and torch.isfinite(logits).all()
            torch.testing.assert_close(row, logits[2:3], rtol=1e-4, atol=1e-5)

    def test_an_image_that_leaves_early_costs_less(self) -> None:
        """Of a network that may stop early: each exit costs more than the one before, and the last one all."""
        network, image = self.network(), self.images(1)
        if isinstance(network, ExitNet):
            macs = count_exits(network, image)
            assert list(macs) == sorted(set(macs)) and macs[0] > 0 and macs[-1] == count_macs(network, image)

    def test_the_seed_decides(self) -> None:
        """Equal seeds give equal weights and other seeds others; global random state is unchanged."""
        state = torch.get_rng_state(), str(np.random.get_state())
        first, again, other = (list(self.network(seed).parameters()) for seed in (0, 0, 1))
        assert all(map(torch.equal, first, again)) and not all(map(torch.equal, first, other))
        assert torch.equal(state[0], torch.get_rng_state()) and state[1] == str(np.random.get_state())

    def test_it_can_be_trained(self) -> None:
        """Every weight gets a gradient."""
        network = self.network().train()
        torch.cat(self.answers(network, self.images(4))).square().sum().backward()
        assert all(weight.grad is not None for weight in network.parameters() if weight.requires_grad)
