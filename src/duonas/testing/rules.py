"""The contract of training rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from duonas.core.options import TrainOptions
from duonas.core.pair import PairSpace
from duonas.core.protocols import TrainRule
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.spaces.pair import PairSupernet
from duonas.training.loop import build_fabric, train


class RuleContract(ABC):
    """What every training rule keeps (laws 8 and 9)."""

    @abstractmethod
    def supernet(self) -> PairSupernet:
        """A fresh supernet; equal at every call."""

    @abstractmethod
    def rule(self, pairs: PairSpace, options: TrainOptions) -> TrainRule:
        """The rule under test."""

    def options(self) -> TrainOptions:
        """Two short epochs with everything on that a rule may use."""
        return TrainOptions(epochs=2, batch_size=8, lr=0.01, dropout=0.1, checkpoint_seconds=1e-9, accelerator="cpu")

    def train(self, folder: Path, kill_at: int | None = None) -> dict[str, Tensor]:
        """Weights after training, where wanted killed before step ``kill_at`` and started again."""
        supernet, options = self.supernet(), self.options()
        batches = _SeededBatches(supernet.pairs.space)
        rule = self.rule(supernet.pairs, options)
        if kill_at is not None:
            try:
                train(supernet, _KilledAt(batches, kill_at), rule, options, seed=0, folder=folder)
            except KeyboardInterrupt:
                supernet = self.supernet()
        train(supernet, batches, rule, options, seed=0, folder=folder, fabric=build_fabric(options))
        return supernet.state_dict()

    def test_the_seed_decides_and_training_changes_the_weights(self, tmp_path: Path) -> None:
        """Law 9: two runs, the same bits."""
        first, second = self.train(tmp_path / "a"), self.train(tmp_path / "b")
        assert all(torch.equal(value, second[name]) for name, value in first.items())
        fresh = self.supernet().state_dict()
        assert any(not torch.equal(value, fresh[name]) for name, value in first.items())

    def test_killed_and_started_again_is_never_killed(self, tmp_path: Path) -> None:
        """Law 8: whatever step it was killed at, the same bits."""
        whole = self.train(tmp_path / "whole")
        for step in (1, 4, 7):
            resumed = self.train(tmp_path / f"killed{step}", kill_at=step)
            assert all(torch.equal(value, whole[name]) for name, value in resumed.items())

    def test_losses_are_finite_and_named(self) -> None:
        """A step reports ``loss`` and leaves gradients."""
        supernet, options = self.supernet().train(), self.options()
        images, targets = _SeededBatches(supernet.pairs.space).batch(0)
        losses = self.rule(supernet.pairs, options).step(
            supernet, images, targets, stream(0, "step"), lambda x: x.backward()
        )
        assert torch.isfinite(losses["loss"]) and not losses["loss"].requires_grad
        gradients = [p.grad for p in supernet.parameters() if p.grad is not None]
        assert gradients and all(torch.isfinite(g).all() for g in gradients)


class _SeededBatches:
    def __init__(self, space: SearchSpace) -> None:
        self.side, self.classes = space.image_size, space.classes

    def __len__(self) -> int:
        return 4

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        rng = stream(10, step)
        images = rng.random((8, 3, self.side, self.side), dtype=np.float32)
        return torch.from_numpy(images), torch.from_numpy(rng.integers(0, self.classes, 8))


class _KilledAt(_SeededBatches):
    def __init__(self, batches: _SeededBatches, step: int) -> None:
        self.side, self.classes, self.step = batches.side, batches.classes, step

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        if step == self.step:
            raise KeyboardInterrupt
        return super().batch(step)
