"""Where a run began and with which files, as its ``stages.json`` says: what its recipe needs to be read again."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import read_object
from duonas.core.plugin import RunParts

STAGES_FILE = "stages.json"
SOURCES, BEGAN_IN = "sources", "began_in"  # keys in it


def began_in(folder: Path) -> dict[str, str]:
    """Return the current directory for ``stages.json``: its path, and that from the run, in case both are moved."""
    here = {"path": os.getcwd()}
    with suppress(ValueError):  # on another drive of Windows
        here["from_run"] = os.path.relpath(here["path"], folder.absolute())
    return here


def run_parts(folder: Path, allowed: Callable[[str], bool] = lambda name: False) -> RunParts:
    """Return the user's own parts that a run knows, and the folders that its relative paths may be relative to.

    Args:
        folder: the run; one that has no ``stages.json`` yet knows no parts.
        allowed: see ``RunParts``.

    Raises:
        DuonasError: ``stages.json`` is damaged.
    """
    path = folder / STAGES_FILE
    stored = read_object(path) if os.path.exists(path) else {}
    sources, began = (_texts(stored.get(key, {})) for key in (SOURCES, BEGAN_IN))
    if sources is None or began is None:
        raise DuonasError(f"{path} is damaged: it does not say how the run began; start a new run with --out.")
    folders = [Path(began["path"])] if "path" in began else []
    folders += [Path(os.path.normpath(folder.absolute() / began["from_run"]))] if "from_run" in began else []
    return RunParts(folder, sources, folders, allowed)


def _texts(value: Any) -> dict[str, str] | None:
    """Return a dictionary of texts; ``None`` for anything else."""
    return value if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()) else None
