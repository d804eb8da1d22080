"""The keys of a recipe that say where something is, which is not a part of what a run is.

A run goes on when its images were moved, from another working directory, or when it was renamed. So two recipes that
differ in such keys alone are the same run's; what is found there is checked by hashes. The same goes for the number of
threads and for who evaluates archs, which make a run faster or slower, and for the trackers that show it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, is_dataclass
from functools import reduce
from os.path import exists, isfile  # unlike Path's, false for a name that the system refuses
from pathlib import Path
from typing import Any

from duonas.core.fields import Location
from duonas.core.files import checksum, expand
from duonas.pair.facts import ROLES
from duonas.recipe.schema import TABLES, Recipe, parse, to_tables
from duonas.recipe.tables import inner_tables, location_mark
from duonas.runtime.files import FILE_OF

EXPORT = "export"  # the folder of a run that is its bundle
BESIDE = (("threads",), ("trackers",), ("search", "workers"), ("search", "ray"))  # which change bits of a run at most


@dataclass(frozen=True)
class Place:
    """A key of a recipe that says where something is.

    Args:
        keys: such as ``("data", "path")``.
        value: as in the recipe.
        mark: of the key.
    """

    keys: tuple[str, ...]
    value: str
    mark: Location

    @property
    def key(self) -> str:
        """The key as in ``--set``, such as ``data.path``."""
        return ".".join(self.keys)

    @property
    def path(self) -> Path:
        """The path, from the current directory.

        Raises:
            DuonasError: it is in the home directory of a user who does not exist.
        """
        return expand(self.value, self.key)


def places(recipe: Recipe) -> list[Place]:
    """Return the keys of a recipe that say where something is, where they are set."""
    return [place for table in TABLES for place in _places(getattr(recipe, table), (table,))]


def identity(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as nested dictionaries without what does not change a run, such as where the images are."""
    tables = to_tables(recipe)
    for keys in BESIDE:
        _table(tables, keys).pop(keys[-1], None)
    for place in places(recipe):
        _table(tables, place.keys).pop(place.keys[-1])
    return tables


def first_difference(ours: Recipe, theirs: Recipe) -> tuple[str, Any, Any] | None:
    """Return the first difference of two recipes as ``(key, our value, their value)``, locations aside; else ``None``.

    Recipes without a difference are those of one run.
    """
    mine, other = dict(flat(identity(ours))), dict(flat(identity(theirs)))
    for key in (*mine, *other):
        if mine.get(key) != other.get(key):
            return key, mine.get(key), other.get(key)
    return None


def rebased(recipe: Recipe, folders: Sequence[Path], given: Sequence[str] = ()) -> Recipe:
    """Return a run's recipe with relative paths that are found in one of ``folders``, in their order.

    Args:
        recipe: the recipe.
        folders: such as the one where the run began. A path that is in none of them stays as it is.
        given: keys such as ``data.path``, or of tables around them, that the user has just set, from the current
            directory.
    """
    moved = {}
    for place in places(recipe):
        just_set = any(f"{place.key}.".startswith(f"{key}.") for key in given)
        if place.mark.path and not just_set and not place.path.is_absolute():
            found = next((folder / place.path for folder in folders if exists(folder / place.path)), None)
            if found is not None and found.resolve() != place.path.resolve():
                moved[place.keys] = str(found)
    return _with(recipe, moved)


def absolute(recipe: Recipe) -> Recipe:
    """Return the recipe with its paths made absolute, so that they are good from any working directory."""
    found = [place for place in places(recipe) if place.mark.path]
    return _with(recipe, {place.keys: str(place.path.absolute()) for place in found if not place.path.is_absolute()})


def same_places(ours: Recipe, theirs: Recipe) -> bool:
    """Whether two recipes say the same of all that does not change a run; a path may be relative or absolute."""
    mine, other = (
        {each.keys: str(each.path.absolute()) if each.mark.path else each.value for each in places(recipe)}
        for recipe in (ours, theirs)
    )
    return mine == other and all(_value(ours, keys) == _value(theirs, keys) for keys in BESIDE)


def gone(recipe: Recipe) -> Place | None:
    """Return the first key of ``[data]`` whose path does not exist, if there is one."""
    found = (each for each in places(recipe) if each.keys[0] == "data" and each.mark.path and not each.mark.created)
    return next((each for each in found if not exists(each.path)), None)


def file_hashes(recipe: Recipe, among: Collection[str] = tuple(TABLES)) -> dict[str, str]:
    """Return the SHA-256 in hex of each file that a recipe names and whose bytes must not change, by its key.

    Of a run or a bundle these are the files of its networks, whose names are then added to the key.

    Args:
        recipe: the recipe.
        among: the tables whose files are wanted; default: all.
    """
    found = [place for place in places(recipe) if place.mark.content and place.keys[0] in among]
    return {key: checksum(path) for place in found for key, path in _contents(place)}


def _contents(place: Place) -> Iterator[tuple[str, Path]]:
    """Yield the files of a place by their keys."""
    if isfile(place.path):
        yield place.key, place.path
        return
    for role in ROLES:
        name = FILE_OF[role]
        every = (folder / name for folder in (place.path, place.path / EXPORT))
        yield from ((f"{place.key}/{name}", path) for path in every if isfile(path))


def _value(recipe: Recipe, keys: Sequence[str]) -> Any:
    return reduce(getattr, keys, recipe)


def _places(options: Any, where: tuple[str, ...]) -> Iterator[Place]:
    inner = inner_tables(type(options))
    for each in fields(options):
        value, keys = getattr(options, each.name), (*where, each.name)
        mark = location_mark(type(options), each.name)
        if mark is not None and isinstance(value, str) and value not in mark.words:
            yield Place(keys, value, mark)
        elif isinstance(value, tuple) and any(map(is_dataclass, value)):
            for number, one in enumerate(value):
                yield from _places(one, (*keys, str(number)))
        elif each.name in inner and value is not None:
            yield from _places(value, keys)


def _with(recipe: Recipe, values: Mapping[tuple[str, ...], str]) -> Recipe:
    if not values:
        return recipe
    tables = deepcopy(to_tables(recipe))
    for keys, value in values.items():
        _table(tables, keys)[keys[-1]] = value
    return parse(tables)


def _table(tables: Any, keys: Sequence[str]) -> dict[str, Any]:
    for key in keys[:-1]:
        tables = tables[int(key)] if isinstance(tables, list) else tables[key]
    table: dict[str, Any] = tables
    return table


def flat(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested tables by their keys, such as ``train.epochs``."""
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
