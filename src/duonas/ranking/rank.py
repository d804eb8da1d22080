"""Evaluate many subnets of a run's supernet, and compare them with networks trained from scratch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from duonas.core.parquet import write_rows
from duonas.core.processes import process_count
from duonas.core.progress import Silent, StageProgress, lazy_stage
from duonas.core.space import SearchSpace
from duonas.costs.analytic import analytic
from duonas.pipeline.context import Context, cpu_threads
from duonas.ranking.angle import Angles
from duonas.ranking.archs import chosen_archs
from duonas.ranking.evaluate import SCHEMA, RankRow, evaluate_archs
from duonas.ranking.predictors import ANGLE, USUAL, predicted, proxies
from duonas.ranking.rank_correlation import noise_ceiling, rank_correlations, regrets
from duonas.ranking.table import PARAMS, Benchmark, RankTable
from duonas.rundir.folder import RunFolder
from duonas.training.fabric import check_accelerator

SPLITS = ("val", "test")
ROLES = ("big", "little")
WITH_TABLE = SCHEMA.append(pyarrow.field("table", pyarrow.float64()))


def rank(
    folder: Path | str,
    archs: int | str | Path = 1000,
    *,
    table: RankTable | None = None,
    split: str = "val",
    role: str = "big",
    seed: int = 0,
    progress: StageProgress | None = None,
) -> dict[str, Any]:
    """Evaluate subnets of a run's trained supernet as they are (paper T, section 4.1), and write ``ranking/``.

    Each subnet is extracted, its batch norms are recalibrated on ``[search] recalibration_images`` images of the train
    split, and it classifies the whole split. Archs that were evaluated before are not evaluated again: an interrupted
    call resumes, and a call for more archs adds to what is there. The littles' ranking goes to ``ranking/little/``. The
    run's report, if there is one, shows the ranking.

    Args:
        folder: a run whose supernet is trained.
        archs: how many archs to draw, ``"all"``, or a file with an arch on each line: a cell's text, or values or
            choices as JSON.
        table: accuracies of networks trained from scratch, and the trivial predictors to compare the ranking with.
        split: ``"val"``, or ``"test"`` as papers do; whatever is then chosen by the result has seen the test images.
        role: ``"big"``, or ``"little"`` where its weights or blocks differ from big's; where the split point is
            searched, littles branch off at the earliest.
        seed: random seed of the draw.
        progress: progress of the evaluation; silent by default.

    Returns:
        The content of ``ranking.json``.

    Raises:
        DuonasError: the folder is not a run with a trained supernet, or split, role, archs or table are wrong; raised
            before any evaluation.
    """
    if process_count() > 1:
        raise DuonasError("archs are ranked in one process: start `duonas rank` without torchrun.")
    _check_choice("split", split, SPLITS)
    _check_choice("role", role, ROLES)
    which = _which(archs)
    benchmark = table.read() if table else None
    recipe, watch = RunFolder(folder).recipe, progress or Silent()
    with RunFolder.open(folder, recipe) as run, cpu_threads(recipe.threads):
        if not run.is_done("train"):
            raise DuonasError(f"{folder} has no trained supernet yet: finish `duonas train {folder}` first.")
        reported = run.is_done("report")
        check_accelerator(recipe.train.accelerator)
        context = Context(recipe, run, progress=progress)
        subnet = _subnets(context.pairs, role)
        space = context.pairs.spaces["little" if role == "little" else "big"]
        chosen = chosen_archs(space, which, seed)
        named = table.predictors if table else USUAL
        with lazy_stage(watch, "predictors") as told:
            untrained = context.untrained if proxies(named) else None
            angles = Angles(context.fresh_supernet().to(context.device), context.supernet) if ANGLE in named else None
            subnets = [subnet(arch) for arch in chosen]
            trivial = predicted(named, context.pairs, subnets, untrained, told, angles)
        theirs = _looked_up(benchmark, space, chosen, watch) if benchmark else None
        evaluator = context.evaluator_on(getattr(context.splits, split), None)
        into = run.ranking if role == "big" else run.ranking / role
        with watch.stage("rank") as stage:
            rows = evaluate_archs(space, chosen, evaluator, into / f"evaluated-{split}.parquet", stage, subnet)
        about = {
            "asked_for": which, "seed": seed, "split": split, "role": role,
            "branches_off_after": subnet(chosen[0]).split, "images": len(evaluator.labels),
            "recalibration_images": min(recipe.search.recalibration_images, len(context.splits.train)),
            "space": space.name, "space_archs": space.size(),
        }  # fmt: skip
        ceiling = noise_ceiling(np.array([row.accuracy for row in rows]), len(evaluator.labels))
        found = about | {"noise_ceiling": ceiling} | summary(rows, trivial, benchmark, theirs)
        _write(into, rows, theirs, found)
        if reported:
            from duonas.report.html import write_report  # loads Altair

            run.start("report")
            run.finish("report", [write_report(run.folder)])
    return found


def summary(
    rows: Sequence[RankRow],
    trivial: Mapping[str, np.ndarray],
    benchmark: Benchmark | None = None,
    theirs: np.ndarray | None = None,
) -> dict[str, Any]:
    """Summarise the evaluated archs: accuracies, rank correlations and top-k regret.

    Args:
        rows: one for each of N archs.
        trivial: (N,) values of each trivial predictor, by name.
        benchmark: the table of networks trained from scratch.
        theirs: (N,) the table's accuracies of these archs.
    """
    accuracy = np.array([row.accuracy for row in rows])
    top = rows[int(accuracy.argmax())]
    found: dict[str, Any] = {
        "archs": len(rows),
        "accuracy": _spread(accuracy) | {"best_arch": top.arch, "best_cell": top.cell},
    }
    if benchmark is None or theirs is None:
        return found | {"table": None, "agreement": rank_correlations(trivial, accuracy), "regret": []}
    whole = np.array(list(benchmark.accuracies.values()))
    agreement = rank_correlations({"accuracy": accuracy} | dict(trivial), theirs)
    return found | {
        "table": {
            "file": benchmark.path.name, "column": benchmark.column, "same_networks": bool(benchmark.params) or None,
            "same": _spread(theirs), "whole": {"archs": len(whole)} | _spread(whole),
        },
        "agreement": agreement, "best_predictor": best_of(agreement),
        "regret": regrets(accuracy, theirs, [row.arch for row in rows], float(whole.max())),
    }  # fmt: skip


def best_of(agreement: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the trivial predictor of the highest absolute tau; ``None`` if none has one.

    Args:
        agreement: rank correlations by name, with that of the supernet as ``accuracy``.
    """
    taus = {name: abs(row["kendall"]) for name, row in agreement.items() if name != "accuracy" and row["kendall"]}
    return max(taus, key=lambda name: taus[name], default=None)


def _looked_up(benchmark: Benchmark, space: SearchSpace, archs: Sequence[Arch], watch: StageProgress) -> np.ndarray:
    """Look up the accuracies (N,) of archs, after checking that the table is one of these networks."""
    texts = _texts(space, archs)
    found = benchmark.of(texts)
    params = {text: analytic(space.blocks(arch)).params for text, arch in zip(texts, archs, strict=True)}
    if not benchmark.check_skeleton(params):
        watch.warn(
            f"whether the networks of {benchmark.path.name} have the channels and cells of this search space is not "
            f"checked: the table has no column {PARAMS!r}."
        )
    return found


def _check_choice(kind: str, name: str, choices: Sequence[str]) -> None:
    if name not in choices:
        raise DuonasError(f"archs cannot be ranked by {kind} {name!r}: {nearest(name, choices)}.")


def _which(archs: int | str | Path) -> int | str:
    text = str(archs)
    which = int(text) if text.lstrip("+-").isdecimal() else text
    if isinstance(which, int) and which < 1:
        raise DuonasError(f"--archs must be a number above 0, 'all' or a file with an arch on each line, got {which}.")
    return which


def _subnets(pairs: PairSpace, role: str) -> Callable[[Arch], Subnet]:
    if role == "big":
        return Subnet
    if "little" not in pairs.roles:
        raise DuonasError(
            "--role little: the pairs of this run are nested, so an arch is the same subnet as little and as big; rank "
            "it without --role."
        )
    return partial(Subnet, role="little", split=pairs.splits[0])


def _texts(space: SearchSpace, archs: Sequence[Arch]) -> list[str]:
    texts = [text for arch in archs if (text := space.text(arch)) is not None]
    if len(texts) < len(archs):
        raise DuonasError(
            f"search space {space.name!r} has no text for its archs, so they cannot be looked up in a table."
        )
    return texts


def _spread(accuracy: np.ndarray) -> dict[str, float]:
    return {"mean": float(accuracy.mean()), "std": float(accuracy.std()), "best": float(accuracy.max())}


def _write(folder: Path, rows: Sequence[RankRow], theirs: np.ndarray | None, found: dict[str, Any]) -> None:
    """Write ``archs.parquet``, and ``ranking.json`` last."""
    if theirs is None:
        write_rows(folder / "archs.parquet", [asdict(row) for row in rows], SCHEMA)
    else:
        both = zip(rows, theirs.tolist(), strict=True)
        write_rows(folder / "archs.parquet", [asdict(row) | {"table": value} for row, value in both], WITH_TABLE)
    write_json(folder / "ranking.json", found)
