"""Read what a device found out about a bundle under sustained load."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import read_object
from duonas.runtime.bench import KIND, VERSION
from duonas.runtime.comparison import Time
from duonas.runtime.files import FILE_OF

NEEDED = (  # figures of every window
    "start_s", "seconds", "images", "dropped", "images_per_s", "little_share", "p50_ms", "p95_ms", "p99_ms", "mean_ms",
    "max_ms", "cpu_share",
)  # fmt: skip
OPTIONAL = ("temperature_c", "clock_mhz", "memory_bytes", "energy_mj", "watts")  # null where a device does not tell


def read_bench(path: Path) -> dict[str, Any]:
    """Read a result of ``python -m duonas.runtime bench``.

    Raises:
        DuonasError: it is none, or has no figures.
    """
    value = read_object(path)
    if value.get("kind") != KIND:
        raise DuonasError(f"{path} is not a result of `python -m duonas.runtime bench`.")
    if value.get("version") != VERSION:
        raise DuonasError(f"{path} is of another version of duonas ({value.get('version')!r}, expected {VERSION}).")
    windows, summary = value.get("windows"), value.get("summary")
    if windows == [] or summary == {}:
        raise DuonasError(f"{path} has no figures: it was stopped before its first window ended.")
    parts = [value.get(name) for name in ("machine", "load", "bundle")]
    if not isinstance(windows, list) or not all(isinstance(each, dict) for each in (*windows, summary, *parts)):
        raise DuonasError(f"{path} is damaged: it must have machine, load, bundle, summary and windows.")
    if not isinstance(value["bundle"].get("onnx"), dict):
        raise DuonasError(f"{path} is damaged: it does not say which bundle was measured.")
    if value.get("times") is not None and not _has_times(value["times"]):
        raise DuonasError(f"{path} is damaged: its times must have routing_ms and the networks' times.")
    for row in windows:
        for name in (*NEEDED, *OPTIONAL):
            if not _is_figure(row.get(name), optional=name in OPTIONAL):
                raise DuonasError(f"{path} is damaged: {name} must be a number in every window, got {row.get(name)!r}.")
    return value


def _has_times(found: Any) -> bool:
    """Whether it is what ``duonas.runtime.comparison.compare`` returns."""
    networks = found.get("networks") if isinstance(found, dict) else None
    if not isinstance(networks, dict) or "routed" not in networks or not networks.keys() <= FILE_OF.keys():
        return False
    needed = "little" in networks  # by whose time that of routing is known
    return _is_figure(found.get("routing_ms"), optional=not needed) and all(
        isinstance(time, dict) and set(time) == set(Time._fields) and all(_is_time(each) for each in time.values())
        for time in networks.values()
    )


def _is_time(value: Any) -> bool:
    return _is_figure(value, optional=False) and value > 0


def _is_figure(value: Any, *, optional: bool) -> bool:
    if value is None:
        return optional
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
