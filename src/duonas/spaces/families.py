"""Which families of networks there are, by name; a user's own is named by its file."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from duonas.core.errors import DuonasError, nearest

if TYPE_CHECKING:
    from duonas.spaces.supernet import Family

SHIPPED = {"mobilenet": "duonas.spaces.mobilenet"}


def family(name: str) -> Family:
    """The family of that name, or the one that ``path/to/file.py:NAME`` holds.

    Raises:
        DuonasError: there is none.
    """
    if ":" in name:
        return _from_file(*name.rsplit(":", 1))
    if name not in SHIPPED:
        raise DuonasError(f"no search space {name!r}: {nearest(name, SHIPPED)}, or name your own as file.py:NAME.")
    found: Family = importlib.import_module(SHIPPED[name]).FAMILY
    return found


def _from_file(path: str, name: str) -> Family:
    if not Path(path).is_file():
        raise DuonasError(f"[space] name {path}:{name}: there is no file {path}.")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, name):
        raise DuonasError(
            f"{path} has no {name!r}: {nearest(name, [n for n in vars(module) if not n.startswith('_')])}."
        )
    found: Family = getattr(module, name)
    return found
