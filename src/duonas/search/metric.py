"""The interface of metrics: figures of an arch or of a pair that a search can optimise or constrain."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from duonas.core.block import BlockSpec
from duonas.core.cost import Cost, PairCost
from duonas.core.errors import DuonasError, nearest
from duonas.core.pair import Subnet
from duonas.core.plugin import is_plugin
from duonas.core.registry import Part, find, names

if TYPE_CHECKING:
    from torch import Tensor, nn

ACCURACY = "accuracy"


@dataclass(frozen=True, eq=False)
class UntrainedNetwork:
    """The network of an arch before any training, and a batch of training images.

    Args:
        network: plain, with a child for each block, in training mode; a metric may change it.
        images: (B, 3, H, W) float32 in [0, 1], no two of them equal.
        labels: (B,) int64 class numbers.
    """

    network: nn.Sequential
    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class ArchFacts:
    """The facts of one subnet.

    Args:
        subnet: its arch and role.
        blocks: from image to logits.
        cost: for one image.
        logits: (N, K) float32 on the val split; ``None`` before its evaluation.
        labels: (N,) class numbers of the val split; ``None`` before its evaluation.
        untrained: its network before training, for a metric that is ``untrained``.
    """

    subnet: Subnet
    blocks: Sequence[BlockSpec]
    cost: Cost
    logits: np.ndarray | None = None
    labels: np.ndarray | None = None
    untrained: UntrainedNetwork | None = None


@dataclass(frozen=True)
class PairPrice:
    """The costs of a routed pair: numbers for one pair, or arrays (B,) for one little with B bigs.

    Args:
        parts: costs by part, for each quantity (``macs``, ``latency_ms``, ``energy_mj``) of the cost model.
        little: the figures of the whole little network, by the fields of ``Cost``.
        big: the figures of the whole big network.
        stored: ``params`` and ``weight_bytes`` of both networks together.
        peak_memory_bytes: peak activation memory.
    """

    parts: Mapping[str, PairCost]
    little: Mapping[str, Any]
    big: Mapping[str, Any]
    stored: Mapping[str, Any]
    peak_memory_bytes: Any


class Metric(Part, ABC):
    """A figure of an arch or of a pair, for ``[search] objectives`` and ``constraints``.

    A metric is a subclass of ``ArchMetric`` or ``PairMetric`` in its own file. A class may define several metrics, one
    instance for each name in ``family``.

    ``direction`` is ``min`` if less is better (a constraint is an upper limit) or ``max`` (a constraint is a lower
    limit). A ``dear`` metric needs the predictions of trained networks, an ``untrained`` one the network as it is
    before training; both are computed when a pair is evaluated, other metrics are known before. A metric that
    ``varies`` depends on the threshold.
    """

    family: ClassVar[tuple[str, ...]] = ()
    unit: ClassVar[str] = ""
    direction: ClassVar[Literal["min", "max"]] = "min"
    dear: ClassVar[bool] = False
    untrained: ClassVar[bool] = False
    varies: ClassVar[bool] = False
    bounded: ClassVar[bool] = True  # whether it may be a constraint
    aim: ClassVar[bool] = True  # whether it may be an objective
    routed: ClassVar[bool] = True  # whether it depends on the router of a trial
    listed: ClassVar[bool] = True  # whether every search shows it, or only one whose goal has it

    def __init__(self, name: str) -> None:
        self.called = name

    @property
    def quantity(self) -> str | None:
        """The quantity that the cost model must have; ``None`` if every cost model is sufficient."""
        return None

    @classmethod
    def objection(cls) -> str:
        """A metric of the user's own must be one of an arch or of a pair."""
        return "" if issubclass(cls, ArchMetric | PairMetric) else "subclass ArchMetric or PairMetric"

    @property
    def late(self) -> bool:
        """Whether the figure is unknown until an evaluation."""
        return self.dear or self.untrained

    @property
    def minimised(self) -> int:
        """The sign by which to multiply the value so that less is better."""
        return 1 if self.direction == "min" else -1

    def within(self, value: Any, limit: float) -> Any:
        """Whether a value, a number or an array, meets a constraint; NaN does not."""
        return value <= limit if self.direction == "min" else value >= limit


class ArchMetric(Metric):
    """A figure of an arch; a pair has the worse figure of its two archs."""

    @abstractmethod
    def value(self, arch: ArchFacts) -> float:
        """The figure of an arch, which has logits and labels for a ``dear`` metric, ``untrained`` for such a one."""

    def measured(self, arch: ArchFacts) -> float:
        """The figure of an arch, checked.

        Raises:
            DuonasError: ``value`` does not return one finite number.
        """
        return finite(self, self.value(arch))

    def worse(self, little: Any, big: Any) -> Any:
        """The pair's figure from those of its archs, numbers or arrays."""
        return np.maximum(little, big) if self.direction == "min" else np.minimum(little, big)


class Counted(ArchMetric):
    """The parameters or MACs of an arch, for ``[search] filter``: what every proxy should be compared with.

    There they are a guess at how accurate the arch will be, so the more, the better.
    """

    family = ("params", "macs")
    direction: ClassVar[Literal["min", "max"]] = "max"

    def value(self, arch: ArchFacts) -> float:
        """The count."""
        return float(getattr(arch.cost, self.called))


class PairMetric(Metric):
    """A figure of a pair, computed from the costs of its parts."""

    @abstractmethod
    def value(self, pair: PairPrice, little_share: Any = 1.0) -> Any:
        """The figure of one pair as a number, or of B pairs as an array (B,).

        Args:
            pair: its costs.
            little_share: fraction of the images that little answers, for a metric that ``varies``; a number or an
                array. The figure must not get worse as the share rises.
        """

    def least_share(self, pair: PairPrice, limit: float) -> Any:
        """The least little share in [0, 1] at which a figure that ``varies`` is within a limit, found by bisection.

        It is infinite if there is none; a number for one pair, an array (B,) for B pairs.
        """
        low = np.zeros(np.shape(self.value(pair, 1.0)))
        high = np.where(self.within(np.asarray(self.value(pair, low + 1)), limit), 1.0, np.inf)
        high = np.where(self.within(np.asarray(self.value(pair, low)), limit), 0.0, high)
        for _ in range(40):
            middle = (low + np.minimum(high, 1)) / 2
            within = self.within(np.asarray(self.value(pair, middle)), limit)
            low, high = np.where(within, low, middle), np.where(within & (high > 0), middle, high)
        return high


def finite(metric: Metric, value: Any) -> float:
    """The value of a metric as a number.

    Raises:
        DuonasError: it is not one finite number.
    """
    try:
        number = math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last from tensors of several values
        number = math.nan
    if not math.isfinite(number):
        said = repr(value)
        said = said if len(said) < 50 else type(value).__name__
        raise DuonasError(f"[search] metric {metric.called}: value() must return one finite number, got {said}.")
    return number


@cache
def metrics() -> Mapping[str, Metric]:
    """The shipped metrics by name."""
    classes = (find("metric", stem) for stem in names("metric"))
    return {name: each(name) for each in classes for name in each.family or (each.name,)}


@cache
def common() -> tuple[Metric, ...]:
    """The shipped metrics that are computed for every pair; percentiles are where the goal has them."""
    return tuple(each for each in metrics().values() if each.listed or not each.varies)


def find_metric(name: str, kind: str = "metric") -> Metric:
    """A shipped metric by its name, or the user's own as ``file.py:CLASS``.

    Args:
        name: such as ``expected_macs``.
        kind: its use, ``objective``, ``constraint`` or ``filter``.

    Raises:
        DuonasError: there is no such metric for this use.
    """
    if is_plugin(name):
        metric: Metric = find("metric", name)(name)
        return metric
    use = {"constraint": "bounded", "objective": "aim"}.get(kind)
    known = {each: metric for each, metric in metrics().items() if use is None or getattr(metric, use)}
    if name not in known:
        raise DuonasError(f"[search] has no {kind} {name!r}: {nearest(name, known)}, or your own as file.py:CLASS.")
    return known[name]


def find_filter(name: str, use: str = "filter") -> ArchMetric:
    """The metric by which pairs are filtered or ranked; of ``params`` and ``macs`` the more are the better there.

    Args:
        name: such as ``naswot``.
        use: what of ``[search]`` names it.

    Raises:
        DuonasError: there is no such metric, or it is not known before pairs are evaluated.
    """
    if name in Counted.family:
        return Counted(name)
    metric = find_metric(name, use)
    if not isinstance(metric, ArchMetric) or metric.dear:
        fit = [each for each, one in metrics().items() if isinstance(one, ArchMetric) and not one.dear]
        fit += Counted.family
        raise DuonasError(
            f"[search] {use} cannot be by {name!r}, which is no figure of single archs or is only known after their "
            f"evaluation: choose from {', '.join(fit)}, or your own as file.py:CLASS."
        )
    return metric


def figures(metrics: Iterable[Metric], pair: PairPrice, little_share: Any = 1.0) -> dict[str, Any]:
    """The figures of those pair metrics whose quantity the cost model has, by name."""
    known = (each for each in metrics if isinstance(each, PairMetric) and each.quantity in (None, *pair.parts))
    return {metric.called: metric.value(pair, little_share) for metric in known}
