"""The keys of ``[train]`` that every training rule has, and those of ``[finetune]``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, Self, TypeVar

from duonas.core.fields import (
    BelowOne,
    Count,
    CountOrZero,
    Fraction,
    Macs,
    NotNegative,
    OpenFraction,
    PartOf,
    Positive,
    Seconds,
)


@dataclass(frozen=True)
class DivergenceOptions:
    """``[train.divergence]``: the loss of students that learn from a teacher; ``divergence = "alpha"`` is short for its
    ``name``."""

    name: Annotated[str, PartOf("divergence")] = "cross_entropy"
    """How far a student is from its teacher: a shipped divergence, or your own as file.py:CLASS."""


@dataclass(frozen=True)
class SamplerOptions:
    """``[train.sampler]``: which archs a step draws; ``sampler = "cost"`` is short for its ``name``."""

    name: Annotated[str, PartOf("sampler")] = "uniform"
    """Which archs are drawn beside the largest and the smallest: a shipped sampler, or your own as file.py:CLASS."""


@dataclass(frozen=True)
class TrainOptions:
    """``[train]``: the supernet's training (BigNAS's five tricks; paper D, section 3.3)."""

    rule: Annotated[str, PartOf("rule")] = "sandwich"
    """What a step trains: a shipped rule, or your own as file.py:CLASS."""
    epochs: CountOrZero = 30
    """Passes over the training images; 0: the supernet is not trained, and the pair is chosen without accuracies."""
    steps: Count | None = None
    """Optimiser steps, in place of epochs."""
    sampler: SamplerOptions = field(default_factory=SamplerOptions)
    """Which archs a step draws."""
    warm_start: BelowOne = 0.0
    """Part of the run in which the largest arch is trained alone; then its channels are sorted by importance."""
    processes: Literal["images", "subnets"] = "images"
    """What several processes share: the images of a batch, or the subnets that are drawn for all of it."""
    batch_size: Count = 128
    """Images a step, over all processes; or of each process, where they share subnets."""
    class_weights: Literal["none", "balanced"] = "none"
    """"balanced": images count in the losses by the inverse of the size of their class, so that all classes count
    equally."""
    sampling: Literal["natural", "balanced"] = "natural"
    """"balanced": images of every class are drawn equally often; an epoch has as many images as before."""
    resolution: Literal["subnet", "batch"] = "subnet"
    """Whether a resolution is drawn for each subnet or for all subnets of a step."""
    coefficients: Literal["equal", "annealed", "free"] = "equal"
    """The coefficients of generated weights in the first epochs."""
    coefficient_epochs: NotNegative | None = None
    """Length of that beginning; default: 5 epochs for equal, 10 for annealed."""
    lr: Positive = 0.1
    """The highest learning rate."""
    pretrained_lr: Positive | None = None
    """The highest learning rate where the supernet starts from pretrained weights; default: a fifth of lr."""
    schedule: Literal["cosine", "exponential"] = "cosine"
    """How the learning rate falls."""
    lr_end: Fraction = 0.05
    """The constant ending of the exponential schedule, as a fraction of lr."""
    warmup_epochs: NotNegative = 1.0
    """Length of the linear rise to lr."""
    momentum: BelowOne = 0.9
    """Momentum of SGD, with Nesterov."""
    weight_decay: NotNegative = 1e-4
    """Weight decay, on the biggest subnet only and never on norms and biases."""
    dropout: BelowOne = 0.0
    """Dropout of the features, on the biggest subnet only."""
    label_smoothing: BelowOne = 0.0
    """Label smoothing of the losses on labels."""
    temperature: Positive = 1.0
    """Temperature of the in-place distillation."""
    divergence: DivergenceOptions = field(default_factory=DivergenceOptions)
    """The loss of the in-place distillation."""
    clip: NotNegative = 0.0
    """Largest norm of the gradient; 0: no clipping."""
    ema: BelowOne = 0.999
    """Decay of the averaged weights; 0: off."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Precision of the training."""
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""
    checkpoint_seconds: Seconds = 60.0
    """Seconds between two checkpoints."""
    timeout_seconds: Seconds = 600.0
    """Seconds that one of several processes waits for the others before it gives up."""

    @property
    def balanced(self) -> bool:
        """Whether the training makes up for rare classes, by weights or by sampling."""
        return "balanced" in (self.class_weights, self.sampling)

    def length(self, steps_per_epoch: int) -> int:
        """The optimiser steps of the whole training."""
        return self.epochs * steps_per_epoch if self.steps is None else self.steps

    def covering(self, steps_per_epoch: int) -> Self:
        """These options, with as many epochs as ``steps`` are where it is given, for whatever is measured in epochs."""
        if self.steps is None:
            return self
        return replace(self, epochs=max(1, math.ceil(self.steps / steps_per_epoch)))

    def from_pretrained(self) -> Self:
        """These options where the supernet starts from pretrained weights: with a lower learning rate."""
        return replace(self, lr=self.pretrained_lr or self.lr / 5)


@dataclass(frozen=True)
class LossOptions:
    """``[train.loss]``: the terms of the pair rule ``cotrain`` (paper D, section 3.3); big's has weight 1."""

    alpha: NotNegative = 1.0
    """Weight of little's label loss."""
    beta: NotNegative = 1.0
    """Weight of little's distillation from big."""
    gamma: NotNegative = 0.0
    """Weight of the router's loss."""
    features: NotNegative = 0.0
    """Weight of the loss between the features that the two heads read (FitNets)."""
    cost: NotNegative = 0.0
    """Weight of the expected MACs above cost_budget (NACHOS)."""
    cost_budget: Macs | None = None
    """Budget of the expected cost in MACs."""
    peak: NotNegative = 0.0
    """Weight of the peak MACs above peak_budget (NACHOS)."""
    peak_budget: Macs | None = None
    """Budget of the peak cost in MACs."""
    weighting: Literal["fixed", "uncertainty"] = "fixed"
    """"uncertainty": a weight for each term is learned on top (Kendall et al.)."""
    gate: Literal["margin", "learned"] = "margin"
    """The soft gate of router, cost and peak: little's margin, or a small network on little's logits that the router's
    loss trains (needs gamma)."""
    gate_tau: OpenFraction = 0.5
    """Little's margin at which the margin gate is half open."""
    gate_width: Positive = 0.1
    """Softness of the margin gate."""
    terms: Annotated[tuple[str, ...], PartOf("term", every=True)] = ()
    """Further terms as in [finetune.loss], your own as file.py:CLASS; the keys of the shipped ones join this table."""


@dataclass(frozen=True)
class PhaseOptions:
    """``[train.phases]``: the part of the run after which each kind of axis is elastic (paper D, section 4.5)."""

    kernel: BelowOne = 0.25
    """When kernels become elastic."""
    depth: BelowOne = 0.5
    """When depths become elastic."""
    expansion: BelowOne = 0.75
    """When expansions become elastic."""
    width: BelowOne = 0.75
    """When widths become elastic."""
    resolution: BelowOne = 0.25
    """When resolutions become elastic."""


@dataclass(frozen=True)
class PairLossOptions:
    """``[finetune.loss]``: the loss of a pair whose networks are trained together; big's label loss has weight 1."""

    alpha: NotNegative | None = None
    """Weight of little's label loss; default: [train.loss] alpha."""
    beta: NotNegative | None = None
    """Weight of little's distillation from big; default: [train.loss] beta."""
    weighting: Annotated[str, PartOf("weighting")] = "equal"
    """How much each image counts in the label losses of little and of big."""
    little_share: OpenFraction | None = None
    """Share of the images that little will answer, for weightings; default: that of the pair that the search chose."""
    terms: Annotated[tuple[str, ...], PartOf("term", every=True)] = ()
    """Further terms of your own as file.py:CLASS; their keys join this table."""


@dataclass(frozen=True)
class PairTraining(TrainOptions):
    """The training loop's options, and the loss, for a pair that is trained on."""

    alpha: float = 1.0
    """Weight of little's label loss."""
    beta: float = 1.0
    """Weight of little's distillation from big."""
    loss: PairLossOptions = field(default_factory=PairLossOptions)
    """The further terms of the loss, and the weights of images."""


Trained = TypeVar("Trained", bound=TrainOptions)


@dataclass(frozen=True)
class FinetuneOptions:
    """``[finetune]``: what becomes of the pair's weights after the search (paper D, sections 4.5 and 4.6).

    What is not given is as in ``[train]``; only ``joint`` is half as long, since it starts from trained weights.
    """

    renamed = (("alpha", "loss.alpha"), ("beta", "loss.beta"))

    mode: Literal["none", "joint", "scratch", "independent"] = "joint"
    """"none": the pair straight from the supernet; "joint": both networks trained on together; "scratch": together from
    fresh weights; "independent": each by itself from fresh weights, with nothing shared."""
    epochs: Count | None = None
    """Passes over the training images; default: half of [train]'s for joint, else as in [train]."""
    steps: Count | None = None
    """Optimiser steps, in place of epochs; where [train] counts in steps, joint has half of them by default."""
    batch_size: Count | None = None
    """Images a step; default: as in [train]."""
    lr: Positive | None = None
    """The highest learning rate; default: as in [train]."""
    weight_decay: NotNegative | None = None
    """Weight decay; default: as in [train]."""
    temperature: Positive | None = None
    """Temperature of little's distillation from big; default: as in [train]."""
    divergence: DivergenceOptions | None = None
    """The loss of little's distillation from big; default: as in [train]."""
    loss: PairLossOptions = field(default_factory=PairLossOptions)
    """The loss of joint and scratch."""

    def over(self, train: TrainOptions) -> PairTraining:
        """The training loop's options: these where they are given, those of ``train`` elsewhere."""
        loss = getattr(train, "loss", LossOptions())  # the rules that train pairs have it
        own = {name: value for name in ("alpha", "beta") if (value := getattr(self.loss, name)) is not None}
        whole = shared_fields(train) | {"alpha": loss.alpha, "beta": loss.beta} | own
        if self.mode == "joint":
            steps = None if train.steps is None else math.ceil(train.steps / 2)
            whole |= {"epochs": math.ceil(whole["epochs"] / 2), "steps": steps}
        return PairTraining(**whole | overriding(self))


def counted(options: Trained, steps: int | None) -> Trained:
    """Return the options for as many optimiser steps as were planned; as they are where none were."""
    return options if steps is None else replace(options, steps=steps)


def shared_fields(train: TrainOptions) -> dict[str, Any]:
    """The options that every training rule has, by name; at least one epoch, since what has these keys is trained."""
    found = {each.name: getattr(train, each.name) for each in fields(TrainOptions)}
    return found | {"epochs": max(1, train.epochs)}


def overriding(table: Any) -> dict[str, Any]:
    """What ``[finetune]`` or ``[baselines]`` gives in place of options of ``[train]``, by name."""
    known = {each.name for each in fields(PairTraining)}
    given = {each.name: getattr(table, each.name) for each in fields(table) if each.name in known}
    found = {name: value for name, value in given.items() if value is not None}
    return ({"steps": None} if "epochs" in found else {}) | found
