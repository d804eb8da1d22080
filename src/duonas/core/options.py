"""The tables of a recipe as types: each stage takes its own, and the recipe's schema is all of them together."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

Fraction = Annotated[float, Ge(0), Le(1)]
OpenFraction = Annotated[float, Gt(0), Lt(1)]
Count = Annotated[int, Gt(0)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class DataOptions:
    """``[data]``: which images, how they are split, how training images are varied."""

    name: Literal["digits", "cifar10", "cifar100", "folder"] = "digits"
    path: str | None = None  # folder of classes, or of Parquet shards; default: download to ~/.cache/duonas
    image_size: Count | None = None  # side in pixels; default: the data set's own
    val: OpenFraction = 0.05  # of the images that are not test
    calib: OpenFraction = 0.05
    test: OpenFraction = 0.2  # of all images, where the data set has no test split of its own
    crop_padding: Annotated[int, Ge(0)] = 0
    flip: bool = False
    randaugment: Annotated[int, Ge(0)] = 0  # operations an image
    magnitude: Annotated[float, Ge(0), Le(30)] = 9.0
    mixup: NotNegative = 0.0  # alpha of the Beta distribution; 0: off
    cutmix: NotNegative = 0.0


@dataclass(frozen=True)
class SpaceOptions:
    """``[space]``: a shipped search space's name, or ``file.py:NAME`` for one's own."""

    name: str = "mobilenet"
    preset: str | None = None  # default: by the images' size
    axes: dict[str, Annotated[list[Any], MinLen(1)]] = field(default_factory=dict)  # narrows the preset's axes
    norm: Literal["recalibrated", "switchable"] = "recalibrated"


@dataclass(frozen=True)
class PairOptions:
    """``[pair]``: how little and big are coupled (paper D, section 3.2)."""

    coupling: Literal["nested", "sibling", "partial"] = "nested"
    splits: tuple[Annotated[int, Ge(1)], ...] | None = None  # partial: the stages after which little may branch off


@dataclass(frozen=True)
class TrainOptions:
    """``[train]``: the supernet's training (BigNAS's five tricks; paper D, section 3.3)."""

    rule: Literal["sandwich"] = "sandwich"
    epochs: Count = 30
    batch_size: Count = 128
    random_archs: Annotated[int, Ge(0)] = 2  # beside the largest and the smallest
    lr: Positive = 0.1
    schedule: Literal["cosine", "exponential"] = "cosine"
    lr_end: Fraction = 0.05  # exponential: the constant ending, as a fraction of lr
    warmup_epochs: NotNegative = 1.0
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9
    weight_decay: NotNegative = 1e-4  # on the biggest only, none on norms and biases
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0  # on the biggest only
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    temperature: Positive = 1.0  # of the in-place distillation
    clip: NotNegative = 0.0  # largest norm of the gradient; 0: no clipping
    ema: Annotated[float, Ge(0), Lt(1)] = 0.999  # 0: off
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    checkpoint_seconds: Positive = 60.0


@dataclass(frozen=True)
class SearchOptions:
    """``[search]``: the strategy, what it optimises and what it must not exceed."""

    strategy: Literal["nsga2", "random"] = "nsga2"
    evaluations: Count = 400  # pairs tried
    population: Count = 40
    recalibration_images: Count = 2048
    batch_size: Count = 250
    objectives: tuple[str, ...] = ("accuracy", "expected_macs", "peak_macs")
    constraints: dict[str, Positive] = field(default_factory=dict)  # such as expected_macs = 8e6


@dataclass(frozen=True)
class FinetuneOptions:
    """``[finetune]``: what becomes of the pair's weights after the search (paper D, sections 4.5 and 4.6).

    What is not given is as in ``[train]``; ``joint`` has defaults of its own, since it starts from trained weights.
    """

    mode: Literal["none", "joint", "scratch", "independent"] = "none"
    epochs: Count | None = None  # joint: 5
    batch_size: Count | None = None
    lr: Positive | None = None  # joint: a tenth of [train] lr
    weight_decay: NotNegative | None = None
    alpha: NotNegative = 1.0  # joint and scratch: weight of little's cross-entropy
    beta: NotNegative = 1.0  # joint and scratch: weight of little's distillation from big
    temperature: Positive | None = None  # of that distillation

    def over(self, train: TrainOptions) -> TrainOptions:
        """The training loop's options: these where they are given, those of ``train`` elsewhere."""
        if self.mode == "joint":
            train = replace(train, epochs=5, lr=train.lr / 10)
        return _over(train, self)


@dataclass(frozen=True)
class RouteOptions:
    """``[route]``: the router and how its threshold is chosen; give one of floor, budget, share."""

    router: Literal["confidence"] = "confidence"
    score: Literal["max_softmax", "margin", "entropy"] = "margin"
    floor: Fraction | None = None  # accuracy to hold, with a one-sided bound
    budget: Positive | None = None  # expected MACs an image
    share: Fraction | None = None  # little share
    confidence: OpenFraction = 0.95  # of the floor's bound


@dataclass(frozen=True)
class ExportOptions:
    """``[export]``: which ONNX files."""

    opset: Annotated[int, Ge(18)] = 18


@dataclass(frozen=True)
class MeasureOptions:
    """``[measure]``: how latency is measured."""

    latency_images: Count = 300  # single images timed
    throughput_batches: Count = 20  # batches of 64 timed
    threads: Annotated[int, Ge(0)] = 0  # of ONNX Runtime; 0: its default


@dataclass(frozen=True)
class BaselineOptions:
    """``[baselines]``: static networks of timm to compare with; what is not given is as in ``[train]``."""

    networks: tuple[str, ...] = ()  # such as mobilenetv3_small_100, mobilenetv3_large_100, efficientnet_b0
    epochs: Count | None = None
    batch_size: Count | None = None
    lr: Positive | None = None
    weight_decay: NotNegative | None = None

    def over(self, train: TrainOptions) -> TrainOptions:
        """The training loop's options: these where they are given, those of ``train`` elsewhere."""
        return _over(train, self)


def _over(train: TrainOptions, own: FinetuneOptions | BaselineOptions) -> TrainOptions:
    known = {field.name for field in fields(train)}
    given = {f.name: getattr(own, f.name) for f in fields(own) if f.name in known}
    return replace(train, **{name: value for name, value in given.items() if value is not None})
