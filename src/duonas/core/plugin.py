"""A user's own part, named by its file: ``path/to/file.py:NAME``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from duonas.core.errors import DuonasError, nearest
from duonas.core.files import checksum


def is_own(name: str) -> bool:
    """Whether a name is that of a user's own part."""
    return ":" in name


def checksum_own(name: str) -> str | None:
    """The SHA-256 of the file of a user's own part, in hex; ``None`` for the name of a shipped one."""
    return checksum(Path(name.rpartition(":")[0])) if is_own(name) else None


def load_own(name: str, key: str) -> Any:
    """What ``path/to/file.py:NAME`` holds; the file is run anew at every call.

    Args:
        name: with a path from the current directory.
        key: where the name was given, such as ``[space] name``.

    Raises:
        DuonasError: there is no such file, it cannot be loaded, or it does not have the name.
    """
    path, _, attribute = name.rpartition(":")
    if not Path(path).is_file():
        raise DuonasError(f"{key} {name}: there is no file {path}.")
    module = _module(path)
    if not hasattr(module, attribute):
        there = [each for each in vars(module) if not each.startswith("_")]
        raise DuonasError(f"{path} has no {attribute!r}: {nearest(attribute, there)}.")
    return getattr(module, attribute)


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
