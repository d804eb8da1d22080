"""A recipe: all settings of a run, one table per stage, validated on construction.

Relative paths in a recipe (``[data] path``, ``[search.device] table``, ``[space] name = "file.py:CLASS"``) are relative
to the current directory.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from duonas.baselines.options import BaselineOptions
from duonas.core.errors import DuonasError, nearest
from duonas.core.fields import Count
from duonas.core.plugin import is_plugin
from duonas.core.registry import KINDS, find, source_hash
from duonas.data.options import DataOptions
from duonas.deploy.options import ExportOptions
from duonas.measure.options import MeasureOptions
from duonas.recipe.budget import BudgetOptions
from duonas.recipe.contradictions import check_together
from duonas.recipe.errors import Mistake, describe
from duonas.recipe.implied import with_given, with_mode, with_own_little, without_supernet
from duonas.recipe.tables import Parts, in_base_units, inner_tables, named_parts, read_options
from duonas.routing.options import TARGETS, RouteOptions
from duonas.search.options import SearchOptions
from duonas.supernet.options import PairOptions, SpaceOptions
from duonas.training.options import FinetuneOptions, TrainOptions

TABLES: dict[str, type] = {
    "data": DataOptions,
    "space": SpaceOptions,
    "pair": PairOptions,
    "train": TrainOptions,
    "search": SearchOptions,
    "finetune": FinetuneOptions,
    "route": RouteOptions,
    "export": ExportOptions,
    "measure": MeasureOptions,
    "baselines": BaselineOptions,
    "budget": BudgetOptions,
}

PLAIN_FROM = 10.0  # minutes of a run, above which it trains a plain network, too


@dataclass(frozen=True)
class Whole:
    """The keys before the tables."""

    seed: int = 0
    """Random seed of the run: equal recipes give equal runs."""
    threads: Count | None = None
    """CPU threads of torch in each process; default: torch's own."""
    trackers: tuple[str, ...] = ("tensorboard",)
    """What shows the figures of training and search while they go on, beside log.jsonl."""


@dataclass(frozen=True)
class Recipe(Whole):
    """The settings of a whole run and the options of each stage; equal recipes give equal runs.

    Each table may be given as options, or as a dictionary such as ``{"rule": "cotrain", "epochs": 3}``. It becomes the
    options of the parts that it names; here ``recipe.train`` is a ``Cotrain.Options``.

    Raises:
        DuonasError: a table has an unknown key or a wrong value, or two keys contradict each other.
    """

    data: DataOptions = field(default_factory=DataOptions)
    space: SpaceOptions = field(default_factory=SpaceOptions)
    pair: PairOptions = field(default_factory=PairOptions)
    train: TrainOptions = field(default_factory=TrainOptions)
    search: SearchOptions = field(default_factory=SearchOptions)
    finetune: FinetuneOptions = field(default_factory=FinetuneOptions)
    route: RouteOptions = field(default_factory=RouteOptions)
    export: ExportOptions = field(default_factory=ExportOptions)
    measure: MeasureOptions = field(default_factory=MeasureOptions)
    baselines: BaselineOptions = field(default_factory=BaselineOptions)
    budget: BudgetOptions = field(default_factory=BudgetOptions)

    def __post_init__(self) -> None:
        tables = {each.name: _plain(getattr(self, each.name)) for each in fields(self)}
        _check_whole({each.name: tables[each.name] for each in fields(Whole)})
        object.__setattr__(self, "trackers", tuple(self.trackers))
        tables["pair"] = with_given(with_own_little(tables["pair"], tables["space"]))
        if isinstance(tables["pair"], Mapping) and tables["pair"].get("coupling") == "given":
            tables["finetune"] = with_mode("none", self.finetune, tables["finetune"])  # these are not trained on
        elif without_supernet(tables["train"]):
            tables["finetune"] = with_mode("scratch", self.finetune, tables["finetune"])
        for name, base in TABLES.items():
            options = read_options(base, tables[name], name, joining(name, tables))
            object.__setattr__(self, name, options)
        check_together(self)

    @property
    def summary(self) -> str:
        """Images, space and kind of pair in a few words, such as ``digits images, mobilenet space, nested pairs``."""
        path: str = getattr(self.data, "path", None) or ""
        mine = path and self.data.name in KINDS["source"].general
        images = f"images of {Path(path).name or path}" if mine else f"{self.data.name} images"
        if self.is_given and (given := self.pair.given) is not None:
            return f"{images}, a pair of {_counted(len(given.little), len(given.big))}"
        names = dict.fromkeys([self.space.name, (self.pair.little or self.space).name])
        spaces = f"{' and '.join(names)} space{'s' if len(names) > 1 else ''}"
        return f"{images}, {spaces}, {self.pair.coupling} pairs"

    @property
    def is_given(self) -> bool:
        """Whether the pair is made of networks that are given, so that nothing is searched for and trained."""
        return self.pair.coupling == "given"

    @property
    def trains_supernet(self) -> bool:
        """Whether a supernet is trained; else the pair is given, or chosen before anything is trained."""
        return not self.is_given and self.train.epochs > 0

    @property
    def searches(self) -> bool:
        """Whether the search takes time: a fixed pair of a supernet that is not trained needs none."""
        return self.is_given or self.trains_supernet or self.search.ranking is not None

    @property
    def assumed_share(self) -> float:
        """The little share at which the constraints must hold in the search; 1 where it finds the share, too."""
        assumes = not self.is_given and (self.search.ranking is not None or not self.trains_supernet)
        return self.search.share if assumes else 1.0

    @property
    def trains_plain(self) -> bool:
        """Whether a plain network is trained to compare the pair with: by default where there are minutes enough."""
        if self.is_given:
            return False
        if self.baselines.plain is not None:
            return self.baselines.plain
        return (self.budget.minutes or 0.0) > PLAIN_FROM


def parse(tables: Mapping[str, Any], source: str = "") -> Recipe:
    """Build a recipe from nested dictionaries; missing keys have their defaults.

    Args:
        tables: such as ``{"seed": 0, "train": {"epochs": 3}}``.
        source: name of the recipe in messages.

    Raises:
        DuonasError: there is an unknown key, a wrong type, a value out of bounds, or a contradiction.
    """
    try:
        return checked(tables)
    except Mistake as error:
        raise DuonasError(f"{f'recipe {source}'.strip()}: {error}") from error


def checked(tables: Mapping[str, Any]) -> Recipe:
    """Return the recipe of tables.

    Raises:
        Mistake: a key or value is wrong; the caller adds where the tables are from.
    """
    if "variants" in tables:
        raise Mistake("it has variants, so it is a study: run it with `duonas compare`", "variants")
    known = [each.name for each in fields(Recipe)]
    for name, table in tables.items():
        if name not in known:
            kind = "table" if isinstance(table, Mapping) else "key"
            raise Mistake(f"there is no {kind} {name!r}: {_home(name) or nearest(name, known)}", name)
    return Recipe(**tables)


def check_recipe(recipe: object) -> None:
    """Refuse what is not a recipe, such as a recipe's name, or a wrong one.

    Raises:
        DuonasError: the message says how to load one, or what is wrong with it.
    """
    if not isinstance(recipe, Recipe):
        raise DuonasError(
            f"expected a recipe, got {recipe!r:.80}: load one with duonas.load_recipe({str(recipe)[:80]!r})."
        )
    parse(to_tables(recipe))  # it may have been changed since it was built


def options_for(table: str, **keys: Any) -> Any:
    """Return the options of one table of a recipe: ``options_for("train", rule="cotrain", epochs=3)``.

    Raises:
        DuonasError: there is an unknown key or a wrong value.
    """
    return read_options(TABLES[table], _plain(keys), table)


def joining(table: str, tables: Mapping[str, Any]) -> Parts:
    """Yield the parts that have options in a table but are named in another: the routers of ``[search] routers``."""
    search = tables.get("search", {})
    listed = search.get("routers", ()) if table == "route" and isinstance(search, Mapping) else ()
    for text in listed if isinstance(listed, list | tuple) else ():
        if isinstance(text, str):
            kind = text.rpartition("@")[0] or text
            yield "router", kind, "search.routers"


def rechosen(recipe: Recipe, **target: float | str) -> Recipe:
    """Return the recipe of the same pair with another target of the threshold.

    The search stays the same: a former budget becomes a constraint of the search, and a new budget affects only the
    threshold.

    Args:
        recipe: the recipe of a run.
        target: one of floor, budget, share, latency and energy; optionally watts, confidence and floor_on. Numbers,
            or texts with units such as ``"2ms"``.

    Raises:
        DuonasError: there is not exactly one target, or a value is wrong.
    """
    for name, value in target.items():
        if name not in (*TARGETS, "watts", "confidence", "floor_on"):
            raise DuonasError(f"there is no target {name!r}: {nearest(name, TARGETS)}.")
        if value is None:
            raise DuonasError(f"{name} must be a number, got None.")
    if not any(name in TARGETS for name in target):
        raise DuonasError(f"no target for the threshold was given: choose one of {', '.join(TARGETS)}.")
    target = in_base_units(target, type(recipe.route), "route")
    if all(getattr(recipe.route, name, None) == value for name, value in target.items()):
        return recipe
    tables = to_tables(recipe)
    if recipe.route.priced is not None and recipe.route.budget_in_search:
        tables["search"]["constraints"] = recipe.route.limiting(recipe.search.constraints)
    kept = {name: value for name, value in tables["route"].items() if name not in TARGETS}
    tables["route"] = kept | target | {"budget_in_search": "budget" not in target}
    return parse(tables)


def to_tables(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as nested dictionaries with all defaults but ``None``."""
    tables: dict[str, Any] = _plain(recipe)
    for name, base in TABLES.items():  # common keys first
        common = {each.name: tables[name][each.name] for each in fields(base) if each.name in tables[name]}
        tables[name] = common | tables[name]
    return tables


def plugin_hashes(recipe: Recipe, among: Collection[str] = tuple(TABLES)) -> dict[str, str]:
    """Return the SHA-256 in hex of the file of each user's own part in a recipe, by the part's name.

    A run depends on these files as much as on its recipe.

    Args:
        recipe: the recipe.
        among: the tables whose parts are wanted; default: all.
    """
    tables = to_tables(recipe)
    found = [name for table in among for _, name, _ in joining(table, tables)]
    found += [name for table in among for name in _named(getattr(recipe, table), tables[table])]
    if "pair" in among and recipe.pair.given is not None:
        networks = (*recipe.pair.given.little, *recipe.pair.given.big)
        found += [each.module for each in networks if each.module is not None]
    found += recipe.baselines.networks if "baselines" in among else ()
    found += [*(recipe.search.objectives or ()), *recipe.search.constraints] if "search" in among else ()
    found += [recipe.search.filter.metric] if "search" in among and recipe.search.filter is not None else []
    found += [recipe.search.ranking] if "search" in among and recipe.search.ranking is not None else []
    found += recipe.trackers if set(among) == set(TABLES) else ()  # a run has these, and no table depends on them
    return {name: source_hash(name) or "" for name in dict.fromkeys(found) if is_plugin(name)}


def _named(options: Any, table: Mapping[str, Any]) -> Iterator[str]:
    """Yield every part that a table or its inner tables name."""
    yield from (name for _, _, name in named_parts(type(options), table))
    for key in inner_tables(type(options)):
        if key in table:
            yield from _named(getattr(options, key), table[key])


def _check_whole(keys: Mapping[str, Any]) -> None:
    try:
        whole = TypeAdapter(Whole).validate_json(json.dumps(keys, default=str), strict=True)
    except ValidationError as error:
        raise describe(error) from error
    for name in whole.trackers:
        try:
            find("tracker", name)
        except DuonasError as error:
            raise Mistake(str(error).rstrip("."), "trackers") from error


def _counted(littles: int, bigs: int) -> str:
    if littles == bigs == 1:
        return "two given networks"
    return f"{littles} given littles and {bigs} given bigs"


def _home(key: str) -> str | None:
    """Suggest the table of a key that was given without one."""
    homes = [f"{name}.{key}" for name, base in TABLES.items() if key in {each.name for each in fields(base)}]
    return f"did you mean {' or '.join(homes)}?" if homes else None


def _plain(value: Any) -> Any:
    """Return options as dictionaries and lists, without ``None``."""
    if is_dataclass(value):
        value = {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items() if each is not None}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
