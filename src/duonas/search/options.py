"""The keys of ``[search]`` that every strategy has."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Self

from annotated_types import Gt, Le

from duonas.core.fields import Count, CountOrZero, OpenFraction, PartOf, Positive, Several
from duonas.core.units import ByName
from duonas.costs.options import DeviceOptions
from duonas.runtime.units import SHARE


@dataclass(frozen=True)
class GivenPair:
    """``[search.pair]``: a fixed pair, in place of a search.

    A value is for one axis (``"stage1.depth" = 2``) or for every axis of a kind (``depth = 2``); other axes get their
    largest value.
    """

    little: dict[str, Any] = field(default_factory=dict)
    """Values of little's axes: { width = 0.5 }, { cell = "..." } or { arch = "..." }."""
    big: dict[str, Any] = field(default_factory=dict)
    """Values of big's axes; default: the largest arch."""
    split: CountOrZero = 0
    """For partial coupling, the stage after which little branches off."""


@dataclass(frozen=True)
class FilterOptions:
    """``[search.filter]``: of the pairs that a strategy proposes, only the best by a cheap metric are evaluated."""

    metric: str = "naswot"
    """A metric of archs that needs no evaluation, such as naswot, synflow, depth, or params or macs, of which the more
    are the better here; or your own as file.py:CLASS."""
    keep: Annotated[float, Gt(0), Le(1), SHARE] = 0.25
    """The fraction of the proposals that is evaluated."""


@dataclass(frozen=True)
class SearchOptions:
    """``[search]``: the strategy, its objectives and constraints."""

    strategy: Annotated[str, PartOf("strategy")] = "nsga2"
    """The strategy that proposes pairs: a shipped one, or your own as file.py:CLASS."""
    evaluations: Count = 400
    """The number of pairs to evaluate."""
    recalibration_images: Several = 2048
    """Training images for measuring the batch-norm statistics of a subnet."""
    batch_size: Count = 250
    """Images per forward pass."""
    objectives: tuple[str, ...] | None = None
    """The metrics of the front; default: accuracy, and the expected and the peak time of an image where a device table
    has times, else its expected and peak MACs."""
    constraints: Annotated[dict[str, Positive], ByName()] = field(default_factory=dict)
    """Limits of metrics, such as expected_macs = "8M", peak_latency_ms = 9 or weight_bytes = "300KB": the float32
    numbers of both networks, batch norms before folding; the ONNX file is larger, as it has the graph, too."""
    device: DeviceOptions = field(default_factory=DeviceOptions)
    """What blocks take on a device, for objectives and constraints in ms and mJ."""
    routers: tuple[str, ...] = ()
    """Routers to choose from, such as "confidence" or "learned@stem"; default: the router of [route]."""
    filter: FilterOptions | None = None
    """Which of the proposed pairs are evaluated; default: all."""
    pair: GivenPair | None = None
    """A fixed pair, in place of a search."""
    warm_start: str | None = None
    """The folder of another run with the same kind of search space: the pairs of its front are among the first that are
    proposed."""
    narrow: bool = False
    """Whether only a part of the space is trained and searched: the resolution, and widths up to a bound, at which the
    pairs that can meet the constraints have the most MACs."""
    workers: Count = 1
    """Processes that evaluate archs at the same time, each with as many threads as the run; see ray, too."""
    ray: str | None = None
    """The address of a Ray cluster that evaluates archs, or "auto" for the one that this machine belongs to."""
    share: OpenFraction = 0.7
    """The share of the images that little is taken to answer, where a pair is chosen before any accuracy is known."""

    @property
    def ranking(self) -> str | None:
        """The metric by which the strategy ranks pairs before any is evaluated; ``None`` if it does not."""
        return None

    @property
    def wanted(self) -> int:
        """The pairs that the search looks at: evaluates, or ranks by a metric."""
        return 1 if self.pair is not None else self.evaluations

    def planned(self, count: int) -> Self:
        """These options for as many pairs as there is time to look at."""
        return replace(self, evaluations=count)
