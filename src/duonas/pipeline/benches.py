"""What devices found out about a run's bundle, brought back and kept in the run."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import read_object, write_json
from duonas.report.bench import read_bench
from duonas.rundir.folder import RunFolder
from duonas.runtime.files import FILE_OF

COMPARED = (FILE_OF["little"], FILE_OF["big"])  # dynamic.onnx notes the threshold, which may have been chosen again


def add_benches(folder: Path, files: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Keep results of ``python -m duonas.runtime bench`` in a run, whose report is then outdated.

    A result of the same name takes the place of an earlier one.

    Args:
        folder: a run with an export.
        files: the results.

    Returns:
        Their paths in the run.

    Raises:
        DuonasError: the run has no export, or a file is none of that bundle's; nothing is changed then.
    """
    run = RunFolder(folder)
    if not (run.export / "policy.json").is_file():
        raise DuonasError(f"{folder} has no export yet: make it first with `duonas export {folder}`.")
    exported = read_object(run.export / "policy.json").get("onnx")
    found = {run.devices / f"{_name(Path(file))}.json": _checked(Path(file), exported) for file in files}
    if len(found) < len(files):
        raise DuonasError("two results of --device have the same name: rename one of them after its device.")
    with RunFolder.open(folder, run.recipe) as opened:
        for path, value in found.items():
            write_json(path, value)
        opened.start("report")
    return list(found)


def _checked(path: Path, exported: Any) -> dict[str, Any]:
    value = read_bench(path)
    theirs, ours = value["bundle"]["onnx"], exported if isinstance(exported, dict) else {}
    if any(theirs.get(name) != ours.get(name) for name in COMPARED):
        raise DuonasError(f"{path} was measured with another bundle than the one that this run exported.")
    return value


def _name(path: Path) -> str:
    return re.sub(r"[^\w.-]", "_", path.stem) or "device"
