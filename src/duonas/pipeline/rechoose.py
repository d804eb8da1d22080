"""Choose another threshold for a finished pair, without training."""

from __future__ import annotations

from pathlib import Path

from duonas.core.errors import DuonasError
from duonas.core.files import restored
from duonas.core.progress import Silent, StageProgress
from duonas.core.protocols import Progress
from duonas.deploy.bundle import set_threshold
from duonas.pipeline import stages
from duonas.pipeline.check import check_meter
from duonas.pipeline.context import Context, cpu_threads
from duonas.pipeline.contexts import context_of
from duonas.pipeline.quantize import deployed_pair
from duonas.pipeline.route import doubts, fit_router, save_policy, time_bundle, time_pair
from duonas.pipeline.unreachable import another
from duonas.recipe.schema import rechosen
from duonas.routing.options import RouteOptions
from duonas.routing.policy import Policy
from duonas.routing.route import CalibrationSet, Timed, decide, needs_times
from duonas.routing.threshold import Unreachable
from duonas.rundir.folder import RunFolder


def rechoose(folder: Path | str, *, progress: StageProgress | None = None, **target: float | str) -> Path:
    """Choose another threshold for a run's pair, without training, and update recipe, policy and export.

    Stages after the export become outdated; ``duonas report RUN`` repeats them. If the target cannot be met, or the
    disk is full, nothing changes. An interrupted call is resumed by the same call or by ``run``.

    Args:
        folder: a run with a finished pair.
        progress: progress of the stages; silent by default.
        target: one of ``floor``, ``budget`` (MACs), ``share``, ``latency`` (ms) and ``energy`` (mJ), as in ``[route]``;
            optionally ``watts``, ``confidence`` and ``floor_on``. Numbers, or texts with units: ``latency="2ms"``.

    Raises:
        DuonasError: the folder is not a run with a pair, or there is not exactly one target that can be met.
    """
    watch = progress or Silent()
    current = RunFolder(folder).recipe
    recipe = rechosen(current, **target)
    check_meter(recipe)
    with RunFolder.open(folder, current) as run, cpu_threads(recipe.threads):
        _need_pair(run)
        context = context_of(recipe, run, progress=watch)
        routed = run.is_done("route") and run.calib.is_file()
        exported = routed and run.is_done("export")
        with watch.stage("route") as report:
            policy, calibration = _fitted(context, routed)
            timed = _timed(context, policy, exported, report) if needs_times(recipe.route) else None
            policy = _decided(run, policy, calibration, recipe.route, timed)
            for said in doubts(context, policy, calibration):
                context.warn(said)
        with watch.stage("export") as report, restored(_changed(run), run.folder):
            run.change(recipe, "route")
            run.start("route")
            run.finish("route", save_policy(run, policy, calibration))
            run.start("export")
            if exported:
                set_threshold(run.export, policy)
                run.finish("export", sorted(run.export.iterdir()))
            else:
                run.finish("export", stages.export(context, report))
    return Path(folder)


def _decided(
    run: RunFolder, policy: Policy, calibration: CalibrationSet, options: RouteOptions, timed: Timed | None
) -> Policy:
    try:
        return decide(policy, calibration, options, timed)
    except Unreachable as error:
        said = another(error, options, run.folder, calibration)
        raise Unreachable(f"{error} {said[0].upper()}{said[1:]}.", error.possible) from None


def _changed(run: RunFolder) -> tuple[Path, ...]:
    """Return all that choosing a threshold changes: all of it, or none where something cannot be written."""
    return run.recipe_file, run.stages_file, run.policy, run.calib, run.export


def _need_pair(run: RunFolder) -> None:
    for stage in ("pair", "finetune", "quantize"):
        if stages.is_asked_for(stage, run.recipe) and not run.is_done(stage):
            raise DuonasError(f"{run.folder} has no finished pair yet: resume it first with `duonas run {run.folder}`.")


def _fitted(context: Context, routed: bool) -> tuple[Policy, CalibrationSet]:
    if routed:
        return Policy.load(context.run.policy), CalibrationSet.load(context.run.calib)
    return fit_router(context, deployed_pair(context))


def _timed(context: Context, policy: Policy, exported: bool, progress: Progress) -> Timed:
    """Time the pair in its export, or in a temporary one."""
    if not exported:
        return time_pair(context, deployed_pair(context), policy, progress)
    before = policy.costs.before
    return time_bundle(context.run.export, context.recipe, before=before, progress=progress)
