"""The shared weights of another run that generated weights start from: read before training, and kept in the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.files import checksum, expand
from duonas.core.pair import PairSpace, Role
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.core.tensors import load_tensors, read_header, save_tensors
from duonas.core.text import listed
from duonas.pair.facts import ROLES
from duonas.pipeline.spaces import Kind, in_table_of
from duonas.recipe.schema import Recipe
from duonas.rundir.folder import RunFolder
from duonas.supernet.family import build_supernet, weights_of
from duonas.supernet.options import WeightsOptions
from duonas.supernet.pair import PairSupernet

KEY = "[space.weights] start"
NEUTRAL = (0.5,) * 3


@dataclass(frozen=True)
class Start:
    """The shared weights that a tower starts from.

    Args:
        folder: the run that trained them.
        sha256: of the file of that run's supernet.
        weights: of the tower, by their names in it.
    """

    folder: str
    sha256: str
    weights: Mapping[str, Tensor]


def origins(kinds: Mapping[Role, Kind], pairs: PairSpace) -> dict[Role, str]:
    """Return the folders of the runs that towers start from, by role, as the recipe names them."""
    found = {role: weights_of(kinds[role].table).origin for role in pairs.towers}
    return {role: folder for role, folder in found.items() if folder is not None}


def find_starts(recipe: Recipe, kinds: Mapping[Role, Kind], pairs: PairSpace) -> dict[Role, Start]:
    """Return the weights that each tower starts from, of those towers whose weights start from a run.

    Raises:
        DuonasError: there is no such run, it is not trained, its weights are not shared, or it has another skeleton.
    """
    named = origins(kinds, pairs)
    if not named:
        return {}
    wanted, found = _shapes(kinds, pairs), {}
    for role, folder in named.items():
        with in_table_of(role, recipe):
            found[role] = _read(role, folder, wanted[role])
    return found


def keep_starts(run: RunFolder, starts: Mapping[Role, Start]) -> None:
    """Copy the weights that a new run starts from into its folder, with where they are from."""
    if run.writes and starts and not run.start_weights.exists():
        tensors = {f"{role}.{name}": value for role, start in starts.items() for name, value in start.weights.items()}
        about = {str(role): {"run": start.folder, "sha256": start.sha256} for role, start in starts.items()}
        save_tensors(run.start_weights, tensors, about)


def kept_starts(run: RunFolder) -> dict[Role, Start]:
    """Return the weights that a run started from; empty where it did not begin, or starts from no other run."""
    if not run.start_weights.exists():
        return {}
    tensors, about = load_tensors(run.start_weights)
    known = ((role, about[role]) for role in ROLES if role in about)
    return {role: Start(facts["run"], facts["sha256"], _of(role, tensors)) for role, facts in known}


def check_kept(run: RunFolder, named: Mapping[Role, str], instead: str = "give another folder with --out") -> None:
    """Check that a run which began with the weights of some runs is not asked to go on with those of others.

    Where a folder is not there any more, the copy counts.

    Args:
        run: which began.
        named: the folders that the recipe names, by role.
        instead: what may be done.

    Raises:
        DuonasError: it is.
    """
    known = read_header(run.start_weights) if run.start_weights.exists() else {}
    for role in (role for role in ROLES if role in known and role in named):
        facts = known[role]
        theirs = expand(named[role], KEY) / run.supernet.name
        if str(theirs.parent.absolute()) != facts["run"] and theirs.exists() and checksum(theirs) != facts["sha256"]:
            raise DuonasError(
                f"{KEY}: {run.folder} began with the weights of {facts['run']}, and {named[role]} has others: "
                f"{instead}."
            )


def _read(role: Role, folder: str, wanted: Mapping[str, tuple[int, ...]]) -> Start:
    path = expand(folder, KEY)
    if not (path / "recipe.toml").is_file():
        raise DuonasError(f"{KEY} = {folder!r}: there is no such run: expected its folder, or a word such as 'plain'.")
    other = RunFolder(path)
    kind = "given" if other.recipe.is_given else _weights_name(other.recipe, role)
    if kind == "given" or find("weights", kind).generates:
        what = "its networks are given" if kind == "given" else f"its weights are generated for each arch ({kind})"
        raise DuonasError(f"{KEY} = {folder!r} needs a run whose weights all archs share: {what}.")
    if not other.is_done("train"):
        raise DuonasError(f"{KEY}: {folder} has no trained supernet yet: finish `duonas train {folder}` first.")
    theirs = _of(role, load_tensors(other.supernet)[0])
    if unlike := _differences(theirs, wanted):
        raise DuonasError(
            f"{KEY}: the supernet of {folder} has another skeleton than this one's: {listed(unlike, 3)}; "
            "train one with this [space] and weights = 'shared'."
        )
    return Start(str(path.absolute()), checksum(other.supernet), theirs)


def _weights_name(recipe: Recipe, role: Role) -> str:
    little = recipe.pair.little
    return (recipe.space if role == "big" or little is None else little).weights.name


def _of(role: Role, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{role}."
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _differences(theirs: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Say in which tensors a tower differs from what this one's would be with shared weights."""
    if not theirs:
        return ["it has no such tower"]
    said = []
    for name, shape in wanted.items():
        if name not in theirs:
            said.append(f"{name} is not there")
        elif tuple(theirs[name].shape) != shape:
            said.append(f"{name} is {_shown(tuple(theirs[name].shape))} there and {_shown(shape)} here")
    return said + [f"{name} is not here" for name in theirs if name not in wanted]


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a number"


def _shapes(kinds: Mapping[Role, Kind], pairs: PairSpace) -> dict[Role, dict[str, tuple[int, ...]]]:
    """Return the shapes of all tensors of the towers, as they would be with shared weights."""
    towers = []
    for role in pairs.towers:
        family, table = kinds[role]
        shared: Any = replace(table, weights=WeightsOptions())
        towers.append(build_supernet(family, pairs.spaces[role], NEUTRAL, NEUTRAL, stream(0, "shapes"), shared))
    tensors = PairSupernet(pairs, *towers).state_dict()
    return {role: {name: tuple(each.shape) for name, each in _of(role, tensors).items()} for role in pairs.towers}
