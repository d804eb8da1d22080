"""The lock that keeps a second process from writing to the same run."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from duonas.core.errors import DuonasError

NAME = ".lock"


def lock_run(folder: Path) -> FileLock:
    """Lock a run's folder without waiting; the system releases the lock when the process ends, however it ends.

    Raises:
        DuonasError: another process holds the lock, or the folder cannot be written to.
    """
    path = folder / NAME
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
        path.write_text(str(os.getpid()), encoding="utf-8")
    except Timeout as error:
        raise DuonasError(
            f"another process (number {_owner(path)}) is writing to {folder}: wait for it, or give another folder "
            "with --out."
        ) from error
    except OSError as error:
        lock.release()
        raise DuonasError(f"cannot write to {folder}: {error.strerror or error}.") from error
    return lock


def _owner(path: Path) -> str:
    """The process id of the lock's holder; Windows lets nobody else read it."""
    try:
        return path.read_text(encoding="utf-8").strip() or "unknown"
    except OSError:
        return "unknown"
