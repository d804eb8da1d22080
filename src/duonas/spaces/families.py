"""Which families of networks there are, by name; a user's own is named by its file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from duonas.core.errors import DuonasError, nearest

if TYPE_CHECKING:
    from duonas.spaces.supernet import Family

SHIPPED = {"mobilenet": "duonas.spaces.mobilenet", "nasbench201": "duonas.spaces.nasbench201"}


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
    module = _module(path)
    if not hasattr(module, name):
        raise DuonasError(
            f"{path} has no {name!r}: {nearest(name, [n for n in vars(module) if not n.startswith('_')])}."
        )
    found: Family = getattr(module, name)
    return found


def _module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"duonas_own_{Path(path).stem}", path)
    if spec is None or spec.loader is None:
        raise DuonasError(f"{path} is not a Python file: its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their own module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a user's file can fail in any way
        del sys.modules[spec.name]
        raise DuonasError(f"{path} cannot be loaded: {type(error).__name__}: {error}.") from error
    return module
