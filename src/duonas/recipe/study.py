"""A study: one question, the variants of a recipe that answer it, and the seeds that say how sure the answer is."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError, nearest
from duonas.core.options import TARGETS
from duonas.recipe.schema import Recipe, assemble, find, overridden, parse

KEYS = ("title", "base", "seeds", "conclusion", "recipe", "variants")
SHARED = "supernet"  # the key of a variant that takes another one's supernet


@dataclass(frozen=True)
class Variant:
    """What is compared.

    Args:
        name: as the study calls it.
        tables: its recipe, without the seed.
        supernet: the variant whose supernet it takes instead of training one.
    """

    name: str
    tables: Mapping[str, Any]
    supernet: str | None

    def recipe(self, seed: int) -> Recipe:
        """The recipe for a seed."""
        return parse({**self.tables, "seed": seed}, f"of variant {self.name!r}")


@dataclass(frozen=True)
class Study:
    """A question and what is run to answer it; the first variant is what the others are held against."""

    name: str
    title: str
    seeds: tuple[int, ...]
    variants: tuple[Variant, ...]
    conclusion: str = ""


def load_study(path: Path | str, overrides: Iterable[str] = ()) -> Study:
    """Read a study from TOML.

    Args:
        path: of the file.
        overrides: ``"table.key=value"`` for the recipe of every variant.

    Raises:
        DuonasError: the file cannot be read, or a variant's recipe is wrong.
    """
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DuonasError(f"there is no study file {path}.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DuonasError(f"study {path} cannot be read: {error}.") from error
    for key in tables:
        if key not in KEYS:
            raise DuonasError(f"study {path} has no key {key!r}: {nearest(key, KEYS)}.")
    base = _base(tables["base"], path) if "base" in tables else {}
    base = _merged(base, _table(tables, "recipe", path))
    variants = tuple(
        _variant(name, base, changes, tuple(overrides), path)
        for name, changes in _table(tables, "variants", path).items()
    )
    if not variants:
        raise DuonasError(f'study {path} compares nothing: it needs two or more tables such as [variants."mine"].')
    study = Study(
        path.stem, str(tables.get("title", path.stem)), _seeds(tables.get("seeds", [0]), path), variants,
        str(tables.get("conclusion", "")).strip(),
    )  # fmt: skip
    _check(study, path)
    return study


def _base(name: Any, path: Path) -> dict[str, Any]:
    if not isinstance(name, str):
        raise DuonasError(f"study {path}: base must be a recipe's name or file, got {name!r}.")
    try:
        return tomllib.loads(find(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DuonasError(f"study {path}: its base {name} cannot be read: {error}.") from error


def _variant(name: str, base: dict[str, Any], changes: Any, overrides: tuple[str, ...], path: Path) -> Variant:
    if not isinstance(changes, Mapping):
        raise DuonasError(f"study {path}: variant {name!r} must be a table, got {changes!r}.")
    rest = {key: value for key, value in changes.items() if key != SHARED}
    tables = _merged(base, rest)
    if "seed" in rest or any(text.partition("=")[0].strip() == "seed" for text in overrides):
        raise DuonasError(f"study {path}: seeds are given once for all variants: seeds = [0, 1, 2].")
    tables.pop("seed", None)
    assemble(tables, overrides, f"study {path}: recipe of variant {name!r}")  # every one is sound before the first runs
    supernet = changes.get(SHARED)
    return Variant(name, overridden(tables, overrides), None if supernet is None else str(supernet))


def _check(study: Study, path: Path) -> None:
    """Whoever takes another's supernet is given one."""
    trained = [variant.name for variant in study.variants if variant.supernet is None]
    for variant in study.variants:
        if variant.supernet is not None and variant.supernet not in trained:
            hint = f": {nearest(variant.supernet, trained)}" if trained else ""
            raise DuonasError(
                f"study {path}: variant {variant.name!r} takes the supernet of {variant.supernet!r}, "
                f"which is no variant that trains one{hint}."
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


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` put in, table by table; values that are not tables take each other's place."""
    merged = dict(base)
    if any(target in changes for target in TARGETS):  # of the threshold: one takes another's place
        merged = {key: value for key, value in merged.items() if key not in (*TARGETS, "budget_in_search")}
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else _copy(value)
    return merged


def _copy(value: Any) -> Any:
    return _merged({}, value) if isinstance(value, Mapping) else value
