"""Descriptions of the keys of a recipe: allowed values, defaults and help."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

from duonas.core.registry import names
from duonas.core.units import ByName, Either
from duonas.recipe.tables import borrowed_tables, inner_tables, part_mark
from duonas.runtime.units import SHARE, Quantity

WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false", Any: "anything"}
BOUNDS = {Ge: ("ge", "at least"), Gt: ("gt", "above"), Le: ("le", "at most"), Lt: ("lt", "below")}


@dataclass(frozen=True)
class Key:
    """A key of a table.

    Args:
        name: name of the key, with its inner table, such as ``loss.alpha``.
        value: allowed values, in words.
        default: default as TOML, or in words.
        help: meaning of the key.
    """

    name: str
    value: str
    default: str
    help: str


def keys(options: type, besides: type | None = None) -> Iterator[Key]:
    """Yield the keys of options, including those of inner tables.

    Args:
        options: a dataclass whose fields are followed by docstrings.
        besides: options whose keys are omitted.
    """
    known = {each.name for each in fields(besides)} if besides else set()
    for each in fields(options):
        if each.name not in known:
            yield from _keys(options, each)


def helps(options: type) -> dict[str, str]:
    """Return the docstring of each field, in one line, by the field's name."""
    found: dict[str, str] = {}
    for each in reversed(options.__mro__):
        if is_dataclass(each):
            (definition,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
            assert isinstance(definition, ast.ClassDef)
            for before, after in zip(definition.body, definition.body[1:], strict=False):
                if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr):
                    assert isinstance(before.target, ast.Name) and isinstance(after.value, ast.Constant)
                    found[before.target.id] = " ".join(str(after.value.value).split())
    return found


def _keys(options: type, each: Field[Any]) -> Iterator[Key]:
    inner, about = inner_tables(options).get(each.name), helps(options).get(each.name, "")
    borrowed = borrowed_tables(options).get(each.name)
    if borrowed is not None:
        yield Key(each.name, f"table with the keys of `[{borrowed}]`", _default(each), about)
    elif inner is None:
        mark = part_mark(options, each.name)
        hint = get_type_hints(options, include_extras=True)[each.name]
        value = _kind(hint) if mark is None else _parts(mark.kind, mark.beside, hint)
        yield Key(each.name, value, _default(each), about)
    else:
        for key in keys(inner):
            yield Key(f"{each.name}.{key.name}", key.value, key.default, key.help)


def _parts(kind: str, beside: tuple[str, ...], hint: Any) -> str:
    if get_origin(_bare(hint)) is tuple:
        return "list of file.py:CLASS"
    return ", ".join(f"`{_toml(name)}`" for name in (*names(kind), *beside)) + " or file.py:CLASS"


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _default(field: Field[Any]) -> str:
    if field.default is field.default_factory is MISSING:
        return "must be given"
    value = field.default_factory() if field.default_factory is not MISSING else field.default
    if value is None:
        return "not set"
    return "empty" if value == {} else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _kind(hint: Any) -> str:
    """Return a type in words: its choices, or its name and bounds."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated and any(isinstance(mark, Either) for mark in arguments[1:]):
        examples = ", ".join(f'`"{example}"`' for example in _examples(arguments[1:]))
        return f"number above 0 or text such as {examples}"
    if origin is Annotated:
        texts = [f'or text such as `"{example}"`' for example in _examples(arguments[1:])]
        return " ".join([_kind(arguments[0]), *filter(None, [", ".join(_bounds(arguments[1:]))]), *texts])
    if origin is Literal:
        return ", ".join(f"`{_toml(choice)}`" for choice in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(choice) for choice in arguments if choice is not type(None))
    if origin in (list, tuple):
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return f"table of {_kind(arguments[1])}"
    if is_dataclass(hint):
        return "texts or tables"
    return WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def _examples(marks: tuple[Any, ...]) -> Iterator[str]:
    for mark in marks:
        if isinstance(mark, Quantity) and mark is not SHARE:  # the page says it once for all of these
            yield mark.example.rpartition(" ")[2]
        elif isinstance(mark, ByName):
            yield "2ms"
        elif isinstance(mark, Either):
            yield from _examples(mark.quantities)


def _bounds(marks: tuple[Any, ...]) -> Iterator[str]:
    for mark in marks:
        for kind, (attribute, words) in BOUNDS.items():
            if isinstance(mark, kind):
                yield f"{words} {getattr(mark, attribute):g}"
