"""Rank the archs of a run from Python."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from duonas.api.progress import watching
from duonas.core.files import as_path
from duonas.core.progress import StageProgress
from duonas.ranking.rank import rank as rank_archs
from duonas.ranking.table import RankTable


def rank(
    run: str | PathLike[str],
    archs: int | str | Path = 1000,
    *,
    table: RankTable | None = None,
    split: str = "val",
    role: str = "big",
    seed: int = 0,
    progress: StageProgress | bool | None = None,
) -> dict[str, Any]:
    """Evaluate subnets of a run's trained supernet, and compare them with networks trained from scratch.

    Args:
        run: a run whose supernet is trained.
        archs: how many archs to draw, ``"all"``, or a file with an arch on each line.
        table: accuracies of networks trained from scratch, and the trivial predictors to compare the ranking with.
        split: ``"val"``, or ``"test"`` as papers do; whatever is then chosen by the result has seen the test images.
        role: ``"big"``, or ``"little"`` where its weights or blocks differ from big's.
        seed: random seed of the draw.
        progress: as in ``run``.

    Returns:
        The content of ``ranking.json``.

    Raises:
        DuonasError: the folder is not a run with a trained supernet, or an option is wrong.
    """
    shown = watching(progress)
    return rank_archs(
        as_path(run, "a run's folder"), archs, table=table, split=split, role=role, seed=seed, progress=shown
    )
