"""Which families of networks there are, by name; a user's own is named by its file."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from duonas.core.errors import DuonasError, nearest
from duonas.core.own import is_own, load_own

if TYPE_CHECKING:
    from duonas.spaces.supernet import Family

SHIPPED = {
    "mobilenet": "duonas.spaces.mobilenet",
    "nasbench201": "duonas.spaces.nasbench201",
    "uib": "duonas.spaces.uib",
}


def family(name: str) -> Family:
    """The family of that name, or the one that ``path/to/file.py:NAME`` holds.

    Raises:
        DuonasError: there is none.
    """
    if is_own(name):
        own: Family = load_own(name, "[space] name")
        return own
    if name not in SHIPPED:
        raise DuonasError(f"no search space {name!r}: {nearest(name, SHIPPED)}, or name your own as file.py:NAME.")
    found: Family = importlib.import_module(SHIPPED[name]).FAMILY
    return found
