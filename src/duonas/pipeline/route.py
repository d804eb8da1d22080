"""Fit a pair's router on the calib split and choose its threshold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from duonas.core.errors import DuonasError
from duonas.core.protocols import Progress
from duonas.data.batches import evaluation_batches
from duonas.deploy.bundle import export_bundle
from duonas.deploy.golden import save_images
from duonas.measure.energy import route_energy
from duonas.measure.route_latency import time_routes
from duonas.pair.pair import Pair
from duonas.pipeline.check import check_meter
from duonas.pipeline.constraints import constraints_of, prices_of, table_of
from duonas.pipeline.context import Context
from duonas.pipeline.pairs import chosen_router
from duonas.pipeline.renewal import renewed_accuracy
from duonas.pipeline.unreachable import another
from duonas.recipe.schema import Recipe
from duonas.routing.moved import moved
from duonas.routing.policy import Policy
from duonas.routing.route import CalibrationSet, Timed, decide, scores
from duonas.routing.route import fit as fit_policy
from duonas.routing.routed import observe
from duonas.routing.threshold import Unreachable
from duonas.rundir.folder import RunFolder
from duonas.runtime.energy import GivenPower
from duonas.search.front import Front


def fit_router(context: Context, chosen: Pair, *, for_good: bool = True) -> tuple[Policy, CalibrationSet]:
    """Fit the router; return a policy without a chosen tau, and the images to choose it on.

    Args:
        context: of a run whose search is done.
        chosen: the pair.
        for_good: whether it is the router that is deployed, for whose scores the images of the self-test are kept.
    """
    recipe, run, splits = context.recipe, context.run, context.splits
    calib, router = splits.calib.to(context.device), chosen_router(recipe, run)
    batches = evaluation_batches(calib.pixels, recipe.search.batch_size)
    observed = observe(chosen.to(context.device), router, batches, calib.labels)
    policy, calibration = fit_policy(router, observed, chosen.facts, recipe.seed, splits.hashes)
    constraints = constraints_of(context, policy.router, len(calibration.score))
    if for_good and run.writes and recipe.export.stored_images:
        save_images(
            run.stored_images, calib.pixels, scores(policy.router, observed.described), recipe.export.stored_images
        )
    prices = prices_of(context, policy.router)
    return policy, replace(calibration, constraints=constraints, prices=prices, table=table_of(context))


def choose_threshold(
    context: Context, policy: Policy, calibration: CalibrationSet, timed: Timed | None = None
) -> Policy:
    """Return the policy with the threshold of ``[route]``.

    Raises:
        DuonasError: no threshold meets the target; the message says what is possible.
    """
    options, folder = context.recipe.route, context.run.folder
    try:
        return decide(policy, calibration, options, timed)
    except Unreachable as error:
        raise DuonasError(
            f"{error} The pair is trained and kept: {another(error, options, folder, calibration)}, "
            f"then go on with `duonas run {folder}`."
        ) from error


def doubts(context: Context, policy: Policy, calibration: CalibrationSet) -> Iterator[str]:
    """Say what speaks against a threshold: constraints that it does not keep, and a worse point than the search's."""
    yield _unkept(policy)
    if context.run.front.exists():
        best = Front.load(context.run.front).best
        reached = renewed_accuracy(context.run, best.accuracy)
        yield moved(policy, calibration, best.little_share, reached, context.run.folder)


def _unkept(policy: Policy) -> str:
    """Say which constraints of the search the deployed pair does not keep, and by how much; empty if it keeps all."""
    said = "; ".join(each.sentence for each in policy.constraints if not each.kept)
    return said and f"{said}."


def time_pair(context: Context, chosen: Pair, policy: Policy, progress: Progress) -> Timed:
    """Return the latency of the pair on this machine, and its energy if that is the target, in a temporary export."""
    recipe = context.recipe
    with tempfile.TemporaryDirectory(dir=context.run.folder, prefix=".timed.", suffix=".part") as folder:
        bundle = export_bundle(chosen, policy, Path(folder, "export"), recipe.export)
        return time_bundle(bundle, recipe, before=policy.costs.before, progress=progress)


def time_bundle(bundle: Path, recipe: Recipe, *, before: bool, progress: Progress) -> Timed:
    """Return the latency of an export on this machine, and its energy if that is the target.

    Raises:
        DuonasError: the target is an energy, and there is neither a meter that can be read nor a power.
    """
    meter, options = check_meter(recipe), recipe.measure
    times = time_routes(bundle, before=before, options=options, progress=progress)
    if meter is None:
        return Timed(times)
    watts = meter.watts if isinstance(meter, GivenPower) else None
    return Timed(times, route_energy(bundle, meter, times, options), watts)


def save_policy(run: RunFolder, policy: Policy, calibration: CalibrationSet) -> list[Path]:
    """Write the policy, and the scores that its tau was chosen on; images for the self-test are there already."""
    kept = [run.stored_images] if run.stored_images.exists() else []
    return [calibration.save(run.calib), policy.save(run.policy), *kept]
