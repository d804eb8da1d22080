"""The page that lists every key of a recipe: ``python -m duonas.reference > docs/recipe.md``."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

from duonas.recipe.schema import TABLES, Recipe, inner_table

INTRODUCTION = """\
# Every key of a recipe

A recipe is a TOML file, one table a stage. What it leaves out has the default below; `--set table.key=value` puts in
another value, and an empty value (`--set route.share=`) takes a key out. `runs/NAME/recipe.toml` is the recipe of a run
with every default written out. Two keys are for the whole run and stand before the tables: `seed` (a whole number,
default 0), since equal recipes make equal runs; and `threads` (a whole number above 0), the CPU threads that torch
computes with in each process (default: as many as it takes itself; [when to give it](training.md#on-a-busy-machine)).

This page is made by `python -m duonas.reference > docs/recipe.md`.
"""
WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false", Any: "anything"}
BOUNDS = {Ge: ("ge", "at least"), Gt: ("gt", "above"), Le: ("le", "at most"), Lt: ("lt", "below")}


def reference() -> str:
    """The page as Markdown."""
    return "\n".join([INTRODUCTION, *map(_table, TABLES)])


def _table(name: str) -> str:
    options: Any = Recipe.model_fields[name].annotation
    about = " ".join((inspect.getdoc(options) or "").split("\n\n")[0].split())
    rows = "\n".join(f"| {' | '.join(row)} |" for row in _rows(options))
    about = about.replace("``", "`")
    return f"## {about}\n\n| key | value | default | |\n|---|---|---|---|\n{rows}\n"


def _rows(options: Any, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    hints, comments = get_type_hints(options, include_extras=True), _comments(options)
    for field in fields(options):
        inner = inner_table(hints[field.name])
        if inner is not None:
            yield from _rows(inner, f"{field.name}.")
        else:
            yield f"`{prefix}{field.name}`", _kind(hints[field.name]), _default(field), comments.get(field.name, "")


def _comments(options: Any) -> dict[str, str]:
    """What stands behind each field in the source."""
    found = re.findall(r"^    (\w+): .*?\s\s# (.*)$", inspect.getsource(options), re.MULTILINE)
    return {name: comment.replace("|", "\\|") for name, comment in found}


def _default(field: Field[Any]) -> str:
    if field.default is field.default_factory is MISSING:
        return "must be given"
    value = field.default_factory() if field.default_factory is not MISSING else field.default
    if value is None:
        return "not set"
    if value == {}:
        return "empty"
    return f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _kind(hint: Any) -> str:
    """A type in words: its choices, or what it is and its bounds."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return " ".join([_kind(arguments[0]), *filter(None, [", ".join(_bounds(arguments[1:]))])])
    if origin is Literal:
        return ", ".join(f"`{_toml(choice)}`" for choice in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(choice) for choice in arguments if choice is not type(None))
    if origin in (list, tuple):
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return f"table of {_kind(arguments[1])}"
    return WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def _bounds(marks: tuple[Any, ...]) -> Iterator[str]:
    for mark in marks:
        for kind, (attribute, words) in BOUNDS.items():
            if isinstance(mark, kind):
                yield f"{words} {getattr(mark, attribute):g}"


if __name__ == "__main__":
    print(reference(), end="")
