"""A study: variants of a recipe to compare, each with several seeds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError, nearest
from duonas.core.files import as_path
from duonas.recipe.read import Change, assemble, changed, find, overridden, read_tables, stands_for_several
from duonas.recipe.schema import TABLES, Recipe, parse
from duonas.recipe.tables import inner_tables

KEYS = ("title", "base", "seeds", "conclusion", "recipe", "variants")
SHARED = "supernet"  # key of a variant that uses another variant's supernet


@dataclass(frozen=True)
class Variant:
    """A variant of a study.

    Args:
        name: its name in the study.
        tables: tables of its recipe, without the seed.
        supernet: the variant whose supernet is used instead of training one.
    """

    name: str
    tables: Mapping[str, Any]
    supernet: str | None

    def recipe(self, seed: int) -> Recipe:
        """Return the recipe for a seed."""
        return parse({**self.tables, "seed": seed}, f"of variant {self.name!r}")


@dataclass(frozen=True)
class Study:
    """A study; the other variants are compared with the first one."""

    name: str
    title: str
    seeds: tuple[int, ...]
    variants: tuple[Variant, ...]
    conclusion: str = ""

    def variant(self, name: str) -> Variant:
        """The variant of this name, which there is."""
        return next(each for each in self.variants if each.name == name)

    def only(self, names: Collection[str], seeds: Collection[int]) -> Study:
        """The study of some variants and seeds, and of the variants whose supernets they use."""
        shared = {self.variant(name).supernet for name in names}
        kept = tuple(each for each in self.variants if each.name in names or each.name in shared)
        return replace(self, variants=kept, seeds=tuple(seed for seed in self.seeds if seed in seeds))


def load_study(path: Path | str, overrides: Iterable[str] = ()) -> Study:
    """Read a study from TOML.

    Args:
        path: the file.
        overrides: ``"table.key=value"`` for the recipe of every variant.

    Raises:
        DuonasError: the file cannot be read, or recipes of variants are wrong; the message has the mistake of each.
    """
    path = as_path(path, "a study")
    tables = read_tables(path, "study")
    for key in tables:
        if key not in KEYS:
            raise DuonasError(f"study {path} has no key {key!r}: {nearest(key, KEYS)}.")
    base = _base(tables["base"], path) if "base" in tables else {}
    base = changed(base, _changes(_table(tables, "recipe", path)))
    variants, mistakes = [], []
    for name, changes in _table(tables, "variants", path).items():
        try:
            variants.append(_variant(name, base, changes, tuple(overrides), path))
        except DuonasError as error:
            mistakes.append(str(error))
    if mistakes:
        raise DuonasError(all_mistakes(f"study {path} cannot be run", mistakes))
    if not variants:
        raise DuonasError(f'study {path} has no variants: it needs two or more tables such as [variants."mine"].')
    study = Study(
        path.stem, str(tables.get("title", path.stem)), _seeds(tables.get("seeds", [0]), path), tuple(variants),
        str(tables.get("conclusion", "")).strip(),
    )  # fmt: skip
    _check(study, path)
    return study


def all_mistakes(what: str, mistakes: Sequence[str]) -> str:
    """Return the one mistake, or a list of all different ones, which ``what`` begins."""
    different = list(dict.fromkeys(mistakes))  # as of a key of all variants
    return different[0] if len(different) == 1 else "\n- ".join([f"{what}:", *different])


def _base(name: Any, path: Path) -> dict[str, Any]:
    if not isinstance(name, str):
        raise DuonasError(f"study {path}: base must be a recipe's name or file, got {name!r}.")
    beside = path.parent / name
    own = name.endswith(".toml") and not Path(name).is_file() and beside.is_file()
    try:
        if stands_for_several(found := find(beside if own else name)):
            raise DuonasError(f"{name!r} stands for several recipes: give one of them, such as '{name}-64'.")
        return read_tables(found, "recipe")
    except DuonasError as error:
        raise DuonasError(f"study {path}: its base cannot be read: {error}") from error


def _variant(name: str, base: dict[str, Any], changes: Any, overrides: tuple[str, ...], path: Path) -> Variant:
    if not isinstance(changes, Mapping):
        raise DuonasError(f"study {path}: variant {name!r} must be a table, got {changes!r}.")
    rest = {key: value for key, value in changes.items() if key != SHARED}
    tables = changed(base, _changes(rest))
    if "seed" in rest or any(text.partition("=")[0].strip() == "seed" for text in overrides):
        raise DuonasError(
            f"study {path}: seeds are the same for all variants: give seeds = [0, 1, 2] at the top of the file."
        )
    tables.pop("seed", None)
    assemble(tables, overrides, f"study {path}: recipe of variant {name!r}")  # check every recipe before the first run
    supernet = changes.get(SHARED)
    return Variant(name, overridden(tables, overrides), None if supernet is None else str(supernet))


def _check(study: Study, path: Path) -> None:
    trained = [variant.name for variant in study.variants if variant.supernet is None]
    for variant in study.variants:
        if variant.supernet is not None and variant.supernet not in trained:
            hint = f": {nearest(variant.supernet, trained)}" if trained else ""
            raise DuonasError(
                f"study {path}: variant {variant.name!r} uses the supernet of {variant.supernet!r}, "
                f"which is not a variant that trains one{hint}."
            )


def _seeds(value: Any, path: Path) -> tuple[int, ...]:
    whole = isinstance(value, list) and all(isinstance(seed, int) and not isinstance(seed, bool) for seed in value)
    if not whole or not value or len(set(value)) < len(value) or min(value) < 0:
        raise DuonasError(f"study {path}: seeds must be different whole numbers such as [0, 1, 2], got {value!r}.")
    return tuple(value)


def _table(tables: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = tables.get(key, {})
    if not isinstance(value, dict):
        raise DuonasError(f"study {path}: [{key}] must be a table, got {value!r}.")
    return value


def _changes(tables: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[Change]:
    """Return every value in the tables as a change of the base, so that tables are merged and other values replaced.

    An empty table of figures by name, such as ``constraints = {}``, is such a value: it takes away those of the base.
    """
    found = []
    for key, value in tables.items():
        if isinstance(value, Mapping) and (value or not _is_by_name(*path, key)):
            found += _changes(value, (*path, key))
        else:
            found.append(Change((*path, key), value, ".".join((*path, key))))
    return found


def _is_by_name(*path: str) -> bool:
    """Whether a key's value is a table without keys of its own, as that of ``search.constraints``."""
    return len(path) == 2 and path[0] in TABLES and path[1] not in inner_tables(TABLES[path[0]])
