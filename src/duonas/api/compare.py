"""Compare the variants of a study from Python."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from duonas.api.progress import watching
from duonas.core.files import as_path
from duonas.core.progress import StageProgress
from duonas.pipeline.compare import compare as compare_all
from duonas.recipe.study import Study


def compare(study: Study, folder: str | PathLike[str], progress: StageProgress | bool | None = None) -> Path:
    """Run all runs of a study that are not finished, and write ``NAME.json`` and ``NAME.html``.

    Each run is in ``folder/VARIANT/seed-N`` and resumes where it was interrupted.

    Args:
        study: the study; see ``load_study``.
        folder: the folder of the runs; created if it does not exist.
        progress: as in ``run``.

    Returns:
        The path of the page.

    Raises:
        DuonasError: two variants have the same folder, or a run fails.
    """
    return compare_all(study, as_path(folder, "the folder of a study"), watching(progress))
