"""The tables of a recipe as types: each stage takes its own, and the recipe's schema is all of them together."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, TypeVar

from annotated_types import Ge, Gt, Le, Lt, MinLen

Fraction = Annotated[float, Ge(0), Le(1)]
OpenFraction = Annotated[float, Gt(0), Lt(1)]
Width = Annotated[float, Gt(0), Le(1)]
Count = Annotated[int, Gt(0)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Start = Annotated[float, Ge(0), Lt(1)]
ConfidenceScore = Literal["max_softmax", "margin", "entropy", "logit_margin", "energy", "best"]
Norm = Literal["recalibrated", "switchable", "both"]
Rule = Literal["sandwich", "cotrain", "uniform", "fair", "focus-fair", "progressive", "hybrid"]


@dataclass(frozen=True)
class DataOptions:
    """``[data]``: which images, how they are split, how training images are varied."""

    name: Literal["digits", "cifar10", "cifar100", "folder"] = "digits"  # the data set
    path: str | None = None  # folder of classes, or of Parquet shards; default: download to ~/.cache/duonas
    image_size: Count | None = None  # side in pixels; default: the data set's own
    val: OpenFraction = 0.05  # of the images that are not test
    calib: OpenFraction = 0.05  # likewise; the router is calibrated on it
    test: OpenFraction = 0.2  # of all images, where the data set has no test split of its own
    store: Literal["memory", "disk"] = "memory"  # where decoded images are held; disk is for a folder
    cache: str | None = None  # disk: the folder that gets them; default: ~/.cache/duonas
    crop_scale: Annotated[float, Gt(0), Le(1)] = 1.0  # least part of the area that a random crop enlarges; 1: off
    crop_padding: Annotated[int, Ge(0)] = 0  # pixels of random shift; 0: off
    flip: bool = False  # left and right, at random
    randaugment: Annotated[int, Ge(0)] = 0  # operations an image
    magnitude: Annotated[float, Ge(0), Le(30)] = 9.0  # of those operations
    mixup: NotNegative = 0.0  # alpha of the Beta distribution; 0: off
    cutmix: NotNegative = 0.0  # likewise; with both on, each batch gets one of them


@dataclass(frozen=True)
class SpaceOptions:
    """``[space]``: a shipped search space's name, or ``file.py:NAME`` for one's own."""

    name: str = "mobilenet"  # a shipped space, or "file.py:NAME"
    preset: str | None = None  # default: by the images' size
    axes: dict[str, Annotated[list[Any], MinLen(1)]] = field(default_factory=dict)  # narrows the preset's axes
    width_range: tuple[Width, Width] | None = None  # every number of channels between, in place of the preset's widths
    divisor: Count | None = None  # channels of a stage are multiples of it; default: the preset's, 2
    squeeze_excite: Literal["preset", "on", "off"] = "preset"  # in the blocks of all stages, or of those of the preset
    blocks: Literal["preset", "simple"] = "preset"  # simple: ReLU everywhere and no squeeze-excite
    norm: Norm = "recalibrated"  # batch norm shared by all widths, one for each, or that and recalibrated too
    kernel_transform: bool = False  # smaller kernels are learned maps of the larger ones' centres, not those centres
    channels: Count | None = None  # nasbench201: of the first stage; default: the preset's
    cells: Count | None = None  # nasbench201: in a stage; default: the preset's
    weights: Literal["shared", "kshot", "kshot-hypernet"] = "shared"  # by all archs, or made for each (paper T)
    dictionary: Count | None = None  # weights that are made: entries to mix; default: 12 for kshot, else 64
    rank: Annotated[int, Ge(2)] = 32  # kshot-hypernet: h, of its decomposition
    mixers: Count = 2  # kshot-hypernet: MLP-Mixer layers over the arch


@dataclass(frozen=True)
class PairOptions:
    """``[pair]``: how little and big are coupled (paper D, section 3.2)."""

    coupling: Literal["nested", "sibling", "partial"] = "nested"  # what little and big share
    splits: tuple[Annotated[int, Ge(1)], ...] | None = None  # partial: the stages after which little may branch off
    little_squeeze_excite: Literal["same", "on", "off"] = "same"  # in little's own blocks
    little_blocks: Literal["same", "simple"] = "same"  # as [space] blocks, for little's own

    def little(self, space: SpaceOptions) -> SpaceOptions:
        """What little's own blocks are made by, where big's are made by ``space``."""
        if self.little_blocks == "simple":
            space = replace(space, blocks="simple", squeeze_excite="preset")
        if self.little_squeeze_excite != "same":
            space = replace(space, squeeze_excite=self.little_squeeze_excite)
        return space


@dataclass(frozen=True)
class PhaseOptions:
    """``[train.phases]``: the part of the run after which each choice is elastic (paper D, section 4.5)."""

    kernel: Start = 0.25  # likewise for each kind of axis
    depth: Start = 0.5  # likewise
    expansion: Start = 0.75  # likewise
    width: Start = 0.75  # likewise
    resolution: Start = 0.25  # likewise


@dataclass(frozen=True)
class LossOptions:
    """``[train.loss]``: the terms of the pair rule ``cotrain`` (paper D, section 3.3); big's has weight 1."""

    alpha: NotNegative = 1.0  # of little's label loss
    beta: NotNegative = 1.0  # of little's distillation from big
    gamma: NotNegative = 0.0  # of the router's loss
    features: NotNegative = 0.0  # of the loss between what the two heads read (FitNets)
    cost: NotNegative = 0.0  # of the expected MACs above cost_budget (NACHOS)
    cost_budget: Positive | None = None  # in MACs
    peak: NotNegative = 0.0  # of the dearest MACs above peak_budget (NACHOS)
    peak_budget: Positive | None = None  # in MACs
    weighting: Literal["fixed", "uncertainty"] = "fixed"  # uncertainty: learned on top (Kendall et al.)
    gate: Literal["margin", "learned"] = "margin"  # the soft gate of router, cost and peak; learned: needs gamma
    gate_tau: OpenFraction = 0.5  # margin: little's margin at which the gate is half open
    gate_width: Positive = 0.1  # margin: its softness


@dataclass(frozen=True)
class TrainOptions:
    """``[train]``: the supernet's training (BigNAS's five tricks; paper D, section 3.3)."""

    rule: Rule = "sandwich"  # what a step trains
    epochs: Count = 30  # times that every training image is seen
    processes: Literal["images", "subnets"] = "images"  # what several share: a batch's images, or draws for all of it
    batch_size: Count = 128  # images a step, over all processes; or of each, where they share subnets
    resolution: Literal["subnet", "batch"] = "subnet"  # what a drawn resolution is for: one subnet, or a whole step
    random_archs: Annotated[int, Ge(0)] = 2  # beside the largest and, in the sandwich, the smallest
    loss: LossOptions = field(default_factory=LossOptions)  # cotrain
    phases: PhaseOptions = field(default_factory=PhaseOptions)  # progressive
    progressive_share: OpenFraction = 0.5  # hybrid: the part of the run that is progressive
    then: Literal["sandwich", "cotrain"] = "sandwich"  # hybrid: the rule of the rest
    students: Literal["auto", "soft", "labels"] = "auto"  # single paths learn from; auto: focus-fair's from soft labels
    focus_temperature: Positive = 1.5  # focus-fair: tau, of the softmax over beta that paths are drawn by
    coefficients: Literal["equal", "annealed", "free"] = "equal"  # of generated weights, in the first epochs
    coefficient_epochs: NotNegative | None = None  # of that; default: 5 for equal, 10 for annealed
    lr: Positive = 0.1  # the highest
    schedule: Literal["cosine", "exponential"] = "cosine"  # how the learning rate falls
    lr_end: Fraction = 0.05  # exponential: the constant ending, as a fraction of lr
    warmup_epochs: NotNegative = 1.0  # of a linear rise to lr
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9  # of SGD, with Nesterov
    weight_decay: NotNegative = 1e-4  # on the biggest only, none on norms and biases
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0  # on the biggest only
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0  # of the losses on labels
    temperature: Positive = 1.0  # of the in-place distillation
    clip: NotNegative = 0.0  # largest norm of the gradient; 0: no clipping
    ema: Annotated[float, Ge(0), Lt(1)] = 0.999  # decay of the averaged weights; 0: off
    precision: Literal["32-true", "bf16-mixed"] = "32-true"  # of the training
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"  # where to compute
    checkpoint_seconds: Positive = 60.0  # between two checkpoints
    timeout_seconds: Positive = 600.0  # several processes: how long one waits for the others before it gives up


@dataclass(frozen=True)
class GivenPair:
    """``[search.pair]``: the pair to take instead of searching one; an axis that is not named is at its largest.

    A value is for an axis (``"stage1.depth" = 2``) or for every axis of a kind (``depth = 2``).
    """

    little: dict[str, Any] = field(default_factory=dict)  # { width = 0.5 }, { cell = "..." } or { arch = "..." }
    big: dict[str, Any] = field(default_factory=dict)  # likewise; default: the largest arch
    split: Annotated[int, Ge(0)] = 0  # partial: the stage after which little branches off


@dataclass(frozen=True)
class EvolutionOptions:
    """``[search.evolution]``: the strategy ``evolution`` (paper T, appendix A.3)."""

    population: Count = 100  # pairs drawn to begin with
    iterations: Annotated[int, Ge(0)] = 50  # generations after these, if [search] evaluations are as many
    parents: Count = 20  # the most accurate of all before
    mutations: Annotated[int, Ge(0)] = 50  # children of one parent in a generation
    crossovers: Annotated[int, Ge(0)] = 50  # children of two
    mutation: Annotated[float, Gt(0), Le(1)] = 0.1  # probability that an axis is drawn anew


@dataclass(frozen=True)
class DeviceOptions:
    """``[search.device]``: what whole networks took on a device; the search prices pairs by it, beside MACs."""

    path: str  # Parquet, one row an arch
    latency: str | None = None  # its column of latencies in ms; or none, where it has energy
    energy: str | None = None  # its column of energies in mJ; or none, where it has latency
    key: str = "arch"  # its column of archs, such as nasbench201's texts of cells


@dataclass(frozen=True)
class SearchOptions:
    """``[search]``: the strategy, what it optimises and what it must not exceed."""

    strategy: Literal["nsga2", "evolution", "random"] = "nsga2"  # what proposes pairs
    order: Literal["joint", "sequential"] = "joint"  # little and big together, or big first and then its little
    evaluations: Count = 400  # pairs tried; sequential: half of them bigs by themselves
    population: Count = 40  # nsga2: pairs a generation
    evolution: EvolutionOptions = field(default_factory=EvolutionOptions)  # evolution
    recalibration_images: Count = 2048  # of the train split, for batch norm
    batch_size: Count = 250  # images a forward pass
    objectives: tuple[str, ...] = ("accuracy", "expected_macs", "peak_macs")  # what the front is over
    constraints: dict[str, Positive] = field(default_factory=dict)  # such as expected_macs = 8e6, peak_latency_ms = 9
    device: DeviceOptions | None = None  # for objectives and constraints in ms and mJ
    routers: tuple[str, ...] = ()  # to choose from, such as "confidence" or "learned@stem"; default: that of [route]
    pair: GivenPair | None = None  # takes the place of the search


@dataclass(frozen=True)
class FinetuneOptions:
    """``[finetune]``: what becomes of the pair's weights after the search (paper D, sections 4.5 and 4.6).

    What is not given is as in ``[train]``; ``joint`` has defaults of its own, since it starts from trained weights.
    """

    mode: Literal["none", "joint", "scratch", "independent"] = "none"  # independent: little and big trained apart
    epochs: Count | None = None  # default: 5 for joint, else as in [train]
    batch_size: Count | None = None  # default: as in [train]
    lr: Positive | None = None  # default: a tenth of [train] lr for joint, else as in [train]
    weight_decay: NotNegative | None = None  # default: as in [train]
    alpha: NotNegative | None = None  # joint, scratch: weight of little's label loss; default: [train.loss] alpha
    beta: NotNegative | None = None  # joint, scratch: of little's distillation from big; default: [train.loss] beta
    temperature: Positive | None = None  # of that distillation; default: as in [train]

    def over(self, train: TrainOptions) -> TrainOptions:
        """The training loop's options: these where they are given, those of ``train`` elsewhere."""
        if self.mode == "joint":
            train = replace(train, epochs=5, lr=train.lr / 10)
        return replace(_over(train, self), loss=_over(train.loss, self))


TARGETS = ("floor", "budget", "share", "latency", "energy")  # of the threshold: a recipe gives one of them or none


@dataclass(frozen=True)
class LearnedOptions:
    """``[route.learned]``: how a learned router is trained, on half of the calib split."""

    signal: Literal["oracle", "entropy", "loss"] = "oracle"  # what its first training aims at
    balance: bool = True  # oracle: the few hard images weigh as much as all the easy ones
    warm_start: bool = True  # false: no such first training, refinement alone
    refine: Literal["none", "straight-through", "gumbel", "reinforce"] = "none"  # then trained by what it decides
    share: OpenFraction | None = None  # refine: the little share that is held; default: the oracle's
    hold_share: bool = True  # refine: by a price on what strays from it; false: the gate may end at one network
    joint: Literal["start", "keep", "ignore"] = "start"  # what to do with a gate that was trained with the pair
    hidden: Count = 32  # units of its one hidden layer; a gate that was trained with the pair has 32
    steps: Count = 100  # of either training, each over all images
    lr: Positive = 0.01  # of AdamW
    weight_decay: NotNegative = 0.1  # likewise


@dataclass(frozen=True)
class RouteOptions:
    """``[route]``: the router and how its threshold is chosen; give one of floor, budget, share, latency, energy."""

    router: str = "confidence"  # who decides which images stay little
    position: Literal["auto", "input", "stem", "after_little"] = "auto"  # what it decides by; auto: the router's own
    score: ConfidenceScore = "margin"  # of little's logits; confidence and window
    statistic: Literal["best", "entropy", "variance", "sparsity", "edges"] = "best"  # that difficulty goes by
    learned: LearnedOptions = field(default_factory=LearnedOptions)  # how the learned router is trained
    floor: Fraction | None = None  # accuracy to hold, with a one-sided bound
    budget: Positive | None = None  # expected MACs an image
    share: Fraction | None = None  # little share
    latency: Positive | None = None  # expected ms of one image, by ONNX Runtime on the machine that runs this stage
    energy: Positive | None = None  # expected mJ an image: that latency times watts
    watts: Positive | None = None  # energy: what the device draws while it computes
    confidence: OpenFraction = 0.95  # of the floor's bound
    budget_in_search: bool = True  # budget: the pair is searched for it too


@dataclass(frozen=True)
class ExportOptions:
    """``[export]``: which ONNX files."""

    opset: Annotated[int, Ge(18)] = 18  # of the ONNX files


@dataclass(frozen=True)
class MeasureOptions:
    """``[measure]``: how latency is measured."""

    latency_images: Count = 300  # single images timed
    throughput_batches: Count = 20  # batches of 64 timed
    threads: Annotated[int, Ge(0)] = 0  # of ONNX Runtime; 0: its default


@dataclass(frozen=True)
class BaselineOptions:
    """``[baselines]``: static networks of timm, trained by the same loop, to compare the pair with."""

    networks: tuple[str, ...] = ()  # such as mobilenetv3_small_100, mobilenetv3_large_100, efficientnet_b0
    epochs: Count | None = None  # default: as in [train]
    batch_size: Count | None = None  # default: as in [train]
    lr: Positive | None = None  # default: as in [train]
    weight_decay: NotNegative | None = None  # default: as in [train]

    def over(self, train: TrainOptions) -> TrainOptions:
        """The training loop's options: these where they are given, those of ``train`` elsewhere."""
        return _over(train, self)


_Table = TypeVar("_Table", TrainOptions, LossOptions)


def _over(table: _Table, own: FinetuneOptions | BaselineOptions) -> _Table:
    """``table`` with what ``own`` gives for its keys."""
    known = {each.name for each in fields(table)}
    given = {each.name: getattr(own, each.name) for each in fields(own) if each.name in known}
    return replace(table, **{name: value for name, value in given.items() if value is not None})
