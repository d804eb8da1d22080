"""What the runtime takes on a device: disk, time to start, memory. Run it where `pip install duonas` was done.

python device.py EXPORT [REPEATS]
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

import numpy as np

PACKAGES = ("duonas", "numpy", "onnxruntime", "protobuf", "flatbuffers", "packaging")
STEPS = """
import json, sys, time

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * {page} / 2**20

seconds, memory = [time.perf_counter()], [resident()]

def note():
    seconds.append(time.perf_counter())
    memory.append(resident())

import numpy as np
note()
import onnxruntime
note()
from duonas import Bundle
note()
bundle = Bundle.load(sys.argv[1], threads=1)
note()
images = np.zeros((1, *bundle.image_shape), np.uint8)
for tau in (float("-inf"), float("inf")):
    bundle.tau = tau
    for _ in range(100):
        bundle.predict(images)
note()
json.dump([[1000 * (b - a) for a, b in zip(seconds, seconds[1:])], memory], sys.stdout)
"""
NAMES = ("Python", "+ numpy", "+ onnxruntime", "+ duonas.Bundle", "+ Bundle.load", "+ 200 images")


def main(export: str, repeats: int = 15) -> None:
    """Print the three tables."""
    import resource

    print(f"{platform.machine()}, Python {platform.python_version()}", end="")
    print("".join(f", {name} {distribution(name).version}" for name in ("numpy", "onnxruntime")))
    for name in PACKAGES:
        print(f"{name:<16} {_size(name) / 2**20:8.1f} MB")
    site = Path(sysconfig.get_paths()["purelib"])
    print(f"{'environment':<16} {sum(_bytes(path) for path in site.rglob('*')) / 2**20:8.1f} MB, with pip")
    code = STEPS.format(page=resource.getpagesize())
    runs = [json.loads(_python("-c", code, export)) for _ in range(repeats)]
    milliseconds = np.array([run[0] for run in runs])
    memory = np.array([run[1] for run in runs])
    print(f"{'':<16} {'ms, median':>12} {'fastest':>9} {'MB then':>9}")
    for number, name in enumerate(NAMES):
        times = milliseconds[:, number - 1] if number else np.zeros(1)
        shown = f"{statistics.median(times):12.1f} {times.min():9.1f}" if number else f"{'':>12} {'':>9}"
        print(f"{name:<16} {shown} {statistics.median(memory[:, number]):9.1f}")


def _size(name: str) -> int:
    found = distribution(name)
    return sum(_bytes(Path(found.locate_file(file))) for file in found.files or ())


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _python(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
