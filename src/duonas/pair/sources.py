"""The source files of the user's own kinds of blocks, which a saved pair lists with their checksums."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import checksum
from duonas.core.plugin import load_plugin
from duonas.pair.build import BLOCKS


def sources_of(kinds: Iterable[str]) -> dict[str, dict[str, str]]:
    """``{kind: {file, name, sha256}}`` of the kinds that duonas does not define."""
    found = {}
    for kind in sorted(kinds):
        builder: Any = BLOCKS[kind]
        if not builder.__module__.startswith("duonas."):
            file = Path(inspect.getfile(builder)).resolve()
            found[kind] = {"file": str(file), "name": builder.__name__, "sha256": checksum(file)}
    return found


def check_sources(sources: Mapping[str, Mapping[str, str]]) -> None:
    """Register the kinds of blocks of a saved pair from their source files.

    Raises:
        DuonasError: a file is missing, has changed, or does not register the kind.
    """
    for kind, source in sources.items():
        file = Path(source["file"])
        if not file.is_file():
            raise DuonasError(f"its blocks of kind {kind!r} come from {file}, which does not exist.")
        if checksum(file) != source["sha256"]:
            raise DuonasError(
                f"its blocks of kind {kind!r} come from {file}, which has changed since: restore its old content."
            )
        if kind not in BLOCKS:
            load_plugin(f"{file}:{source['name']}", f"block kind {kind!r} of")
        if kind not in BLOCKS:
            raise DuonasError(f"its blocks of kind {kind!r} come from {file}, which does not register that kind.")
