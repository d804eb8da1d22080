"""Sizes in the names of baselines, such as ``msdnet-exits4-channels8``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

from duonas.core.errors import DuonasError, nearest

_Size = TypeVar("_Size")
_PART = re.compile(r"([a-z]+)(\d*)")


def read_size(name: str, parts: Sequence[str], wanted: type[_Size]) -> _Size:
    """Return the size that the parts of a baseline's name give; what they leave out has its default.

    Args:
        name: the whole name, for messages.
        parts: such as ``("exits4", "channels8")``: the name of a field and its whole number, or the name alone of a
            field that is true or false.
        wanted: a frozen dataclass of the size, all of whose fields are whole numbers or bools. It may refuse values
            by a ``ValueError``.

    Raises:
        DuonasError: a part is unknown, comes twice, or has no number where it needs one; or the size is refused.
    """
    known = {each.name: each.default for each in fields(wanted)}  # type: ignore[arg-type]
    found: dict[str, Any] = {}
    for part in parts:
        matched = _PART.fullmatch(part)
        word, number = matched.groups() if matched else (part, "")
        if word not in known:
            raise _refused(name, f"there is no {part!r} in it", nearest(word, known))
        if word in found:
            raise _refused(name, f"it has {word!r} twice", "")
        if isinstance(known[word], bool) == bool(number):
            needs = "takes no number" if number else f"needs a number, such as {word}4"
            raise _refused(name, f"{word!r} {needs}", "")
        found[word] = int(number) if number else True
    try:
        return wanted(**found)
    except ValueError as error:
        raise _refused(name, str(error), "") from error


def _refused(name: str, what: str, hint: str) -> DuonasError:
    return DuonasError(f"[baselines] networks: {name!r}: {what}{': ' if hint else ''}{hint}.")
