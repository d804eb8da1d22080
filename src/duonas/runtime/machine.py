"""What this machine is and how it is: name, clock, temperature, and the memory of a process.

Figures that a system does not tell are ``None``.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

ROOT = Path("/")
NAMES = ("proc/device-tree/model", "sys/firmware/devicetree/base/model")  # of boards


def device_name(root: Path = ROOT) -> str:
    """The name of the board, such as ``Raspberry Pi 5 Model B Rev 1.0``, else that of the processor."""
    return next(filter(None, (_text(root / name) for name in NAMES)), None) or processor_name(root)


def processor_name(root: Path = ROOT) -> str:
    """The model of the processor, else its architecture."""
    found = re.search(r"^(?:model name|Hardware)\s*:\s*(.+)$", _text(root / "proc/cpuinfo") or "", re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine() or "unknown"


def system_name() -> str:
    """The operating system and the architecture, such as ``Linux 6.6 aarch64``."""
    return " ".join(filter(None, (platform.system(), platform.release(), platform.machine())))


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe() -> dict[str, str | int]:
    """What this machine is, as tables and results say it: ``device``, ``system`` and ``cores``."""
    return {"device": device_name(), "system": system_name(), "cores": cores()}


def clock_mhz(root: Path = ROOT) -> float | None:
    """The highest present clock of any core in MHz."""
    folders = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    values = [value for path in folders if (value := _number(path)) is not None]
    return max(values) / 1e3 if values else None


def temperature_c(root: Path = ROOT) -> float | None:
    """The highest temperature of any thermal zone in degrees Celsius."""
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    values = [value / 1e3 for path in zones if (value := _number(path)) is not None]
    possible = [value for value in values if -50 < value < 200]  # a sensor that is off says something else
    return max(possible) if possible else None


def resident_bytes(root: Path = ROOT) -> int | None:
    """The memory of this process at present."""
    return _status("VmRSS", root)


def peak_bytes(root: Path = ROOT) -> int | None:
    """The most memory that this process has had."""
    return _status("VmHWM", root) or _peak_by_system()


def _status(key: str, root: Path) -> int | None:
    found = re.search(rf"^{key}:\s*(\d+) kB$", _text(root / "proc/self/status") or "", re.MULTILINE)
    return 1024 * int(found[1]) if found else None


def _peak_by_system() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if platform.system() == "Darwin" else 1024 * most  # in bytes there, in KiB elsewhere


def _number(path: Path) -> float | None:
    try:
        return float(_text(path) or "")
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n") or None
    except OSError:
        return None
