"""The keys of ``[space]`` and ``[pair]`` for all search spaces."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge

from duonas.core.errors import DuonasError
from duonas.core.fields import Location, PartOf
from duonas.pair.options import GivenOptions

Norm = Literal["recalibrated", "switchable", "both"]


@dataclass(frozen=True)
class WeightsOptions:
    """``[space.weights]``: the source of an arch's weights; ``weights = "kshot"`` is short for its ``name``."""

    name: Annotated[str, PartOf("weights")] = "shared"
    """Weights shared by all archs, or generated for each (paper T); or your own as file.py:CLASS."""


@dataclass(frozen=True)
class SpaceOptions:
    """``[space]``: the search space and its supernet."""

    name: Annotated[str, PartOf("space")] = "mobilenet"
    """The search space: a shipped one, or your own as file.py:CLASS."""
    norm: Norm = "recalibrated"
    """"recalibrated": one batch norm for all widths, with statistics measured for every subnet; "switchable": a batch
    norm for each width, with its statistics of training; "both": a batch norm for each width, with statistics measured
    for every subnet."""
    weights: WeightsOptions = field(default_factory=WeightsOptions)
    """The source of an arch's weights."""
    tied: bool = False
    """Whether depth, widths, kernels and expansions of a stage grow together, so that each stage has a few sizes
    (CompOFA)."""
    widths: Literal["free", "linear"] = "free"
    """"free": every stage has a width of its own; "linear": those of the first and the last stage are chosen, and the
    others lie on the line between the two (RegNet)."""
    pretrained: Annotated[str, Location(content=True, words=("none", "auto", "timm"))] = "none"
    """Pretrained weights that the supernet starts from, for presets that are networks of timm: "none"; "auto": those on
    this machine (a package of the extra weights, or what timm downloaded before), else none; "timm": the same,
    downloaded if need be; or a file of them."""


@dataclass(frozen=True)
class PairOptions:
    """``[pair]``: the coupling of little and big (paper D, section 3.2)."""

    keys_of = (("little", "space"),)

    coupling: Literal["nested", "sibling", "partial", "independent", "given"] = "nested"
    """What little and big share: "nested": little's weights are a part of big's; "sibling": only the stem; "partial":
    the stages up to a split point, which is searched; "independent": nothing; "given": nothing, and both are networks
    of [pair.given]. With [pair.little] it is independent, with [pair.given] given."""
    splits: tuple[Annotated[int, Ge(1)], ...] | None = None
    """For partial coupling, the stages after which little may branch off; default: all but the last."""
    little_squeeze_excite: Literal["same", "on", "off"] = "same"
    """Squeeze-excite in little's blocks; "same": as [space] squeeze_excite."""
    little_blocks: Literal["same", "simple"] = "same"
    """The kind of little's blocks; "same": as [space] blocks."""
    little: SpaceOptions | None = None
    """A search space of little's own, such as one of another preset, other resolutions or another kind of network. Its
    name is by default that of [space]; its other keys do not depend on [space]. Default: little's archs are of the
    space of [space]."""

    given: GivenOptions | None = None
    """Networks that you have, in place of a search space; nothing is trained then."""

    def of_little(self, space: SpaceOptions) -> SpaceOptions:
        """The options of little's space, where those of big's are ``space``.

        Raises:
            DuonasError: the space has only one kind of block.
        """
        if self.little is not None:
            return self.little
        changes: dict[str, Any] = {}
        if self.little_blocks == "simple":
            changes = {"blocks": "simple", "squeeze_excite": "preset"}
        if self.little_squeeze_excite != "same":
            changes["squeeze_excite"] = self.little_squeeze_excite
        if changes.keys() - {each.name for each in fields(space)}:
            raise DuonasError(
                f"[pair] little_blocks and little_squeeze_excite are for spaces whose blocks have variants: search "
                f"space {space.name!r} has only one kind of block."
            )
        return replace(space, **changes)
