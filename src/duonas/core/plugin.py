"""Plug-ins: parts that the user wrote, named ``path/to/file.py:NAME``."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from duonas.core.errors import DuonasError, nearest


def is_plugin(name: str) -> bool:
    """Whether a name has the form ``path/to/file.py:NAME``."""
    return ".py:" in name


@dataclass(frozen=True)
class RunParts:
    """The user's own parts that a run knows, and where their files may be.

    Args:
        run: the run's folder, for messages.
        hashes: the SHA-256, in hex, of each part's file when the run began, by the part's name.
        folders: where relative paths are looked up, in this order.
        allowed: whether a part may be loaded although the run does not know it, such as one that the user just named.
    """

    run: Path
    hashes: Mapping[str, str]
    folders: Sequence[Path]
    allowed: Callable[[str], bool] = lambda name: False

    def check(self, name: str, source: bytes) -> None:
        """Refuse a part whose file is not the one that the run knows.

        Raises:
            DuonasError: it was edited, or the run does not know it.
        """
        if self.allowed(name):
            return
        hashed = hashlib.sha256(source).hexdigest()
        if name in self.hashes and hashed != self.hashes[name]:
            raise DuonasError(
                f"{name} was edited after {self.run} began, so what is done may not fit it: undo the edit, or start a "
                "new run with --out."
            )
        if hashed not in self.hashes.values():
            raise DuonasError(
                f"{name} is not loaded, since {self.run} did not begin with it: start a new run with --out."
            )


_of_run: ContextVar[RunParts | None] = ContextVar("_of_run", default=None)
_sources: dict[str, LoadedModule] = {}  # of the modules that are loaded, by name
_homes: dict[str, Path] = {}  # folder where a path was found last; it counts between reading and opening a run


@contextmanager
def parts_of_run(parts: RunParts | None) -> Iterator[None]:
    """In this context, load no part of the user's own that the run does not know, and look for the others' files."""
    token = _of_run.set(parts)
    try:
        yield
    finally:
        _of_run.reset(token)


def plugin_hash(name: str) -> str:
    """The SHA-256, in hex, of the file that defines a plug-in.

    Raises:
        DuonasError: the file cannot be read.
    """
    return hashlib.sha256(plugin_source(name)).hexdigest()


def plugin_source(name: str) -> bytes:
    """The bytes of the file that defines a plug-in.

    Raises:
        DuonasError: the file does not exist or cannot be read.
    """
    return _found(name)[1]


def check_plugin(name: str) -> None:
    """Refuse a plug-in that the run which is being read, if any, does not know as it is now.

    Raises:
        DuonasError: it was edited, the run does not know it, or its file is not there.
    """
    parts = _of_run.get()
    if parts is not None:
        parts.check(name, plugin_source(name))


def load_plugin(name: str, key: str) -> Any:
    """Load the object ``path/to/file.py:NAME``; the file is run again only when it has changed.

    The module is named by the path, so that ``__module__`` of its classes says where they come from.

    Args:
        name: with a path relative to the current directory, or to the folder where a run began.
        key: the recipe's key that gives the name, such as ``[space] name``, for messages.

    Raises:
        DuonasError: the file does not exist, cannot be loaded, does not define the name, or is not one that the run
            knows.
    """
    path, _, attribute = name.rpartition(":")
    check_plugin(name)
    try:
        file, source = _found(name)
        module = _module(path, str(file), source)
    except DuonasError as error:
        raise DuonasError(f"{key} {name}: {error}") from error
    if not hasattr(module, attribute):
        there = [each for each in vars(module) if not each.startswith("_")]
        raise DuonasError(f"{path} does not define {attribute!r}: {nearest(attribute, there)}.")
    return getattr(module, attribute)


@dataclass(frozen=True)
class LoadedModule:
    """The file of a plug-in as it was loaded.

    Args:
        path: the name of the module.
        file: where the file was found.
        source: its bytes.
    """

    path: str
    file: str
    source: bytes


def loaded_plugins() -> list[LoadedModule]:
    """The files of all plug-ins that are loaded, in their order, for another process to load as they are here."""
    return [_sources[path] for path in _sources if path in sys.modules]


def load_again(modules: Sequence[LoadedModule]) -> None:
    """Load what ``loaded_plugins`` gave in another process, without reading any file.

    Raises:
        DuonasError: a file cannot be loaded here.
    """
    for module in modules:
        _module(module.path, module.file, module.source)


def blamed(error: BaseException) -> str | None:
    """Where in a plug-in an error comes from, as ``FILE, line N: ERROR``; ``None`` where no plug-in was running."""
    found, trace = None, error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if isinstance(name, str) and name.endswith(".py"):
            found = f"{name}, line {trace.tb_lineno}: {_named(error).removesuffix('.')}."
        trace = trace.tb_next
    return found


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")


def _found(name: str) -> tuple[Path, bytes]:
    """The file of a plug-in and its bytes: the first that has the run's hash, or else the first there is."""
    path, parts, read = Path(name.rpartition(":")[0]), _of_run.get(), []
    folders = [Path(), *(parts.folders if parts is not None else filter(None, [_homes.get(str(path))]))]
    for folder in folders:
        try:
            read.append((folder, (folder / path).read_bytes()))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:  # ValueError: the path has a null byte
            raise DuonasError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not read:
        began = f", which {parts.run} began with in {parts.folders[0]}" if parts and parts.folders else ""
        raise DuonasError(f"there is no file {path}{began}.")
    known = None if parts is None else parts.hashes.get(name)
    folder, source = next((each for each in read if hashlib.sha256(each[1]).hexdigest() == known), read[0])
    _homes[str(path)] = folder.absolute()
    return folder / path, source


@lru_cache(maxsize=256)
def _module(path: str, file: str, source: bytes) -> ModuleType:
    before, module = sys.modules.get(path), ModuleType(path)
    module.__file__ = file
    sys.modules[path] = module  # dataclasses look up their module
    try:
        exec(compile(source, file, "exec"), vars(module))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's file can fail in any way, and may even call sys.exit
        del sys.modules[path]
        if before is not None:
            sys.modules[path] = before
        raise DuonasError(f"{path} cannot be loaded: {_named(error).removesuffix('.')}.") from error
    _sources.pop(path, None)  # so that what was loaded last is last
    _sources[path] = LoadedModule(path, file, source)
    return module
