"""The processes of a distributed run, read from the environment variables that ``torchrun`` sets."""

from __future__ import annotations

import os


def process_count() -> int:
    """The number of processes that train together; 1 without ``torchrun``."""
    return int(os.environ.get("WORLD_SIZE", local_process_count()))


def local_process_count() -> int:
    """The number of these processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Whether this process has rank 0; only this process writes files."""
    if "RANK" in os.environ:
        return os.environ["RANK"] == "0"
    return os.environ.get("LOCAL_RANK", "0") == "0" and os.environ.get("NODE_RANK", "0") == "0"
