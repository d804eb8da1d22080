"""Plug-ins: parts that the user wrote, named ``path/to/file.py:NAME``."""

from __future__ import annotations

import hashlib
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from duonas.core.errors import DuonasError, nearest


def is_plugin(name: str) -> bool:
    """Whether a name has the form ``path/to/file.py:NAME``."""
    return ".py:" in name


def plugin_hash(name: str) -> str:
    """The SHA-256, in hex, of the file that defines a plug-in.

    Raises:
        DuonasError: the file cannot be read.
    """
    return hashlib.sha256(plugin_source(name.rpartition(":")[0])).hexdigest()


def plugin_source(path: str) -> bytes:
    """Read a plug-in's file.

    Raises:
        DuonasError: the file does not exist or cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise DuonasError(f"there is no file {path}.") from error
    except (OSError, ValueError) as error:  # ValueError: the path has a null byte
        raise DuonasError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def load_plugin(name: str, key: str) -> Any:
    """Load the object ``path/to/file.py:NAME``; the file is run again only when it has changed.

    The module is named by the path, so that ``__module__`` of its classes says where they come from.

    Args:
        name: with a path relative to the current directory.
        key: the recipe's key that gives the name, such as ``[space] name``, for messages.

    Raises:
        DuonasError: the file does not exist, cannot be loaded, or does not define the name.
    """
    path, _, attribute = name.rpartition(":")
    try:
        module = _module(path, plugin_source(path))
    except DuonasError as error:
        raise DuonasError(f"{key} {name}: {error}") from error
    if not hasattr(module, attribute):
        there = [each for each in vars(module) if not each.startswith("_")]
        raise DuonasError(f"{path} does not define {attribute!r}: {nearest(attribute, there)}.")
    return getattr(module, attribute)


@lru_cache(maxsize=256)
def _module(path: str, source: bytes) -> ModuleType:
    before, module = sys.modules.get(path), ModuleType(path)
    module.__file__ = path
    sys.modules[path] = module  # dataclasses look up their module
    try:
        exec(compile(source, path, "exec"), vars(module))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's file can fail in any way, and may even call sys.exit
        del sys.modules[path]
        if before is not None:
            sys.modules[path] = before
        what = f"{type(error).__name__}: {error}".removesuffix(": ").replace("\n", " ")
        raise DuonasError(f"{path} cannot be loaded: {what}.") from error
    return module
