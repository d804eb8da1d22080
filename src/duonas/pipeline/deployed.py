"""The bundle of a run, for what carries or shows it: nothing of the recipe is read, and no part of the user's own."""

from __future__ import annotations

from pathlib import Path

from duonas.core.errors import DuonasError
from duonas.core.files import as_path
from duonas.rundir.paths import RunPaths
from duonas.rundir.stages import StageRecords
from duonas.runtime.files import POLICY


def bundle_of(folder: Path | str) -> Path:
    """The folder of the bundle of a run; an export folder is its own.

    Raises:
        DuonasError: the folder is neither, or the run has no export that fits its threshold.
    """
    run = RunPaths(as_path(folder, "a run's folder"))
    if not run.recipe_file.is_file():
        if (run.folder / POLICY).is_file():
            return run.folder
        raise DuonasError(f"{run.folder} is neither a run nor an export: it holds neither recipe.toml nor {POLICY}.")
    if not StageRecords(run).is_done("export"):
        raise DuonasError(f"{run.folder} has no export yet: finish it first with `duonas export {run.folder}`.")
    return run.export
