"""The pretrained weights that the towers of a run start from: found before any training, and noted in the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import read_object, write_json
from duonas.core.pair import Role
from duonas.core.space import SearchSpace
from duonas.core.text import listed
from duonas.pretrained.load import check_fits, network_of
from duonas.pretrained.read import Weights, read
from duonas.pretrained.sources import KEY, NONE, find, how_to_get
from duonas.rundir.folder import RunFolder
from duonas.supernet.family import Family
from duonas.supernet.options import SpaceOptions

Noted = Mapping[str, Mapping[str, Any] | None]  # what each tower started from, by role; None: from nothing


def find_weights(family: type[Family], options: SpaceOptions, space: SearchSpace) -> Weights | None:
    """Return the pretrained weights that a ``[space]`` table asks for; ``None`` where it asks for none, or has none.

    Args:
        family: kind of network.
        options: the table.
        space: the search space that it gives.

    Raises:
        DuonasError: its preset has none, those that it asks for are not there or not the right ones, or the space has
            other blocks.
    """
    if options.pretrained == NONE:
        return None
    network = network_of(family, options)
    source = find(options.pretrained, network)
    if source is None:
        return None
    weights = read(source, network)
    check_fits(space, family, options, weights)
    return weights


def advice_on_weights(family: type[Family], options: SpaceOptions, space: SearchSpace) -> str:
    """Say that the weights which would be taken are not at hand; empty if they are, or if none are asked for."""
    found = find_weights(family, options, space)
    return "" if found is not None else said_of(family, options, found)


def said_of(family: type[Family], options: SpaceOptions, weights: Weights | None) -> str:
    """Say what a tower starts from; empty where no pretrained weights are asked for."""
    if options.pretrained == NONE:
        return ""
    if weights is None:
        network = network_of(family, options)
        return (
            f"{KEY} = {options.pretrained!r}: no weights of {network} are on this machine, so the supernet starts from "
            f"nothing, which is less accurate with few images: {how_to_get(network)}."
        )
    return f"the supernet starts from pretrained weights of {weights.like.network} ({weights.source.words})."


def note_weights(run: RunFolder, towers: Mapping[Role, Weights | None]) -> None:
    """Note what the towers of a new run start from, so that it goes on with the same after a resume."""
    if run.writes and not run.pretrained.exists():
        write_json(run.pretrained, {role: _facts(weights) for role, weights in towers.items()})


def noted(run: RunFolder) -> Noted:
    """Return what the towers of a run started from; empty where the run did not begin, or asks for no such weights."""
    return read_object(run.pretrained) if run.pretrained.exists() else {}


def check_noted(run: RunFolder, towers: Mapping[Role, Weights | None]) -> None:
    """Check that the weights which a run began with are still there.

    Raises:
        DuonasError: they are not, or they are others.
    """
    known, found = noted(run), {str(role): _hash(weights) for role, weights in towers.items()}
    lost = [
        f"{facts['network']} ({facts['from']})"
        for role, facts in known.items()
        if facts is not None and found.get(role) != facts["sha256"]
    ]
    if lost:
        raise DuonasError(
            f"{run.folder} began with the pretrained weights of {listed(lost, 2)}, which are not there any more: put "
            "them back, or start a new run with --out."
        )


def _hash(weights: Weights | None) -> str | None:
    return None if weights is None else weights.sha256


def _facts(weights: Weights | None) -> dict[str, Any] | None:
    if weights is None:
        return None
    return {"network": weights.like.network, "from": weights.source.words, "sha256": weights.sha256}
