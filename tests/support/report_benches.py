"""A result of a device under load, made up for the tests: it becomes hot, and then slower."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from duonas.core.files import write_json
from duonas.runtime.bench import KIND, VERSION

TIMES = {"routed": 0.12, "big": 0.25, "little": 0.06}  # ms of an image
CHECKSUMS = {"little.onnx": "1" * 64, "big.onnx": "2" * 64}


def window(number: int, count: int, *, told: bool) -> dict[str, Any]:
    """A window of 5 s, of which the last third is slow."""
    slow = 1.4 if number > 2 * count / 3 else 1.0
    heat = min(45 + 1.1 * number, 84.0)
    optional = {"temperature_c": heat, "clock_mhz": 2400 / slow, "memory_bytes": 6.1e7 + 2e5 * number,
                "energy_mj": 3.1, "watts": 3.4}  # fmt: skip
    return {
        "start_s": 5.0 * number, "seconds": 5.0, "images": round(5500 / slow), "dropped": 0,
        "images_per_s": 1100 / slow, "little_share": 0.7, "p50_ms": 0.8 * slow, "p95_ms": 1.6 * slow,
        "p99_ms": 2.0 * slow, "mean_ms": 0.9 * slow, "max_ms": 7.0, "cpu_share": 0.98,
    } | (optional if told else dict.fromkeys(optional))  # fmt: skip


def bench(count: int = 60, *, told: bool = True, **changes: Any) -> dict[str, Any]:
    """The content of the file; a machine may tell nothing of its heat, memory and energy."""
    windows = [window(number, count, told=told) for number in range(count)]
    optional = {"temperature_c": 84.0, "memory_bytes": 7.3e7, "memory_growth": 6e6, "energy_mj": 3.1, "watts": 3.4}
    total = {
        "images": 300_000, "seconds": 5.0 * count, "dropped": 0, "images_per_s": 1000.0, "little_share": 0.7,
        "p50_ms": 0.9, "p95_ms": 1.8, "p99_ms": 2.5, "mean_ms": 1.0, "max_ms": 7.0, "drift": 1.4, "cpu_share": 0.98,
    }  # fmt: skip
    return {
        "version": VERSION, "kind": KIND, "date": "2026-11-30 01:00",
        "machine": {"device": "Board <5>", "system": "Linux aarch64", "cores": 4, "runtime": "onnxruntime 1.24",
                    "threads": 1, "spinning": False},
        "load": {"minutes": 5.0, "fps": None, "threads": 1, "spinning": False, "window": 5.0},
        "bundle": {"onnx": dict(CHECKSUMS), "tau": 0.4},
        "energy": {"meter": "powercap", "covers": "package-0"} if told else None,
        "self_test": {"images": 32, "largest_difference": 2e-6, "tolerance": 0.01, "near_tau": 0},
        "times": {
            "little_share": 0.7, "clock": "processor", "routing_ms": 0.002,
            "networks": {role: {"mean": ms, "lower": 0.99 * ms, "upper": 1.01 * ms} for role, ms in TIMES.items()},
        },
        "interrupted": False, "summary": total | (optional if told else dict.fromkeys(optional)), "windows": windows,
    } | changes  # fmt: skip


def write_bench(run: Path, name: str = "board", **options: Any) -> Path:
    """Write the file into a run."""
    return write_json(run / "devices" / f"{name}.json", bench(**options))
