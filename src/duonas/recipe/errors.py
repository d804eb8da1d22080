"""Error messages for values of a recipe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from duonas.core.errors import DuonasError, nearest

if TYPE_CHECKING:
    from pydantic import ValidationError

KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table",
    "dataclass_type": "a table",
    "too_long": "a shorter list",
    "missing": "given",
    "too_short": "a list with at least one value",
}
BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


class Mistake(DuonasError):
    """A mistake in a recipe, with the keys that it concerns, such as ``train.epochs``."""

    def __init__(self, message: str, *keys: str) -> None:
        super().__init__(f"{message.removesuffix('.')}.")
        self.keys = keys


def describe(error: ValidationError, *where: str) -> Mistake:
    """Return the first mistake as ``[TABLE] KEY must be WHAT, got VALUE``; ``where`` is the table, if any."""
    first = error.errors(include_url=False)[0]
    location = (*where, *first["loc"])
    place, given = _place(location), first["input"]
    key = ".".join(each for each in location if isinstance(each, str))
    if first["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        return Mistake(f"{place} has no choice {given!r}: {nearest(str(given), allowed)}", key)
    context = first.get("ctx", {})
    expected = _expected(first["type"], context, first["msg"])
    return Mistake(f"{place} must be {expected}, got {given!r}{_percent(first['type'], context, given)}", key)


def _percent(kind: str, context: dict[str, Any], given: Any) -> str:
    """Return a hint for a share that was given in percent."""
    above_one = kind in ("less_than", "less_than_equal") and list(context.values()) == [1] and 2 < given <= 100
    return f" (for {given:g} percent, write {given / 100:g} or '{given:g}%')" if above_one else ""


def _place(location: tuple[str | int, ...]) -> str:
    """Format a location as ``[search] constraints.params``, ``[space] axes.kernel[0]`` or ``seed``."""
    table, *keys = location
    if not keys:
        return str(table)
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return f"[{table}] {path.removeprefix('.')}"


def _expected(kind: str, context: dict[str, Any], message: str) -> str:
    if kind in KINDS:
        return KINDS[kind]
    if kind in BOUNDS:
        name, words = BOUNDS[kind]
        return f"{words} {context[name]:g}"
    return message.removeprefix("Input should be ")
