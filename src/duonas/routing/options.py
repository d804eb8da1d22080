"""The keys of ``[route]`` that every router has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from duonas.core.fields import Fraction, Millijoules, Milliseconds, OpenFraction, PartOf, Watts
from duonas.core.units import Either
from duonas.runtime.units import MACS, MILLIJOULES, MILLISECONDS

BUDGET = Either((MACS, MILLISECONDS, MILLIJOULES))
PRICED = {MACS: "macs", MILLISECONDS: "latency_ms", MILLIJOULES: "energy_mj"}
Budget = Annotated[float | str, BUDGET]
FloorOn = Literal["accuracy", "balanced", "worst_class"]
# What a floor is on, and what it guarantees, in words.
FLOOR_NAMES = {"accuracy": "accuracy", "balanced": "balanced accuracy", "worst_class": "accuracy of the worst class"}
GUARANTEES = {
    "accuracy": "an accuracy of {}",
    "balanced": "a balanced accuracy, the mean of the classes', of {}",
    "worst_class": "an accuracy of {} in every class",
}
TARGETS = ("floor", "budget", "share", "latency", "energy")  # a recipe has at most one of them


@dataclass(frozen=True)
class RouteOptions:
    """``[route]``: the router and how its threshold is chosen; give one of floor, budget, share, latency, energy."""

    router: Annotated[str, PartOf("router")] = "confidence"
    """Router that decides which images stay little: a shipped one, or your own as file.py:CLASS."""
    position: Literal["auto", "input", "stem", "after_little"] = "auto"
    """What the router reads: the image, the stem's features, or little's logits; "auto": the router's default."""
    floor: Fraction | None = None
    """Accuracy that is guaranteed with the given confidence, in [0, 1]."""
    floor_on: FloorOn = "accuracy"
    """What a floor guarantees: the accuracy over all images; "balanced": the mean of the classes' accuracies;
    "worst_class": the accuracy of every single class."""
    budget: Budget | None = None
    """Expected cost of one image: MACs, or a time or energy by the table of [search.device], such as "0.2ms"."""
    share: Fraction | None = None
    """Share of the images that stays little."""
    latency: Milliseconds | None = None
    """Expected latency of one image in ms, with ONNX Runtime on the machine that runs this stage."""
    energy: Millijoules | None = None
    """Expected energy of one image in mJ, by the energy meter of the machine that runs this stage, or else its latency
    times watts."""
    watts: Watts | None = None
    """Power in W that the device draws while it computes; needed for energy where the machine has no meter."""
    confidence: OpenFraction = 0.95
    """Confidence of the accuracy floor."""
    budget_in_search: bool = True
    """Whether the budget is also a constraint of the search."""

    @property
    def priced(self) -> tuple[str, float] | None:
        """The quantity of the budget, such as ``latency_ms``, and the number in its unit; ``None`` without a budget."""
        if self.budget is None:
            return None
        quantity, value = BUDGET.read(self.budget)
        return PRICED[quantity], value

    def limiting(self, constraints: Mapping[str, float]) -> dict[str, float]:
        """Constraints of the search, with the budget as a further one."""
        assert self.priced is not None
        quantity, value = self.priced
        name = f"expected_{quantity}"
        return dict(constraints) | {name: min(value, constraints.get(name, float("inf")))}

    @property
    def limited(self) -> str:
        """The metric that the target is a limit of, such as ``expected_macs``; empty for a floor or share."""
        if self.priced is not None:
            return f"expected_{self.priced[0]}"
        return "expected_latency_ms" if self.latency is not None else "expected_energy_mj" if self.energy else ""
