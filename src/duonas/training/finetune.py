"""Rules that train plain networks: the chosen pair jointly (paper D, sections 3.3 and 4.5), or one network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.core.protocols import Step
from duonas.pair.pair import Pair, PairOutput
from duonas.training.divergence import make_divergence
from duonas.training.losses import label_loss
from duonas.training.options import PairTraining, TrainOptions
from duonas.training.rule import Rule
from duonas.training.term import PairBatch, make_terms
from duonas.training.weighting import PairInTraining, make_weighting


class JointTraining(Rule):
    """Trains both towers of a pair jointly: ``CE(big) + alpha CE(little) + beta KD(little, big)`` and further terms.

    The label losses weigh images by ``[finetune.loss] weighting``. Dropout is applied to big only, as in the supernet
    to the largest subnet only.

    Args:
        pair: the pair that is trained.
        options: the training loop's, with the loss.
        little_share: fraction of the images that little is going to answer.
        seed: of the run.
    """

    def __init__(self, pair: Pair, options: PairTraining, little_share: float = 0.5, seed: int = 0) -> None:
        super().__init__()
        self.pair, self.options = pair, options
        self.divergence = make_divergence(options.divergence, options.temperature)
        self.terms = make_terms(options.loss)
        share = options.loss.little_share or little_share
        self.weighting = make_weighting(PairInTraining(pair, options, share, seed))
        self.weights = self.weighting.weights
        self._step = 0

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool:
        """Note the number of the step, by which weightings learn now and then."""
        self._step = step
        return False

    def step(self, network: Callable[..., Any], given: Step) -> dict[str, Tensor]:
        """Run one step and return its losses by name."""
        options = self.options
        with feature_dropout(self.pair.big, options.dropout, given.rng):
            logits: PairOutput = network(given.images)
        batch = PairBatch(given.images, given.targets, logits.little, logits.big, given.weights, self.divergence)
        weights = self.weighting(batch, self._step, given.backward)
        big, little = (
            label_loss(answer, given.targets, options.label_smoothing, each)
            for answer, each in ((logits.big, weights.big), (logits.little, weights.little))
        )
        terms = {
            "big": (1.0, big),
            "little": (options.alpha, little),
            "distillation": (options.beta, batch.taught(logits.little, logits.big)),
            **{term.called: (term.weight, term(batch)) for term in self.terms},
        }
        loss = torch.stack([weight * value for weight, value in terms.values()]).sum()
        given.backward(loss)
        return {"loss": loss.detach(), **{name: value.detach() for name, (_, value) in terms.items()}}


class SupervisedTraining(Rule):
    """Trains one network on labels.

    Args:
        net: the network that is trained, images (B, 3, H, W) to logits (B, K).
        options: the training loop's.
    """

    def __init__(self, net: nn.Module, options: TrainOptions) -> None:
        super().__init__()
        self.net, self.options = net, options

    def step(self, network: Callable[..., Any], given: Step) -> dict[str, Tensor]:
        """Run one step and return its loss."""
        with feature_dropout(self.net, self.options.dropout, given.rng):
            logits: Tensor = network(given.images)
        loss = label_loss(logits, given.targets, self.options.label_smoothing, given.weights)
        given.backward(loss)
        return {"loss": loss.detach()}


@contextmanager
def feature_dropout(network: nn.Module, p: float, rng: np.random.Generator) -> Iterator[None]:
    """In this block the inputs of ``network``'s classifier (its last linear layer) are dropped with probability ``p``.

    The network is left unchanged, and the draws come from ``rng``, so that training resumes bit for bit.

    Raises:
        DuonasError: the network has no linear layer.
    """
    if not p:
        yield
        return

    def drop(_: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        kept = rng.random(inputs[0].shape, dtype=np.float32) >= p
        return inputs[0] * torch.from_numpy(kept).to(inputs[0]) / (1 - p)

    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise DuonasError("dropout is for the features of a linear classifier, and this network has none: set it to 0.")
    hook = linear[-1].register_forward_pre_hook(drop)
    try:
        yield
    finally:
        hook.remove()
