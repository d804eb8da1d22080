"""Read the tables of a recipe as options.

The keys of a table are its base options and those of every part that it names: ``[train] rule`` names a training rule,
whose options are keys of ``[train]`` too. This is an open discriminated union: parts are found through the registry,
shipped and user's own ones, and only those that are named are imported.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from duonas.core.errors import DuonasError, nearest
from duonas.core.fields import Location, PartOf
from duonas.core.registry import KINDS, NoOptions, find, names
from duonas.core.units import ByName, Either, parse, quantity_of
from duonas.recipe.errors import Mistake, describe
from duonas.runtime.units import Quantity
from duonas.search.metric import find_metric

_Mark = TypeVar("_Mark")
Parts = Iterable[tuple[str, str, str]]  # kind, name, and the key that names it


def read_options(base: type, table: Any, where: str, more: Parts = ()) -> Any:
    """Return the validated options of a table; missing keys have their defaults.

    Args:
        base: the base options of the table.
        table: the table as written.
        where: name of the table, such as ``train``.
        more: parts that are named elsewhere and have options in this table.

    Raises:
        Mistake: there is an unknown key or part, a wrong type, or a value out of bounds.
    """
    table = spelled_out(base, table)
    if not isinstance(table, Mapping):
        raise Mistake(f"[{where}] must be a table, got {table!r}", where)
    table = dict(_defaults(base)) | dict(table)
    options = options_class(base, table, where, more)
    table = spelled_out_inside(options, table)
    check_keys(table, options, where)
    table = in_base_units(table, options, where)
    try:
        # Strict, so that "3" is not accepted as 3; in JSON, where a list may still become a tuple.
        return _adapter(options).validate_json(json.dumps(table, default=str), strict=True)
    except ValidationError as error:
        raise describe(error, where) from error


def options_class(base: type, table: Mapping[str, Any], where: str, more: Parts = ()) -> type:
    """Return a dataclass that inherits ``base`` and the options of each part that a table names.

    Raises:
        Mistake: the table names a part that does not exist.
    """
    joined = _closed([base], table, where)
    joined = _closed([*joined, *(_own(kind, name, key) for kind, name, key in more)], table, where)
    inner = {}
    for options in joined:
        for key, declared in inner_tables(options).items():
            if key not in table and _is_optional(options, key):
                continue
            given = spelled_out(declared, table.get(key, {}))
            found = options_class(declared, given, f"{where}.{key}") if isinstance(given, Mapping) else declared
            if found is not declared:
                inner[key] = found
    return _joined(tuple(joined), tuple(inner.items()))


def _closed(joined: list[type], table: Mapping[str, Any], where: str) -> list[type]:
    """Return these options and, recursively, those of all parts that a table names with their keys."""
    found = list(dict.fromkeys(joined))
    for options in found:  # grows in the loop: a part's options can name parts too
        for key, kind, name in named_parts(options, table):
            own = _own(kind, name, f"{where}.{key}")
            if own is not NoOptions and own not in found:
                found.append(own)
    return found


def known_keys(base: type, table: Any, where: str, more: Parts = ()) -> set[str]:
    """Return the valid keys of a table; only those of ``base`` if a part that it names cannot be found."""
    try:
        found = options_class(base, table, where, more) if isinstance(table, Mapping) else base
    except DuonasError:  # reported when the table is read
        found = base
    return set(_hints(found))


def named_parts(options: type, table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield key, kind and name of every part that a table names with these options or that it always has."""
    for each in fields(options):
        mark = part_mark(options, each.name)
        if mark is None:
            continue
        given = table.get(each.name, _default(each))
        listed = given if isinstance(given, list | tuple) else [given]
        every = names(mark.kind) if mark.every else []
        for name in dict.fromkeys(name for name in (*every, *listed) if isinstance(name, str)):
            if name not in mark.beside:
                yield each.name, mark.kind, name


def part_mark(options: type, key: str) -> PartOf | None:
    """Return the mark of a key that names parts, also for options that inherit the key."""
    return _mark(options, key, PartOf)


def location_mark(options: type, key: str) -> Location | None:
    """Return the mark of a key that says where something is, also for options that inherit the key."""
    return _mark(options, key, Location)


def inner_tables(options: type) -> dict[str, Any]:
    """Return the options of inner tables by key, including optional ones."""
    found = {}
    for key, hint in _hints(options).items():
        if get_origin(hint) is tuple:
            continue  # a list of tables, see ``listed_tables``
        for each in (hint, *get_args(hint)):
            if isinstance(each, type) and is_dataclass(each):
                found[key] = each
    return found


def listed_tables(options: type) -> dict[str, Any]:
    """Return the options of the tables in lists of tables, by key."""
    hints = {key: get_args(hint)[0] for key, hint in _hints(options).items() if get_origin(hint) is tuple}
    return {key: each for key, each in hints.items() if isinstance(each, type) and is_dataclass(each)}


def borrowed_tables(options: type) -> dict[str, str]:
    """Return the inner tables whose keys are those of another table of the recipe, with its name."""
    return dict(getattr(options, "keys_of", ()))


def spelled_out(options: type, table: Any) -> Any:
    """Return an inner table that is given only by name, such as ``weights = "kshot"``, as a table."""
    names_parts = "name" in _hints(options) and part_mark(options, "name")
    return {"name": table} if names_parts and isinstance(table, str) else table


def spelled_out_inside(options: type, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with the inner tables that are given only by name as tables, and those inside them."""
    inner, found = inner_tables(options), dict(table)
    for key in inner.keys() & table.keys():
        value = spelled_out(inner[key], table[key])
        found[key] = spelled_out_inside(inner[key], value) if isinstance(value, Mapping) else value
    return found


def check_keys(table: Mapping[str, Any], options: type, where: str) -> None:
    """Check a table and its inner tables for unknown keys and for numbers that are not finite.

    Raises:
        Mistake: there is one of these.
    """
    known, inner = _hints(options), inner_tables(options)
    for key, value in table.items():
        if key in (renamed := dict(getattr(options, "renamed", ()))):
            new = renamed[key]
            raise Mistake(f"[{where}] {key} is called {new!r} now: write {new} = {value!r}", f"{where}.{key}")
        if key not in known:
            raise Mistake(f"[{where}] has no key {key!r}: {_hint(key, options, table, where)}", f"{where}.{key}")
        value = spelled_out(inner[key], value) if key in inner else value
        if key in inner and isinstance(value, Mapping):
            check_keys(value, inner[key], f"{where}.{key}")
            continue
        for place, number in _numbers(value, key):
            if not math.isfinite(number):
                raise Mistake(f"[{where}] {place} must be a finite number, got {number}", f"{where}.{key}")


def in_base_units(table: Mapping[str, Any], options: type, where: str) -> dict[str, Any]:
    """Return a table and its inner tables with the texts of figures, such as ``"2ms"``, as numbers.

    Raises:
        Mistake: a text is not a figure of the quantity of its key.
    """
    inner = inner_tables(options)
    return {
        key: in_base_units(value, inner[key], f"{where}.{key}")
        if key in inner and isinstance(value, Mapping)
        else _figure(value, quantity_at(options, key), f"[{where}] {key}", f"{where}.{key}")
        for key, value in table.items()
    }


def quantity_at(options: type, key: str) -> Quantity | ByName | Either | None:
    """Return the quantity of a key's value, if it has one."""
    marks = (mark for mark in _marks(_hints(options).get(key)) if isinstance(mark, Quantity | ByName | Either))
    return next(marks, None)


def _marks(hint: Any) -> Iterator[Any]:
    yield from getattr(hint, "__metadata__", ())
    for each in get_args(hint):
        yield from _marks(each)


def _figure(value: Any, quantity: Quantity | ByName | Either | None, place: str, key: str) -> Any:
    if isinstance(quantity, ByName) and isinstance(value, Mapping):
        for name, each in value.items():
            if isinstance(each, str):  # else the name is checked with all other names
                _check_metric(str(name), f"{key}.{name}")
        named = {name: quantity_of(str(name)) for name in value}
        return {name: _figure(each, named[name], f"{place}.{name}", f"{key}.{name}") for name, each in value.items()}
    try:
        if isinstance(quantity, Either) and value is not None:
            return quantity.parse(value, place)
        return parse(value, quantity, place) if isinstance(quantity, Quantity) and isinstance(value, str) else value
    except DuonasError as error:
        raise Mistake(str(error), key) from error


def _check_metric(name: str, key: str) -> None:
    """Refuse a name that no metric has, whose quantity nothing tells."""
    try:
        find_metric(name, "constraint")
    except DuonasError as error:
        raise Mistake(str(error), key) from error


def _own(kind: str, name: str, key: str) -> type:
    try:
        own: type = find(kind, name).Options
    except DuonasError as error:
        table, _, last = key.rpartition(".")
        usual, place, message = KINDS[kind].key, f"[{table}] {last}", str(error)
        message = message.replace(usual, place, 1) if message.startswith(usual) else f"{place}: {message}"
        raise Mistake(message, key) from error
    return own


def _hint(key: str, options: type, table: Mapping[str, Any], where: str) -> str:
    """Return a hint for an unknown key: the other parts that have it, or else the most similar key."""
    for each in fields(options):
        mark = part_mark(options, each.name)
        if mark is None:
            continue
        kind = KINDS[mark.kind]
        owners = [name for name in names(mark.kind) if key in _hints(find(mark.kind, name).Options)]
        if owners:
            *most, last = map(repr, sorted(owners, key=lambda name: name not in kind.general))
            choices = f"{', '.join(most)} or {last}" if most else last
            here = table.get(each.name, _default(each))
            return f"it is a key of [{where}] {each.name} = {choices}, but here that is {here!r}"
    return nearest(key, _hints(options))


def _mark(options: type, key: str, kind: type[_Mark]) -> _Mark | None:
    for each in options.__mro__:
        for mark in getattr(_hints(each).get(key), "__metadata__", ()) if is_dataclass(each) else ():
            if isinstance(mark, kind):
                return mark
    return None


def _numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _numbers(each, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _numbers(each, f"{place}[{number}]")
    elif isinstance(value, float):
        yield place, value


def _defaults(base: type) -> Iterator[tuple[str, Any]]:
    """Yield the keys that name parts, with their defaults."""
    for each in fields(base):
        if part_mark(base, each.name) is not None:
            yield each.name, _default(each)


def _default(each: Field[Any]) -> Any:
    return each.default_factory() if each.default_factory is not MISSING else each.default


def _is_optional(options: type, key: str) -> bool:
    """Whether an inner table is ``None`` by default."""
    return any(each.name == key and each.default is None for each in fields(options))


@cache
def _joined(options: tuple[type, ...], inner: tuple[tuple[str, type], ...]) -> type:
    """Return one class that inherits all of these, with other options for some inner tables; cached."""
    own = [each for each in options if not any(other is not each and issubclass(other, each) for other in options)]
    if len(own) == 1 and not inner:
        return own[0]
    made = [(key, each, field(default_factory=each)) for key, each in inner]
    return make_dataclass(options[0].__name__, made, bases=tuple(own), frozen=True)


@cache
def _hints(options: type) -> dict[str, Any]:
    return get_type_hints(options, include_extras=True)


@cache
def _adapter(options: type) -> TypeAdapter[Any]:
    return TypeAdapter(options)
