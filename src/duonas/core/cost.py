"""The cost of an arch or a pair."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from duonas.runtime.units import percentage

# Quantities that depend, image by image, on which networks run. Storage and memory do not.
ON_DEVICE = ("latency_ms", "energy_mj")  # on a device; MACs are counted
QUANTITIES = ("macs", *ON_DEVICE)
STORED = ("params", "weight_bytes")
COMPARED = (*ON_DEVICE, "macs")  # what decides which of two networks costs more, the first that is known


@dataclass(frozen=True)
class Cost:
    """The cost of inference on one image; ``None`` if a figure is unknown.

    Args:
        macs: multiply-accumulates of convolutions and linear layers.
        params: trained parameters, including the weights and biases of norms.
        weight_bytes: size of the weights in float32: ``params`` and the running statistics of norms. The six numbers
            that normalise the image and the step counters of the norms are not counted.
        peak_memory_bytes: peak activation memory at batch size 1 in float32 (the binding constraint of MCUNet).
        latency_ms: latency on a device.
        energy_mj: energy on a device.
    """

    macs: int
    params: int
    weight_bytes: int
    peak_memory_bytes: int
    latency_ms: float | None = None
    energy_mj: float | None = None

    @property
    def figures(self) -> dict[str, float]:
        """The known figures by name."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in pairs if value is not None}


@dataclass(frozen=True)
class RouterCost:
    """What routing takes in one quantity besides the networks and the MACs of the score, measured on a device.

    Deciding, branching, gathering and scattering take time of their own.

    Args:
        keep: added to every image, also to those that little answers.
        ask: added on top to an image that goes to big.
    """

    keep: float = 0.0
    ask: float = 0.0


@dataclass(frozen=True)
class PairCost:
    """The cost of a routed pair in one quantity, by part; each part is a number, or an array for many pairs.

    With ``a`` the little share, the expected cost is ``E = S + L + R + (1 - a) B`` if the router decides after little
    (a cascade), and ``E = S + R + a L + (1 - a) B`` if it decides before little.

    Args:
        stem: S, the shared blocks, which run once.
        router: R, the router's score, and what routing adds to every image (``RouterCost.keep``).
        little: L, the rest of little.
        big: B, the rest of big, and what asking it adds (``RouterCost.ask``).
        before: whether the router decides before little runs.
    """

    stem: Any
    router: Any
    little: Any
    big: Any
    before: bool = False

    @property
    def least(self) -> Any:
        """The cost of an image that little answers."""
        return self.stem + self.little + self.router

    @property
    def extra(self) -> Any:
        """The additional cost of an image that goes to big; little does not run for it if the router decides before."""
        return self.big - (self.little if self.before else 0)

    @property
    def peak(self) -> Any:
        """The cost of the most expensive path through the pair."""
        extra = self.extra
        return self.least + (np.maximum(extra, 0) if isinstance(extra, np.ndarray) else max(extra, 0))

    def take(self, index: np.ndarray) -> PairCost:
        """Select pairs by index; parts that are one number for all pairs stay as they are."""
        parts = {name: getattr(self, name) for name in ("stem", "router", "little", "big")}
        return replace(self, **{name: part[index] for name, part in parts.items() if np.ndim(part)})

    def routed_by(self, cost: float, *, before: bool) -> PairCost:
        """The same pairs with another router, whose score costs ``cost``."""
        return replace(self, router=cost, before=before)

    def scaled(self, factor: float) -> PairCost:
        """The cost in another unit, such as millions of MACs."""
        parts = {name: factor * getattr(self, name) for name in ("stem", "router", "little", "big")}
        return replace(self, **parts)

    def expected(self, little_share: Any) -> Any:
        """The mean cost of an image at a little share in [0, 1], a number or an array."""
        return self.least + (1 - little_share) * self.extra

    def percentile(self, rank: float, little_share: Any) -> Any:
        """The cost that a fraction ``rank`` of the images keeps to, in (0, 1], at a little share, a number or an array.

        An image takes one of two paths, so that is the cheaper path if as many images take it, else the dearer one.
        """
        cheap = np.where(np.asarray(self.extra) >= 0, little_share, 1 - np.asarray(little_share))
        # A share of k of N images may be an ulp below the rank that it equals.
        least = np.where(cheap >= rank - 1e-9, np.minimum(self.least, self.least + self.extra), self.peak)
        return least if least.ndim else least.item()

    def ada_edanas(self, little_share: float) -> Any:
        """ADA MACs as EDANAS counts them: for an image that goes to big, little and the router are not counted."""
        return little_share * self.least + (1 - little_share) * (self.stem + self.big)


def rounded(name: str, value: float) -> str:
    """Format a cost for reading, with its unit and three digits, such as ``0.123 ms`` or ``7,590,000``."""
    return written(name, float(f"{value:.3g}"))


def written(name: str, value: float) -> str:
    """Format a figure with the unit that its name ends in: ms and mJ with six digits, counts as whole numbers.

    Accuracies and shares are in per cent.
    """
    ending = name.rpartition("_")[2]
    if ending in ("ms", "mj"):
        return f"{value:.6g} {'ms' if ending == 'ms' else 'mJ'}"
    if ending in ("accuracy", "share"):
        return percentage(value)
    whole = f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:.6g}"
    return f"{whole} bytes" if ending == "bytes" else whole
