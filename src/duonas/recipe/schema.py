"""A recipe: all settings of a run, one table per stage, validated on construction.

Relative paths in a recipe (``[data] path``, ``[search.device] table``, ``[space] name = "file.py:CLASS"``) are relative
to the current directory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from duonas.baselines.options import BaselineOptions
from duonas.core.errors import DuonasError, nearest
from duonas.core.fields import Count
from duonas.core.plugin import is_plugin
from duonas.core.registry import KINDS, source_hash
from duonas.costs.options import HERE, NONE
from duonas.data.options import DataOptions
from duonas.deploy.options import ExportOptions
from duonas.measure.options import MeasureOptions
from duonas.pair.options import objection, spelled
from duonas.recipe.budget import BudgetOptions
from duonas.recipe.errors import Mistake, describe
from duonas.recipe.tables import Parts, in_base_units, inner_tables, named_parts, read_options, spelled_out
from duonas.routing.options import TARGETS, RouteOptions
from duonas.search.goal import Goal
from duonas.search.metric import find_filter
from duonas.search.options import SearchOptions
from duonas.supernet.options import PairOptions, SpaceOptions
from duonas.training.options import FinetuneOptions, LossOptions, PairLossOptions, TrainOptions

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
        _check_whole({name: tables[name] for name in ("seed", "threads")})
        tables["pair"] = _with_given(_with_own_little(tables["pair"], tables["space"]))
        if isinstance(tables["pair"], Mapping) and tables["pair"].get("coupling") == "given":
            tables["finetune"] = _untrained(self.finetune, tables["finetune"])
        for name, base in TABLES.items():
            options = read_options(base, tables[name], name, joining(name, tables))
            object.__setattr__(self, name, options)
        _check_together(self)

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
    return {name: source_hash(name) or "" for name in dict.fromkeys(found) if is_plugin(name)}


def _named(options: Any, table: Mapping[str, Any]) -> Iterator[str]:
    """Yield every part that a table or its inner tables name."""
    yield from (name for _, _, name in named_parts(type(options), table))
    for key in inner_tables(type(options)):
        if key in table:
            yield from _named(getattr(options, key), table[key])


def _check_whole(keys: Mapping[str, Any]) -> None:
    try:
        TypeAdapter(Whole).validate_json(json.dumps(keys, default=str), strict=True)
    except ValidationError as error:
        raise describe(error) from error


def _with_own_little(pair: Any, space: Any) -> Any:
    """Return ``[pair]`` with the defaults that follow from ``[pair.little]``: its name and the coupling."""
    if not isinstance(pair, Mapping) or "little" not in pair:
        return pair
    little, named = spelled_out(SpaceOptions, pair["little"]), spelled_out(SpaceOptions, space)
    if isinstance(little, Mapping) and isinstance(named, Mapping) and "name" in named:
        little = {"name": named["name"], **little}
    return {"coupling": "independent", **pair, "little": little}


def _check_together(recipe: Recipe) -> None:
    given = [name for name in TARGETS if getattr(recipe.route, name) is not None]
    if len(given) > 1:
        keys = [f"route.{name}" for name in given]
        raise Mistake(f"[route] takes one of {', '.join(TARGETS)}, got {' and '.join(given)}", *keys)
    if recipe.train.class_weights == recipe.train.sampling == "balanced":
        raise Mistake(
            "[train] class_weights = 'balanced' and sampling = 'balanced' would make up for rare classes twice: "
            "choose one of them", "train.class_weights", "train.sampling",
        )  # fmt: skip
    _check_shares(recipe.budget)
    _check_losses(recipe)
    _check_precision(recipe.export)
    _check_little(recipe.pair)
    _check_given(recipe)
    search = recipe.search
    for column in ("latency", "energy"):
        if getattr(search.device, column) is not None and search.device.table in (HERE, NONE):
            raise Mistake(
                f"[search.device] {column} names a column of a table: give table = the file", f"search.device.{column}"
            )
    try:
        Goal(("accuracy",) if search.objectives is None else search.objectives, search.constraints)
    except DuonasError as error:
        raise Mistake(str(error), "search.objectives", "search.constraints") from error
    if search.filter is not None:
        try:
            find_filter(search.filter.metric)
        except DuonasError as error:
            raise Mistake(str(error), "search.filter.metric") from error


def _with_given(pair: Any) -> Any:
    """Return ``[pair]`` with the networks of ``[pair.given]`` as tables, and the coupling that follows from it.

    Raises:
        Mistake: a network's table is wrong.
    """
    if not isinstance(pair, Mapping) or not isinstance(pair.get("given"), Mapping):
        return pair
    given = dict(pair["given"])
    for role in ("little", "big"):
        listed = given.get(role, [])
        listed = list(listed) if isinstance(listed, list | tuple) else [listed]
        given[role] = [spelled(each) for each in listed]
        for number, network in enumerate(given[role], 1):
            place = f"[pair.given] {role}" + (f", network {number}" if len(listed) > 1 else "")
            if not isinstance(network, Mapping):
                raise Mistake(f"{place} must be a text or a table, got {network!r}", f"pair.given.{role}")
            if wrong := objection(network):
                raise Mistake(f"{place}: {wrong}", f"pair.given.{role}")
    return {"coupling": "given", **pair, "given": given}


def _untrained(options: Any, table: Any) -> Any:
    """Return ``[finetune]`` with another default of its mode: networks that are given are not trained on."""
    if options == FinetuneOptions():
        return {**table, "mode": "none"}
    return {"mode": "none", **table} if isinstance(table, Mapping) else table


def _check_given(recipe: Recipe) -> None:
    given = recipe.pair.given
    if not recipe.is_given:
        if given is not None:
            raise Mistake(
                f"[pair.given] names the networks of the pair, with which coupling must be 'given', got "
                f"{recipe.pair.coupling!r}: leave out coupling, or [pair.given]", "pair.coupling", "pair.given",
            )  # fmt: skip
        return
    if given is None or not given.little or not given.big:
        raise Mistake(
            "[pair] coupling = 'given' needs the networks: [pair.given] little = [\"little.onnx\"] and big = "
            "[\"big.onnx\"]", "pair.given", "pair.coupling",
        )  # fmt: skip
    if recipe.finetune.mode != "none":
        raise Mistake(
            f"networks of [pair.given] are not trained on, so [finetune] mode must be 'none', got "
            f"{recipe.finetune.mode!r}", "finetune.mode",
        )  # fmt: skip
    if recipe.budget.minutes is not None:
        raise Mistake(
            "[budget] minutes divides the time of training, and networks of [pair.given] are not trained: leave it out",
            "budget.minutes",
        )
    if recipe.search.device.table not in (HERE, NONE):
        raise Mistake(
            "[search.device] table has times of blocks, and networks of [pair.given] have none: write 'here' to time "
            "them on this machine, or 'none'", "search.device.table",
        )  # fmt: skip


def _counted(littles: int, bigs: int) -> str:
    if littles == bigs == 1:
        return "two given networks"
    return f"{littles} given littles and {bigs} given bigs"


def _check_shares(budget: BudgetOptions) -> None:
    shares = {name: getattr(budget, name) for name in ("supernet", "search", "pair")}
    if not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        given = ", ".join(f"{name} = {share:g}" for name, share in shares.items())
        raise Mistake(
            f"supernet, search and pair of [budget] must sum to 1, and {given} sum to {sum(shares.values()):g}",
            *(f"budget.{name}" for name in shares),
        )


def _check_losses(recipe: Recipe) -> None:
    """Refuse losses of a pair that train nothing of little."""
    tables = [("train.loss", getattr(recipe.train, "loss", None))]
    if recipe.finetune.mode in ("joint", "scratch"):
        tables.append(("finetune.loss", recipe.finetune.loss))
    for where, loss in tables:
        if loss is None or not loss.alpha == loss.beta == 0 or _has_terms(loss):
            continue
        raise Mistake(
            f"[{where}] alpha and beta are 0, so little learns nothing: give one of them a weight, or leave both out",
            f"{where}.alpha", f"{where}.beta",
        )  # fmt: skip


def _has_terms(loss: Any) -> bool:
    """Whether a loss has further terms, of which little may learn."""
    known = {each.name for options in (LossOptions, PairLossOptions) for each in fields(options)}
    return bool(loss.terms) or any(
        getattr(loss, each.name) not in (each.default, None, 0) for each in fields(loss) if each.name not in known
    )


def _check_precision(export: ExportOptions) -> None:
    if export.most_points_lost is None:
        return
    if export.precision != "int8":
        raise Mistake(
            f"[export] most_points_lost is for precision = 'int8', and precision is {export.precision!r}: leave it out",
            "export.most_points_lost", "export.precision",
        )  # fmt: skip
    if export.layer_images == 0:
        raise Mistake(
            "[export] most_points_lost leaves the worst layers in float, which are not known with layer_images = 0: "
            "leave that out", "export.most_points_lost", "export.layer_images",
        )  # fmt: skip


def _check_little(pair: PairOptions) -> None:
    if pair.little is None:
        return
    if pair.coupling != "independent":
        raise Mistake(
            f"[pair.little] gives little a search space of its own, with which coupling must be 'independent', got "
            f"{pair.coupling!r}: leave out coupling, or [pair.little]", "pair.coupling", "pair.little",
        )  # fmt: skip
    for key in ("little_squeeze_excite", "little_blocks"):
        if getattr(pair, key) != "same":
            raise Mistake(
                f"[pair] {key} varies the blocks of [space] for little, which has a space of its own in [pair.little]: "
                "give its blocks there", f"pair.{key}", "pair.little",
            )  # fmt: skip


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
