"""The error of device tables on this machine, for several spaces and numbers of threads.

    python benchmarks/2026-11-30-device-tables/tables.py OUT [--minutes 1.5] [--threads 1 2] [--spaces mobilenet uib]

Each space is measured with each number of threads, by the program that a device kit carries; nothing is trained and
no images are read. ``OUT`` gets the tables, complete and calibrated, and ``tables.md`` with their errors. With the
defaults it takes about five minutes. A table that is in ``OUT`` already is not measured again: what was not measured is
fitted again, and the table calibrated again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from duonas.core.couplings import pair_space
from duonas.core.pair import PairSpace
from duonas.core.registry import find
from duonas.costs.device import complete
from duonas.costs.device_table import DeviceTable, read_device_table
from duonas.deploy.device_kit import KitSource, write_kit
from duonas.deploy.options import ExportOptions
from duonas.routing.routers.confidence import Confidence
from duonas.runtime.device_kit import PROGRAM, Settings

SPACES: dict[str, tuple[str, dict[str, Any], int, int]] = {  # family, options, image size, classes
    "mobilenet": ("mobilenet", {}, 32, 10),
    "uib": ("uib", {}, 32, 10),
    "nasbench201": ("nasbench201", {}, 32, 10),
}
HEAD = ("space", "threads", "blocks measured", "fitted", "error of fitted", "networks", "median", "worst", "tau",
        "factor", "us a block", "busy", "minutes")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=1.5, help="of measuring, for each table")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--spaces", nargs="+", default=list(SPACES), choices=SPACES)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows = [HEAD, ("---",) * len(HEAD)]
    for name in given.spaces:
        pairs = pairs_of(name)
        with tempfile.TemporaryDirectory() as folder:
            kit = Path(folder, "kit")
            write_kit(KitSource(pairs, (Confidence(),), ExportOptions().opset), Settings(given.minutes), kit)
            for threads in given.threads:
                start = time.monotonic()
                path = given.out / f"{name}-{threads}.parquet"
                table = again(path, pairs) if path.exists() else measured(kit, given.minutes, threads, pairs)
                table.write(path)
                rows.append(row(name, threads, table, (time.monotonic() - start) / 60))
                print(*rows[-1], sep=" | ", flush=True)
    text = "".join(f"| {' | '.join(map(str, each))} |\n" for each in rows)
    (given.out / "tables.md").write_text(text)
    print(text)


def pairs_of(name: str) -> PairSpace:
    family, options, size, classes = SPACES[name]
    kind = find("space", family)
    return pair_space(kind.space(kind.Options(**options), size, classes))


def measured(kit: Path, minutes: float, threads: int, pairs: PairSpace) -> DeviceTable:
    """The table of a kit, measured in a process of its own as on a device, complete and calibrated."""
    raw = kit.with_name(f"table-{threads}.csv")
    arguments = ["--minutes", f"{minutes:g}", "--threads", str(threads), "--out", str(raw)]
    subprocess.run([sys.executable, str(kit / PROGRAM), *arguments], check=True)
    return complete(read_device_table(raw, {"latency_ms": "latency_ms"}), pairs, "fit", str(raw))


def again(path: Path, pairs: PairSpace) -> DeviceTable:
    """The table of a file, completed and calibrated anew."""
    table = read_device_table(path, {"latency_ms": "latency_ms"})
    figures = {name: np.where(table.measured, values, np.nan) for name, values in table.figures.items()}
    about = {key: value for key, value in (table.about or {}).items() if key not in ("fitting", "calibration")}
    return complete(replace(table, figures=figures, about=about), pairs, "fit", str(path))


def row(name: str, threads: int, table: DeviceTable, minutes: float) -> tuple[Any, ...]:
    about = table.about or {}
    found, fitting = about.get("calibration") or {}, about.get("fitting") or {}

    def percent(value: float | None) -> str:
        return "-" if value is None else f"{value:.1%}"

    return (name, threads, int(table.measured.sum()), fitting.get("fitted", 0), percent(fitting.get("median")),
            f"{found.get('networks', 0)} + {found.get('checked', 0)}", percent(found.get("median")),
            percent(found.get("worst")), "-" if found.get("tau") is None else f"{found['tau']:.3f}",
            f"{found.get('factor', 1):.3f}", f"{1e3 * found.get('block_ms', 0):.1f}",
            percent((about.get("reference") or {}).get("busy")), f"{minutes:.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
