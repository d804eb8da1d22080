"""What is known of the given networks of a run: the content of ``given.json``, which needs none of their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duonas.core.cost import Cost
from duonas.core.files import read_object, reading, write_json
from duonas.core.pair import Role
from duonas.given.candidates import Candidates
from duonas.given.space import GivenPairs, GivenPrices, Named
from duonas.pair.facts import ROLES

COSTS = ("macs", "params", "weight_bytes", "peak_memory_bytes", "latency_ms", "energy_mj")


@dataclass(frozen=True)
class GivenFacts:
    """The given networks by name, and what they cost.

    Args:
        named: the networks to choose from, by role.
        costs: of each by its name.
        about: what else is known of each, as JSON.
        image_size: side of the images that all networks are shown, in pixels.
        source: where the times are from, as JSON; ``None`` if none was timed.
    """

    named: Mapping[Role, tuple[Named, ...]]
    costs: Mapping[str, Cost]
    about: Mapping[str, Mapping[str, str]]
    image_size: int
    source: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        found: Candidates,
        image_size: int,
        costs: Mapping[str, Cost] | None = None,
        source: Mapping[str, Any] | None = None,
    ) -> GivenFacts:
        """The facts of candidates.

        Args:
            found: the candidates.
            image_size: side of the images in pixels.
            costs: with times, where they were timed.
            source: where the times are from.
        """
        every = {each.label: each for role in ROLES for each in found[role]}
        digests = {label: each.digest for label, each in every.items()}
        return cls(
            {role: tuple(Named(each.label, digests[each.label]) for each in found[role]) for role in ROLES},
            costs or {label: each.cost for label, each in every.items()},
            {label: {"from": each.options.called, "about": each.about} for label, each in every.items()},
            image_size,
            source,
        )

    @property
    def prices(self) -> GivenPrices:
        """The cost model."""
        return GivenPrices(self.costs, self.source)

    def pairs(self, classes: int) -> GivenPairs:
        """The pairs of the networks for images of so many classes."""
        return GivenPairs(self.named, self.image_size, classes)

    def save(self, path: Path) -> Path:
        """Write ``given.json`` atomically."""
        digests = {each.label: each.digest for role in ROLES for each in self.named[role]}
        networks = {
            label: {**self.about[label], "sha256": digests[label], **cost.figures} for label, cost in self.costs.items()
        }
        roles = {role: [each.label for each in self.named[role]] for role in ROLES}
        return write_json(path, {"image_size": self.image_size, **roles, "networks": networks, "timed": self.source})

    @classmethod
    def load(cls, path: Path) -> GivenFacts:
        """Read ``given.json``.

        Raises:
            DuonasError: it is missing or damaged.
        """
        value = read_object(path)
        with reading(path):
            networks = {str(label): dict(each) for label, each in value["networks"].items()}
            named = {
                role: tuple(Named(label, str(networks[label]["sha256"])) for label in value[role]) for role in ROLES
            }
            costs = {
                label: Cost(**{name: each[name] for name in COSTS if name in each}) for label, each in networks.items()
            }
            about = {label: {key: str(each[key]) for key in ("from", "about")} for label, each in networks.items()}
            return cls(named, costs, about, int(value["image_size"]), value["timed"])
