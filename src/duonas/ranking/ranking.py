"""Evaluate many subnets of a run's supernet, and hold them against networks trained from scratch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from duonas.core.arch import Arch
from duonas.core.errors import DuonasError, nearest
from duonas.core.files import write_json
from duonas.core.pair import PairSpace, Subnet
from duonas.core.progress import Silent, StageProgress
from duonas.pipeline.context import Job, cpu_threads
from duonas.ranking.benchmark import Benchmark, read_benchmark
from duonas.ranking.rank import SCHEMA, RankRow, chosen_archs, evaluate_archs, write_rows
from duonas.ranking.rank_correlation import agreements, regrets
from duonas.report.html import write_report
from duonas.rundir.environment import process_count
from duonas.rundir.run import Run
from duonas.supernet.supernet import Family
from duonas.training.loop import check_accelerator

SPLITS = ("val", "test")
ROLES = ("big", "little")
WITH_TABLE = SCHEMA.append(pyarrow.field("table", pyarrow.float64()))


def rank(
    folder: Path | str,
    archs: int | str | Path = 1000,
    *,
    table: Path | str | None = None,
    column: str | None = None,
    key: str = "arch",
    split: str = "val",
    role: str = "big",
    seed: int = 0,
    progress: StageProgress | None = None,
    family: Family | None = None,
) -> dict[str, Any]:
    """Evaluate subnets of a run's trained supernet as they are (paper T, section 4.1), and write ``ranking/``.

    What littles reach goes to ``ranking/little/``, so that both roles can be ranked.

    Each is extracted, has its batch norms measured on ``[search] recalibration_images`` images of the train split, and
    is asked about the whole split. What was evaluated before is not evaluated again: a killed call goes on by the same
    call, and one for more archs only adds. The run's report, where there is one, shows it.

    Args:
        folder: a run whose supernet is trained.
        archs: how many to draw, ``"all"``, or a file with an arch on each line: a cell's text or choices as JSON.
        table: a Parquet table of networks trained from scratch, a row for each arch.
        column: of the table, with their accuracies.
        key: of the table, with the archs' texts.
        split: ``"val"``, or ``"test"`` as papers do; what is then chosen by the result has seen the test images.
        role: ``"big"``, or ``"little"`` where its weights or blocks are others; where its split is searched, a little
            that branches off as early as it may.
        seed: of the draw.
        progress: told how it goes; silent by default.
        family: a kind of network of one's own, where the recipe does not name it.

    Returns:
        What ``ranking.json`` holds.

    Raises:
        DuonasError: not a run, no trained supernet, no such role, or archs or a table that cannot be used; before any
            evaluation.
    """
    if process_count() > 1:
        raise DuonasError("archs are ranked by one process: start `duonas rank` without torchrun.")
    which, benchmark = asked_for(archs, table, column, key, split, role)
    recipe = Run(folder).recipe
    with Run.open(Path(folder), recipe) as run, cpu_threads(recipe.threads):
        if not run.is_done("train"):
            raise DuonasError(f"{folder} has no trained supernet yet: finish `duonas train {folder}` first.")
        reported = run.is_done("report")
        check_accelerator(recipe.train.accelerator)
        job = Job(recipe, run, family, progress=progress)
        subnet = _subnets(job.pairs, role)
        chosen = chosen_archs(job.space, which, seed)
        theirs = None if benchmark is None else _looked_up(benchmark, job, chosen)
        evaluator = job.evaluator_on(getattr(job.splits, split), None)
        into = run.ranking if role == "big" else run.ranking / role
        with (progress or Silent()).stage("rank") as told:
            rows = evaluate_archs(job.space, chosen, evaluator, into / f"evaluated-{split}.parquet", told, subnet)
        about = {
            "asked_for": which, "seed": seed, "split": split, "role": role,
            "branches_off_after": subnet(chosen[0]).split, "images": len(evaluator.labels),
            "recalibration_images": min(recipe.search.recalibration_images, len(job.splits.train)),
            "space": job.space.name, "space_archs": job.space.size(),
        }  # fmt: skip
        found = about | summary(rows, benchmark, theirs)
        _write(into, rows, theirs, found)
        if reported:
            run.start("report")
            run.finish("report", [write_report(run.folder)])
    return found


def asked_for(
    archs: int | str | Path, table: Path | str | None, column: str | None, key: str, split: str, role: str
) -> tuple[int | str, Benchmark | None]:
    """Which archs, and the table to hold them against: all that can be checked before the run is looked at.

    Raises:
        DuonasError: something cannot be meant.
    """
    if split not in SPLITS:
        raise DuonasError(f"no split {split!r} to rank archs on: {nearest(split, SPLITS)}.")
    if role not in ROLES:
        raise DuonasError(f"no role {role!r} to rank archs in: {nearest(role, ROLES)}.")
    text = str(archs)
    which = int(text) if text.lstrip("+-").isdecimal() else text
    if isinstance(which, int) and which < 1:
        raise DuonasError(f"--archs must be a number above 0, 'all' or a file with an arch on each line, got {which}.")
    if table is None:
        if column is not None:
            raise DuonasError(f"--column {column} needs the table that it is of: give --table FILE.parquet.")
        return which, None
    return which, read_benchmark(Path(table), column, key)


def _subnets(pairs: PairSpace, role: str) -> Callable[[Arch], Subnet]:
    """Where in the supernet archs of a role lie."""
    if role == "big":
        return Subnet
    if "little" not in pairs.roles:
        raise DuonasError(
            "--role little: the pairs of this run are nested, so that an arch is the same subnet as little and as big; "
            "rank it without --role."
        )
    return partial(Subnet, role="little", split=pairs.splits[0])


def summary(rows: Sequence[RankRow], benchmark: Benchmark | None, theirs: np.ndarray | None) -> dict[str, Any]:
    """What there is to say of the evaluated archs.

    Args:
        rows: of each arch.
        benchmark: the table, if any.
        theirs: (N,) its accuracies of these archs.
    """
    accuracy = np.array([row.accuracy for row in rows])
    costs = {name: np.array([getattr(row, name) for row in rows]) for name in ("params", "macs")}
    top = rows[int(accuracy.argmax())]
    found: dict[str, Any] = {
        "archs": len(rows),
        "accuracy": _spread(accuracy) | {"best_arch": top.arch, "best_cell": top.cell},
    }
    if benchmark is None or theirs is None:
        return found | {"table": None, "agreement": agreements(costs, accuracy), "regret": []}
    whole = np.array(list(benchmark.accuracies.values()))
    return found | {
        "table": {
            "file": benchmark.path.name, "column": benchmark.column,
            "same": _spread(theirs), "whole": {"archs": len(whole)} | _spread(whole),
        },
        "agreement": agreements({"accuracy": accuracy} | costs, theirs),
        "regret": regrets(accuracy, theirs, [row.arch for row in rows], float(whole.max())),
    }  # fmt: skip


def _spread(accuracy: np.ndarray) -> dict[str, float]:
    return {"mean": float(accuracy.mean()), "std": float(accuracy.std()), "best": float(accuracy.max())}


def _looked_up(benchmark: Benchmark, job: Job, archs: Sequence[Any]) -> np.ndarray:
    texts = [job.space.text(arch) for arch in archs]
    known = [text for text in texts if text is not None]
    if len(known) < len(texts):
        raise DuonasError(
            f"search space {job.space.name!r} has no text for its archs, so no table can tell them apart."
        )
    return benchmark.of(known)


def _write(folder: Path, rows: Sequence[RankRow], theirs: np.ndarray | None, found: dict[str, Any]) -> None:
    """``archs.parquet``, and last ``ranking.json``."""
    if theirs is None:
        write_rows(folder / "archs.parquet", [asdict(row) for row in rows], SCHEMA)
    else:
        both = zip(rows, theirs.tolist(), strict=True)
        write_rows(folder / "archs.parquet", [asdict(row) | {"table": value} for row, value in both], WITH_TABLE)
    write_json(folder / "ranking.json", found)
