"""The device table of this machine: measured once for a search space, and remembered."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import duonas
from duonas.core.errors import DuonasError
from duonas.core.pair import PairSpace
from duonas.core.progress import StageProgress
from duonas.costs.device import copy_table
from duonas.costs.device_table import block_text
from duonas.costs.distinct import distinct_blocks
from duonas.costs.options import HERE, DeviceOptions
from duonas.data.store import DEFAULT_CACHE
from duonas.deploy.device_kit import KitSource
from duonas.pipeline.device import Bench, kit_source, measure_here, settings_of
from duonas.recipe.schema import Recipe
from duonas.runtime import machine
from duonas.runtime.device_kit import Settings
from duonas.runtime.errors import BundleError
from duonas.runtime.session import RUNTIME
from duonas.runtime.timing import clock_for

TABLES = Path(DEFAULT_CACHE, "device-tables")


def table_of_this_machine(recipe: Recipe, pairs: PairSpace, progress: StageProgress, cache: Path | None = None) -> Path:
    """The table of this machine for a recipe: measured now, or before with the same runtime, settings and blocks.

    Args:
        recipe: the recipe.
        pairs: its pairs.
        progress: of measuring.
        cache: the folder of remembered tables; default: that of the user, or a temporary one if it cannot be written.

    Raises:
        DuonasError: this machine cannot be measured so.
    """
    source, settings = kit_source(recipe, pairs), settings_of(recipe)
    folder = _writable(TABLES.expanduser() if cache is None else cache)
    path = folder / f"{key(source, settings)}.parquet"
    with _alone(folder / "measuring.lock", progress):
        if not path.exists():
            with tempfile.TemporaryDirectory(prefix="duonas-table-") as temporary:
                fresh = Path(temporary, "table.parquet")
                try:
                    measure_here(source, Bench(settings), fresh, progress)
                except BundleError as error:  # as of a provider that is not there
                    raise DuonasError(f"[search.device] table = 'here': {error}") from error
                except KeyboardInterrupt:
                    progress.warn("this machine was not measured to the end: the next run measures it from the start.")
                    raise
                copy_table(DeviceOptions(str(fresh)), pairs, path, called=HERE)
    return path


@contextmanager
def _alone(path: Path, progress: StageProgress) -> Iterator[None]:
    """Wait until no other process measures, so that none disturbs another."""
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.warn("another process measures this machine: this one waits for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def key(source: KitSource, settings: Settings) -> str:
    """A name for the table of this machine and runtime, of these settings, blocks and routers."""
    blocks = sorted(block_text(block.key) for block in distinct_blocks(source.pairs))
    facts: Mapping[str, Any] = {
        "duonas": duonas.__version__,
        **machine.describe(),
        "runtime": RUNTIME,
        "settings": asdict(settings),
        "clock": clock_for(settings.threads, settings.provider).kind,
        "opset": source.opset,
        "routers": [router.priced_as for router in source.routers],
        "coupling": source.pairs.coupling,
        "blocks": hashlib.sha256("\n".join(blocks).encode()).hexdigest(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _writable(folder: Path) -> Path:
    """The folder, or a temporary one that lasts as long as the system keeps it, if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    other = Path(tempfile.gettempdir(), f"duonas-device-tables-{os.getpid()}")
    other.mkdir(exist_ok=True)
    return other
