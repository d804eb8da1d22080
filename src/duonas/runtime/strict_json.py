"""Read JSON that somebody else wrote: keys that stand twice, endless numbers and deep nesting are refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

MOST_VALUES = 3_000_000  # about; each takes some 60 bytes of memory
LONGEST_NUMBER = 300  # digits; a float can have no more, and Python converts no more than 4300


def parse_json(data: bytes) -> Any:
    """Parse JSON in UTF-8.

    Raises:
        ValueError: the text cannot be parsed, has a key that stands twice, a number that JSON does not have or one that
            is too long, or is nested too deeply; or there are too many values.
    """
    if sum(map(data.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES:,} values")
    try:
        return json.loads(
            data.decode("utf-8"), parse_constant=_no_number, parse_int=_integer, object_pairs_hook=_object
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def _integer(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} digits is too large")
    return int(text)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return value
