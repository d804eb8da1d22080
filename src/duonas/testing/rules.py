"""The contract of training rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from duonas.core.pair import PairSpace
from duonas.core.protocols import Step, TrainRule
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.supernet.pair import PairSupernet
from duonas.testing._digest import digest
from duonas.training.fabric import build_fabric
from duonas.training.loop import Training, train
from duonas.training.options import TrainOptions

EPOCHS, STEPS = 2, 4  # STEPS per epoch
_UNDISTURBED: dict[tuple[type, str, str], dict[str, Tensor]] = {}  # weights by class of tests, digest and options


class RuleContract(ABC):
    """Tests of every training rule (laws 8 and 9)."""

    @abstractmethod
    def supernet(self) -> PairSupernet:
        """Return an untrained supernet, equal on every call."""

    @abstractmethod
    def rule(self, pairs: PairSpace, options: TrainOptions) -> TrainRule:
        """Return the rule under test."""

    def options(self) -> TrainOptions:
        """Return options for two short epochs, with dropout and checkpoints."""
        return TrainOptions(
            epochs=EPOCHS, batch_size=8, lr=0.01, dropout=0.1, checkpoint_seconds=1e-9, accelerator="cpu"
        )

    def train(self, folder: Path, killed_before: Iterable[int] = ()) -> dict[str, Tensor]:
        """Return all weights after training that is interrupted before some steps, and resumed each time."""
        for step in killed_before:
            with suppress(KeyboardInterrupt):
                self._train(folder, kill_at=step)
        return self._train(folder)

    def undisturbed(self, folder: Path) -> dict[str, Tensor]:
        """Return all weights after training that nothing interrupts: once for all tests of a class."""
        known = (type(self), digest(self.supernet()), str(self.options()))
        if known not in _UNDISTURBED:
            _UNDISTURBED[known] = self.train(folder)
        return _UNDISTURBED[known]

    def _train(self, folder: Path, kill_at: int | None = None) -> dict[str, Tensor]:
        supernet, options = self.supernet(), self.options()
        batches = _SeededBatches(supernet.pairs.space, kill_at)
        rule = self.rule(supernet.pairs, options)
        train(supernet, batches, rule, options, Training(folder, fabric=build_fabric(options)))
        return supernet.state_dict() | rule.weights.state_dict(prefix="rule/")

    def test_the_seed_decides_and_training_changes_the_weights(self, tmp_path: Path) -> None:
        """Law 9: two runs are bitwise equal."""
        first, second = self.undisturbed(tmp_path / "a"), self.train(tmp_path / "b")
        assert all(torch.equal(value, second[name]) for name, value in first.items())
        fresh = self.supernet().state_dict()
        assert any(not torch.equal(first[name], value) for name, value in fresh.items())

    def test_killed_at_every_step_is_never_killed(self, tmp_path: Path) -> None:
        """Law 8: a run that is interrupted before each step and resumed is bitwise equal."""
        whole = self.undisturbed(tmp_path / "whole")
        killed = self.train(tmp_path / "killed", killed_before=range(EPOCHS * STEPS))
        assert all(torch.equal(value, whole[name]) for name, value in killed.items())

    def test_losses_are_finite_and_named(self) -> None:
        """A step reports ``loss`` and leaves gradients."""
        supernet, options = self.supernet().train(), self.options()
        images, targets = _SeededBatches(supernet.pairs.space).batch(0)
        rule = self.rule(supernet.pairs, options)
        rule.prepare(supernet, 0, EPOCHS * STEPS)
        losses = rule.step(supernet, Step(images, targets, stream(0, "step"), lambda x: x.backward()))
        assert torch.isfinite(losses["loss"]) and not losses["loss"].requires_grad
        gradients = [p.grad for p in supernet.parameters() if p.grad is not None]
        assert gradients and all(torch.isfinite(g).all() for g in gradients)

    def test_the_weights_of_images_multiply_their_losses(self) -> None:
        """Weights of 1 change nothing, and the label of an image of weight 0 has no influence."""
        images, targets = _SeededBatches(self.supernet().pairs.space).batch(0)
        ones = torch.ones(len(targets))
        plain, weighted = self._gradients(images, targets, None), self._gradients(images, targets, ones)
        for name, value in plain.items():
            torch.testing.assert_close(weighted[name], value, rtol=1e-4, atol=1e-6)
        ones[0] = 0.0
        other = targets.clone()
        other[0] = (targets[0] + 1) % self.supernet().pairs.space.classes
        first, second = self._gradients(images, targets, ones), self._gradients(images, other, ones)
        assert all(torch.equal(value, second[name]) for name, value in first.items()), (
            "the rule does not use the weights of a step's images: give given.weights to its losses"
        )

    def _gradients(self, images: Tensor, targets: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
        supernet, options = self.supernet().train(), self.options()
        rule = self.rule(supernet.pairs, options)
        rule.prepare(supernet, 0, EPOCHS * STEPS)
        given = Step(images, targets, stream(0, "step"), lambda loss: loss.backward(), weights=weights)
        rule.step(supernet, given)
        return {name: p.grad for name, p in supernet.named_parameters() if p.grad is not None}


class _SeededBatches:
    def __init__(self, space: SearchSpace, kill_at: int | None = None) -> None:
        self.side, self.classes, self.kill_at = space.image_size, space.classes, kill_at

    def __len__(self) -> int:
        return STEPS

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        if step == self.kill_at:
            raise KeyboardInterrupt
        rng = stream(10, step)
        images = rng.random((8, 3, self.side, self.side), dtype=np.float32)
        return torch.from_numpy(images), torch.from_numpy(rng.integers(0, self.classes, 8))
