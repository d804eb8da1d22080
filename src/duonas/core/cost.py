"""What an arch or a pair costs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

# What a pair pays for each image by which of its networks run. ``params`` and memory are paid whatever runs.
QUANTITIES = ("macs", "latency_ms", "energy_mj")


@dataclass(frozen=True)
class Cost:
    """The cost of one image; ``None`` where a figure is not known.

    ``peak_memory_bytes`` is the most activation memory alive at once at batch 1 in float32 (MCUNet's binding
    constraint); weights are counted by ``params``.
    """

    macs: int
    params: int
    peak_memory_bytes: int
    latency_ms: float | None = None
    energy_mj: float | None = None

    @property
    def figures(self) -> dict[str, float]:
        """The known figures by name."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in pairs if value is not None}


@dataclass(frozen=True)
class PairCost:
    """What a routed pair costs, part by part (DESIGN, section 5).

    After little (a cascade) ``E = S + L + R + (1 - a) B``; before it ``E = S + R + a L + (1 - a) B``.

    Args:
        stem: S, what both towers share and is computed once.
        router: R, the score.
        little: L, what remains of little.
        big: B, what remains of big.
        before: whether the router decides before little runs.
    """

    stem: float
    router: float
    little: float
    big: float
    before: bool = False

    @property
    def least(self) -> float:
        """What an input costs that stays little."""
        return self.stem + self.little + self.router

    @property
    def extra(self) -> float:
        """What an input costs on top that goes to big; little is saved where it was not asked before."""
        return self.big - (self.little if self.before else 0)

    @property
    def peak(self) -> float:
        """The dearest path."""
        return self.least + max(self.extra, 0)

    def routed_by(self, macs: float, *, before: bool) -> PairCost:
        """The same pair with another router."""
        return replace(self, router=macs, before=before)

    def scaled(self, factor: float) -> PairCost:
        """The same in another unit: MACs in millions, or ms at some watts as mJ."""
        parts = {name: factor * getattr(self, name) for name in ("stem", "router", "little", "big")}
        return replace(self, **parts)

    def expected(self, little_share: Any) -> Any:
        """The mean cost at a little share in [0, 1] (a number or an array of any shape)."""
        return self.least + (1 - little_share) * self.extra

    def ada_edanas(self, little_share: float) -> float:
        """ADA MACs as EDANAS counts them: what ran in vain before big is left out."""
        return little_share * self.least + (1 - little_share) * (self.stem + self.big)


def written(name: str, value: float) -> str:
    """A figure with the unit that its name ends in: whole counts and bytes, ms and mJ to six digits."""
    unit = {"ms": " ms", "mj": " mJ"}.get(name.rpartition("_")[2])
    return f"{value:,.0f}" if unit is None else f"{value:.6g}{unit}"
