"""Rank the archs of a run from Python."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from duonas.api.progress import watching
from duonas.core.progress import StageProgress
from duonas.ranking.rank import rank as rank_archs


def rank(
    run: str | PathLike[str],
    archs: int | str | Path = 1000,
    *,
    progress: StageProgress | bool | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Evaluate subnets of a run's trained supernet, and compare them with networks trained from scratch.

    Args:
        run: a run whose supernet is trained.
        archs: how many archs to draw, ``"all"``, or a file with an arch on each line.
        progress: as in ``run``.
        options: ``table``, ``split``, ``role``, ``seed`` and others of ``duonas.ranking.rank.rank``.

    Returns:
        The content of ``ranking.json``.

    Raises:
        DuonasError: the folder is not a run with a trained supernet, or an option is wrong.
    """
    return rank_archs(Path(run), archs, progress=watching(progress), **options)
