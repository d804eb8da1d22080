"""In-place distillation: the largest subnet teaches the others in the step that trains it (US-Nets, section 3.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.pair import PairSpace, Subnet
from duonas.core.protocols import Network, Step
from duonas.data.distributed import own_rows
from duonas.training.divergence import make_divergence
from duonas.training.losses import label_loss
from duonas.training.options import TrainOptions
from duonas.training.rule import Rule
from duonas.training.sampler import make_sampler


class InPlaceDistillation(Rule, ABC):
    """Each step trains big's largest subnet on labels, and the students that a subclass draws on its predictions.

    The largest little that shares nothing with big learns from labels, too: big's first predictions tell little, and in
    short trainings that was worth 10 to 23 points of little's accuracy.

    Weight decay (in the optimiser, where the largest covers all weights) and dropout touch the largest only.

    Args:
        pairs: where archs are drawn.
        options: the ``[train]`` table.

    ``on_labels`` says that all students learn from labels.
    """

    on_labels = False

    def __init__(self, pairs: PairSpace, options: TrainOptions) -> None:
        super().__init__()
        self.pairs = pairs
        self.options = options
        self.divergence = make_divergence(options.divergence, options.temperature)
        self.sampler = make_sampler(pairs, options.sampler)
        self._labelled = () if pairs.shares or self.on_labels else pairs.largest_subnets()[1:]
        self.weights = self.sampler

    @abstractmethod
    def students(self, rng: np.random.Generator) -> Iterator[tuple[str, Subnet]]:
        """The other subnets of a step by name; losses with the same name are added up."""

    def student_loss(self, logits: Tensor, soft: Tensor, given: Step) -> Tensor:
        """The loss of a student with logits (B, K), from the teacher's (B, K); a subclass may use the targets, too."""
        return self.divergence(logits, soft, given.targets, given.weights)

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool:
        """Prepare the sampler."""
        self.sampler.prepare(step, steps)
        return False

    def step(self, network: Network, given: Step) -> dict[str, Tensor]:
        """Run one step and return its losses by name."""
        mask = feature_mask(self.pairs, self.options.dropout, given)
        largest = Subnet(self.pairs.space.largest())
        students = list(self.students(given.rng))
        with network.together([largest, *(subnet for _, subnet in students)]):
            teacher = network(given.images, largest, mask)
            loss = label_loss(teacher, given.targets, self.options.label_smoothing, given.weights)
            given.backward(loss)
            losses = {"largest": loss.detach()}
            soft = teacher.detach()
            trained = [(largest, soft)]
            for name, subnet in students:
                logits = network(given.images, subnet)
                loss = self.student_loss(logits, soft, given)
                if subnet in self._labelled:
                    loss = loss + label_loss(logits, given.targets, self.options.label_smoothing, given.weights)
                given.backward(loss)
                losses[name] = losses.get(name, torch.zeros_like(loss)) + loss.detach()
                trained.append((subnet, logits.detach()))
        if self.sampler.compares:
            self.sampler.observe(trained, given)
        return {"loss": torch.stack(list(losses.values())).sum(), **losses}


def feature_mask(pairs: PairSpace, p: float, given: Step) -> Tensor | None:
    """Dropout of the largest arch's features as a mask (B, F), or ``None`` at p = 0."""
    if not p:
        return None
    head = pairs.blocks(Subnet(pairs.space.largest()))[-1]
    # Drawn for the whole batch, so that it does not depend on the number of processes.
    drawn = given.rng.random((len(given.images) * given.world, head.layers[-1].in_channels), dtype=np.float32)
    kept = own_rows(drawn, given.rank, given.world) >= p
    return torch.from_numpy(kept.astype(np.float32) / (1 - p)).to(given.images.device, non_blocking=True)
