"""A search that starts from what another run found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from duonas.core.arch import Arch
from duonas.core.errors import DuonasError
from duonas.core.files import expand, read_json, write_json
from duonas.core.pair import PairArch, PairSpace
from duonas.core.space import SearchSpace
from duonas.recipe.schema import Recipe
from duonas.rundir.folder import RunFolder
from duonas.search.front import Front

KEY = "[search] warm_start"


def warm_start(recipe: Recipe, pairs: PairSpace, run: RunFolder) -> list[PairArch]:
    """Return the pairs of another run's front that are pairs of this space, by rising cost.

    They are noted in the run when it begins, so that it does not depend on the other one later.

    Raises:
        DuonasError: the other one is not a run, has not searched, or has no pair of this space.
    """
    if recipe.search.warm_start is None or recipe.is_given:
        return []
    if run.warm.exists():
        return [PairArch.from_json(each) for each in read_json(run.warm)]
    found = pairs_of_run(expand(recipe.search.warm_start, "search.warm_start"), pairs)
    if run.writes:
        write_json(run.warm, [pair.to_json() for pair in found])
    return found


def pairs_of_run(folder: Path, pairs: PairSpace) -> list[PairArch]:
    """Return the pairs of a run's front by their values, without those that are no pairs of this space.

    Raises:
        DuonasError: it is not a run, has not searched, or has no such pair.
    """
    other = RunFolder(folder)
    if not other.front.exists():
        raise DuonasError(f"{KEY}: {folder} has no front yet: finish `duonas search {folder}` first.")
    points = Front.load(other.front).points
    each = (_pair(point.values, point.pair.split, pairs) for point in points)
    found = list(dict.fromkeys(pair for pair in each if pair is not None))
    if not found:
        raise DuonasError(
            f"{KEY}: none of the {len(points)} pairs on the front of {folder} is one of this search space."
        )
    return found


def _pair(values: Mapping[str, Mapping[str, Any]], split: int, pairs: PairSpace) -> PairArch | None:
    little, big = _arch(pairs.spaces["little"], values["little"]), _arch(pairs.space, values["big"])
    if little is None or big is None:
        return None
    pair = PairArch(little, big, split)
    return pair if split in pairs.splits and pairs.contains(pair) else None


def _arch(space: SearchSpace, values: Mapping[str, Any]) -> Arch | None:
    """The arch with these values, and no other ones; ``None`` if the space has none."""
    read = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    try:
        arch = space.arch(**read)
    except DuonasError:
        return None
    return arch if space.values(arch) == read else None
