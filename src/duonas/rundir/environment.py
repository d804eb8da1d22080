"""The versions and hardware that a run is made with, found without importing any of the packages."""

from __future__ import annotations

import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from duonas import __version__
from duonas.runtime import machine

PACKAGES = ("torch", "torchvision", "lightning-fabric", "numpy", "scipy", "scikit-learn", "pymoo", "onnx",
            "onnxruntime")  # fmt: skip


def describe_environment() -> dict[str, Any]:
    """Versions, platform, processor, cores this process may use, GPUs, and the git revision of duonas if it has one."""
    return {
        "duonas": __version__,
        "revision": _revision(Path(__file__).resolve().parent),
        "python": platform.python_version(),
        **{name.replace("-", "_"): _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "cpu": machine.processor_name(),
        "cores": machine.cores(),
        "gpus": _gpus(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _revision(package: Path) -> str | None:
    """The commit of a source checkout, with ``-dirty`` where it was changed; ``None`` for an installed package."""
    if not (package.parents[1] / ".git").exists():
        return None
    command = ["git", "-C", str(package), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def _gpus() -> list[str]:
    """The models of NVIDIA's GPUs as the driver lists them."""
    names = []
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        found = re.search(r"^Model:\s*(.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        names.append(found[1].strip() if found else "unknown")
    return names
