"""The keys of a part's drawing, read as a dataclass."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from duonas.core.errors import DuonasError, nearest

T = TypeVar("T")


def read_options(kind: type[T], table: Mapping[str, Any], where: str, others: Iterable[str] = ()) -> T:
    """Return the options of a table of TOML.

    Args:
        kind: a dataclass; those in its lists are read in the same way.
        table: the keys and their values.
        where: for messages.
        others: further keys that stand beside these.

    Raises:
        DuonasError: a key is unknown or missing, or a value is wrong.
    """
    _check(kind, table, where, others)
    try:
        # Strict, so that "3" is not accepted as 3; in JSON, where a list may still become a tuple.
        return TypeAdapter(kind).validate_json(json.dumps(table, default=str), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        said = "is missing" if first["type"] == "missing" else f"cannot be {first['input']!r}: {first['msg'].lower()}"
        raise DuonasError(f"{where}: {place} {said}.") from error


def _check(kind: type, table: Mapping[str, Any], where: str, others: Iterable[str]) -> None:
    """Check that all keys are known, also those of tables in lists."""
    hints, names = get_type_hints(kind), [each.name for each in fields(kind)]
    for key, value in table.items():
        if key not in names:
            raise DuonasError(f"{where} has no key {key!r}: {nearest(key, [*names, *others])}.")
        inner = next((each for each in get_args(hints[key]) if is_dataclass(each)), None)
        for number, each in enumerate(value if isinstance(value, list) else [], 1):
            if inner is not None and isinstance(each, Mapping):
                _check(inner, each, f"{where}, number {number} of its {key}", ())  # type: ignore[arg-type]
