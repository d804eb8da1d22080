"""A recipe: everything that decides a run, one table a stage, in TOML; validated before any work begins.

Relative paths inside a recipe (``[data] path``, ``[search.device] path``, ``[space] name = "file.py:NAME"``) start at
the current directory.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import is_dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args, get_type_hints

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from duonas.core.errors import DuonasError, nearest
from duonas.core.goal import Goal
from duonas.core.options import (
    TARGETS,
    BaselineOptions,
    Count,
    DataOptions,
    ExportOptions,
    FinetuneOptions,
    MeasureOptions,
    PairOptions,
    RouteOptions,
    SearchOptions,
    SpaceOptions,
    TrainOptions,
)
from duonas.recipe.errors import describe


class Recipe(BaseModel):
    """What holds for the whole run, and the options of each stage; equal recipes make equal runs.

    Args:
        seed: of all that is drawn.
        threads: CPU threads that torch computes with, in each process; ``None``: as many as torch takes by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    threads: Count | None = None
    data: DataOptions = Field(default_factory=DataOptions)
    space: SpaceOptions = Field(default_factory=SpaceOptions)
    pair: PairOptions = Field(default_factory=PairOptions)
    train: TrainOptions = Field(default_factory=TrainOptions)
    search: SearchOptions = Field(default_factory=SearchOptions)
    finetune: FinetuneOptions = Field(default_factory=FinetuneOptions)
    route: RouteOptions = Field(default_factory=RouteOptions)
    export: ExportOptions = Field(default_factory=ExportOptions)
    measure: MeasureOptions = Field(default_factory=MeasureOptions)
    baselines: BaselineOptions = Field(default_factory=BaselineOptions)


TABLES = {name: field.annotation for name, field in Recipe.model_fields.items() if is_dataclass(field.annotation)}


def load(recipe: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a shipped recipe by name, a TOML file, or the recipe of an existing run.

    Args:
        recipe: such as ``"quickstart"``, ``"mine.toml"`` or ``"runs/quickstart"``.
        overrides: ``"table.key=value"``, the value as in TOML (text needs no quotes); an empty one takes the key out,
            and a target of the threshold, such as ``route.floor``, takes the place of the file's.

    Raises:
        DuonasError: there is no such recipe, or it or an override has a key or value that cannot be used.
    """
    path = find(recipe)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DuonasError(f"recipe {path} is not a text file in UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise DuonasError(f"recipe {path} is not valid TOML: {error}.") from error
    except OSError as error:
        raise DuonasError(f"recipe {path} cannot be read: {error.strerror or error}.") from error
    if not tables:
        raise DuonasError(f'recipe {path} is empty: it needs at least [data] name, such as "digits".')
    return assemble(tables, list(overrides), f"recipe {path.name}")


def assemble(tables: Mapping[str, Any], overrides: Sequence[str], source: str) -> Recipe:
    """The recipe of these tables with the overrides put in.

    Args:
        tables: as they were written.
        overrides: ``"table.key=value"``, as in ``load``.
        source: where the tables are from, in messages.

    Raises:
        DuonasError: a key or value that cannot be used; blamed on the override without which there would be no such
            mistake, or else on the source.
    """
    whole = overridden(tables, overrides)
    try:
        return _checked(whole)
    except DuonasError as error:
        raise DuonasError(f"{_culprit(tables, overrides, str(error)) or source}: {error}") from error


def _culprit(tables: Mapping[str, Any], overrides: Sequence[str], mistake: str) -> str | None:
    """Of the overrides without which something else is said, one whose key the mistake names, if any does."""
    changing = []
    for place, text in enumerate(overrides):
        if _mistake(tables, [*overrides[:place], *overrides[place + 1 :]]) != mistake:
            changing.append(text)
    named = [text for text in changing if text.partition("=")[0].rpartition(".")[2].strip() in mistake]
    return f"--set {(named or changing)[0]}" if changing else None


def _mistake(tables: Mapping[str, Any], overrides: Sequence[str]) -> str | None:
    try:
        _checked(overridden(tables, overrides))
    except DuonasError as error:
        return str(error)
    return None


def parse(tables: Mapping[str, Any], source: str = "") -> Recipe:
    """A recipe from nested dictionaries, checked key by key; what is left out has its default.

    Args:
        tables: such as ``{"seed": 0, "train": {"epochs": 3}}``.
        source: what the recipe is called in messages.

    Raises:
        DuonasError: an unknown key, a wrong type, a value out of bounds, or more than one target of the threshold.
    """
    try:
        return _checked(tables)
    except DuonasError as error:
        raise DuonasError(f"{f'recipe {source}'.strip()}: {error}") from error


def _checked(tables: Mapping[str, Any]) -> Recipe:
    """The recipe, or a ``DuonasError`` that says what is wrong and leaves it to others to say where."""
    _check_keys(tables)
    try:
        # Strict, so that "3" is not taken for 3; as JSON, where a list may still become a tuple.
        recipe = Recipe.model_validate_json(json.dumps(tables, default=str), strict=True)
    except ValidationError as error:
        raise DuonasError(f"{describe(error)}.") from error
    given = [name for name in TARGETS if getattr(recipe.route, name) is not None]
    if len(given) > 1:
        raise DuonasError(f"[route] takes one of {', '.join(TARGETS)}, got {' and '.join(given)}.")
    if recipe.route.energy is not None and recipe.route.watts is None:
        raise DuonasError("[route] energy needs watts, what the device draws while it computes.")
    if recipe.search.order == "sequential" and recipe.search.evaluations < 2:
        raise DuonasError("[search] order = 'sequential' needs two evaluations or more, got 1.")
    if recipe.search.order == "sequential" and recipe.search.pair is not None:
        raise DuonasError("[search] order = 'sequential' has nothing to search where [search.pair] is given.")
    Goal(recipe.search.objectives, recipe.search.constraints)
    return recipe


def rechosen(recipe: Recipe, **target: float) -> Recipe:
    """The recipe of the same pair with another target of the threshold.

    What the pair was searched for stays: a budget that was searched for becomes a constraint of the search, and one
    that comes now is for the threshold alone.

    Args:
        recipe: of a run.
        target: one of floor, budget, share, latency and energy; and what goes with it: watts, confidence.

    Raises:
        DuonasError: no target or more than one, or a value that cannot be used.
    """
    if not any(name in TARGETS for name in target):
        raise DuonasError(f"a threshold is chosen by one of {', '.join(TARGETS)}: none is given.")
    if all(getattr(recipe.route, name, None) == value for name, value in target.items()):
        return recipe
    tables = to_tables(recipe)
    route, limits = tables["route"], tables["search"]["constraints"]
    if recipe.route.budget is not None and recipe.route.budget_in_search:
        limits["expected_macs"] = min(recipe.route.budget, limits.get("expected_macs", math.inf))
    kept = {name: value for name, value in route.items() if name not in TARGETS}
    tables["route"] = kept | target | {"budget_in_search": "budget" not in target}
    return parse(tables)


def to_tables(recipe: Recipe) -> dict[str, Any]:
    """The recipe as nested dictionaries with every default written out; ``None`` is left out."""
    return recipe.model_dump(mode="json", exclude_none=True)


def dumps(recipe: Recipe) -> str:
    """The recipe as TOML with every default written out; ``load`` reads it back as an equal one."""
    return tomli_w.dumps(to_tables(recipe))


def shipped() -> list[str]:
    """The names of the recipes that come with duonas."""
    return sorted(path.stem for path in _shipped_folder().iterdir() if path.suffix == ".toml")


def headline(name: str) -> str:
    """The first line of a shipped recipe, which says what it is for."""
    first = (_shipped_folder() / f"{name}.toml").read_text(encoding="utf-8").splitlines()[0]
    return first.removeprefix("#").strip()


def find(recipe: str | Path) -> Path:
    """The file that ``load`` reads."""
    name, path = str(recipe), Path(recipe)
    if path.suffix == ".toml":
        if not path.is_file():
            raise DuonasError(f"there is no recipe file {name}.")
        return path
    if name in shipped():
        return _shipped_folder() / f"{name}.toml"
    if path.is_dir():
        if not (path / "recipe.toml").is_file():
            raise DuonasError(f"folder {name} is not a run: it holds no recipe.toml.")
        return path / "recipe.toml"
    if len(path.parts) > 1:
        raise DuonasError(f"there is no run in {name}: no such folder here.")
    hint = nearest(name, shipped())
    raise DuonasError(f"there is no recipe {name!r}: {hint} (or give a .toml file or a run's folder).")


def default_folder(recipe: str | Path) -> Path:
    """Where the run of a recipe goes: a run's own folder, else ``runs/NAME``."""
    path = find(recipe)
    return Path(recipe) if Path(recipe).is_dir() and path.parent == Path(recipe) else Path("runs") / path.stem


def first_difference(ours: Recipe, theirs: Recipe) -> tuple[str, Any, Any] | None:
    """The first key on which two recipes differ, as ``(key, our value, their value)``; ``None`` where they agree."""
    mine, other = dict(_flat(to_tables(ours))), dict(_flat(to_tables(theirs)))
    for key in (*mine, *other):
        if mine.get(key) != other.get(key):
            return key, mine.get(key), other.get(key)
    return None


def _shipped_folder() -> Path:
    return Path(str(files("duonas"))) / "recipe" / "shipped"


def _check_keys(tables: Mapping[str, Any]) -> None:
    """Refuse unknown keys, and numbers that JSON has no word for."""
    if "variants" in tables:
        raise DuonasError("it has variants, so it is a study: give it to `duonas compare`.")
    for name, table in tables.items():
        if name not in Recipe.model_fields:
            kind = "table" if isinstance(table, Mapping) else "key"
            raise DuonasError(f"there is no {kind} {name!r}: {_home(name) or nearest(name, Recipe.model_fields)}.")
        if name not in TABLES:
            continue
        if not isinstance(table, Mapping):
            raise DuonasError(f"[{name}] must be a table, got {table!r}.")
        _check_table(table, Recipe.model_fields[name].annotation, f"[{name}]")
        for key, value in _flat(table):
            if isinstance(value, float) and not math.isfinite(value):
                raise DuonasError(f"[{name}] {key} must be a finite number, got {value}.")


def _check_table(table: Mapping[str, Any], options: Any, where: str) -> None:
    """Refuse keys that ``options`` has no field for, and those of tables inside that are options too."""
    known = get_type_hints(options)
    for key, value in table.items():
        if key not in known:
            raise DuonasError(f"{where} has no key {key!r}: {nearest(key, known)}.")
        inner = inner_table(known[key])
        if inner is not None and isinstance(value, Mapping):
            _check_table(value, inner, f"{where.removesuffix(']')}.{key}]")


def inner_table(hint: Any) -> Any:
    """The options of a key that is a table inside a table, optional or not; ``None`` for other keys."""
    return next((each for each in (hint, *get_args(hint)) if isinstance(each, type) and is_dataclass(each)), None)


def _home(key: str) -> str | None:
    """Where a key belongs that was given without its table."""
    homes = [f"{name}.{key}" for name, options in TABLES.items() if options and key in get_type_hints(options)]
    return f"did you mean {' or '.join(homes)}?" if homes else None


def overridden(tables: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of the tables with the overrides put in.

    Raises:
        DuonasError: an override cannot be read.
    """
    changed = deepcopy(dict(tables))
    _make_way(changed, overrides)
    for text in overrides:
        _override(changed, text)
    return changed


def _make_way(tables: dict[str, Any], overrides: Iterable[str]) -> None:
    """Drop the file's target of the threshold where an override gives another."""
    route = tables.get("route")
    named = {override.partition("=")[0].strip() for override in overrides}
    if isinstance(route, dict) and any(f"route.{target}" in named for target in TARGETS):
        for key in (*TARGETS, "budget_in_search"):
            route.pop(key, None)


def _override(tables: dict[str, Any], text: str) -> None:
    """Put ``"table.key=value"`` into the tables; an empty value takes the key out."""
    path, equals, value = text.partition("=")
    *parents, key = (part.strip() for part in path.split("."))
    if not equals or not all((*parents, key)):
        raise DuonasError(f"cannot read --set {text!r}: expected table.key=value, such as train.epochs=10.")
    table = tables
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise DuonasError(f"cannot read --set {text!r}: {parent!r} is a value, not a table.")
    if value.strip():
        table[key] = _value(value.strip())
    else:
        table.pop(key, None)


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if set(parsed) == {"value"} else text


def _flat(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
