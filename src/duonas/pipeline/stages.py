"""The stages of a run, in order. Each reads and writes the run directory, and reads only its own split."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import torch

from duonas.baselines.baseline import find_baseline, measure_baseline
from duonas.core.errors import DuonasError, nearest
from duonas.core.files import as_path, write_json
from duonas.core.progress import Silent, StageProgress
from duonas.core.protocols import Progress, TrainRule
from duonas.core.rng import stream
from duonas.core.tensors import save_tensors
from duonas.costs.calibration import prices_in_words
from duonas.data.batches import evaluation_batches
from duonas.data.distributed import leave
from duonas.data.report import report_data
from duonas.data.splits import Splits
from duonas.deploy.bundle import export_bundle
from duonas.deploy.golden import load_images, save_images
from duonas.measure.energy import route_energy
from duonas.measure.measure import measure as measure_bundle
from duonas.measure.route_latency import time_routes
from duonas.pair.pair import Pair
from duonas.pair.plain import PlainNetwork
from duonas.pipeline.check import check, check_meter
from duonas.pipeline.constraints import constraints_of, prices_of, table_of
from duonas.pipeline.context import Context, cpu_threads
from duonas.pipeline.fitting import Fitting, fit
from duonas.pipeline.inspect import show
from duonas.pipeline.pairs import chosen_router, take_pair, take_plain
from duonas.pipeline.reuse import adopt
from duonas.pipeline.spaces import advice_on_spaces
from duonas.pipeline.unreachable import another
from duonas.recipe.locations import gone
from duonas.recipe.schema import Recipe, check_recipe
from duonas.report.html import write_report
from duonas.routing.gate import find_gate
from duonas.routing.moved import moved
from duonas.routing.policy import Policy
from duonas.routing.route import CalibrationSet, Timed, decide, needs_times, scores
from duonas.routing.route import fit as fit_policy
from duonas.routing.routed import observe
from duonas.routing.threshold import Unreachable
from duonas.rundir.folder import RunFolder
from duonas.rundir.stages import STAGES
from duonas.runtime.energy import GivenPower
from duonas.search.front import Front
from duonas.search.search import search as search_pairs
from duonas.supernet.family import Family
from duonas.training.fabric import build_fabric, one_process
from duonas.training.finetune import JointTraining, SupervisedTraining
from duonas.training.rule import make_rule


def train(context: Context, progress: Progress) -> list[Path]:
    """Train the supernet on the train split."""
    run, options = context.run, context.recipe.train
    rule, fabric = make_rule(context.pairs, options), build_fabric(options)
    path = fit(context, Fitting("train", context.fresh_supernet(), rule, options, run.supernet, fabric), progress)
    leave()  # the rest runs in one process
    return [path, *_save_learned(run, rule)] if run.writes else [path]


def _save_learned(run: RunFolder, rule: TrainRule) -> list[Path]:
    """Save the rule's own weights that later stages or the report read."""
    paths, gate, findings = [], find_gate(rule.weights), rule.findings()
    if gate is not None:
        paths.append(save_tensors(run.gate, gate.state_dict(), {}))
    if findings:
        paths.append(write_json(run.beta, findings))
    return paths


def search(context: Context, progress: Progress) -> list[Path]:
    """Search pairs on the val split."""
    run = context.run
    fitting = context.supernet, context.splits.train, context.splits.val
    try:
        result = search_pairs(
            context.problem, context.evaluator, context.search_options, context.recipe.seed, progress, fitting
        )
    except DuonasError as error:
        raise DuonasError(
            f"{error} The supernet is trained and kept: search it again with other keys of [search], by `duonas run "
            f"{run.recipe_file} --set search.KEY=VALUE --supernet {run.folder} --out OTHER`."
        ) from error
    context.warn(result.front.warning)
    result.save(run.folder)
    run.log("search", step=len(result.trials), hypervolume=result.front.hypervolume)
    if said := prices_in_words(result.front.device):
        run.log("search", prices=said)
    return [run.trials, run.archs, run.front, *([run.device] if run.device.exists() else [])]


def pair(context: Context, progress: Progress) -> list[Path]:
    """Extract the chosen pair from the supernet, as the final pair or as the start of fine-tuning."""
    run = context.run
    front = Front.load(run.front)
    chosen, plain = take_pair(context, front.best.pair), take_plain(context, front)
    shutil.rmtree(run.plain, ignore_errors=True)  # of an earlier search
    progress(1, 1)
    saved = chosen.save(run.pair if chosen.facts.finetune == "none" else run.untuned_pair)
    return [*saved, *(plain.save(run.plain) if plain else ())]


def finetune(context: Context, progress: Progress) -> list[Path]:
    """Fine-tune the chosen pair on the train split: both networks jointly, or each by itself."""
    run, table = context.run, context.recipe.finetune
    options = table.over(context.recipe.train)
    fabric, tuned = one_process(options), Pair.load(run.untuned_pair)
    if table.mode == "independent":
        for role, network in tuned.towers().items():
            rule = SupervisedTraining(network, options if role == "big" else replace(options, dropout=0.0))
            path = run.finetune / role / "weights.safetensors"
            fit(context, Fitting(f"finetune/{role}", network, rule, options, path, fabric), progress)
    else:
        if table.mode == "joint":
            tuned.to(memory_format=torch.channels_last)  # as in the search
        path = run.finetune / "weights.safetensors"
        fit(context, Fitting("finetune", tuned, JointTraining(tuned, options), options, path, fabric), progress)
    context.recalibrate(tuned)
    return tuned.save(run.pair)


def route(context: Context, progress: Progress) -> list[Path]:
    """Fit the router and choose its threshold on the calib split."""
    recipe, chosen = context.recipe, Pair.load(context.run.pair)
    policy, calibration = fit_router(context, chosen)
    timed = time_pair(context, chosen, policy, progress) if needs_times(recipe.route) else None
    try:
        policy = decide(policy, calibration, recipe.route, timed)
    except Unreachable as error:
        raise DuonasError(
            f"{error} The pair is trained and kept: {another(error, recipe.route, context.run.folder, calibration)}, "
            f"then go on with `duonas run {context.run.folder}`."
        ) from error
    for said in doubts(context, policy, calibration):
        context.warn(said)
    progress(1, 1)
    return save_policy(context.run, policy, calibration)


def doubts(context: Context, policy: Policy, calibration: CalibrationSet) -> Iterator[str]:
    """Say what speaks against a threshold: constraints that it does not keep, and a worse point than the search's."""
    yield _unkept(policy)
    if context.run.front.exists():
        best = Front.load(context.run.front).best
        yield moved(policy, calibration, best.little_share, best.accuracy, context.run.folder)


def _unkept(policy: Policy) -> str:
    """Say which constraints of the search the deployed pair does not keep, and by how much; empty if it keeps all."""
    said = "; ".join(each.sentence for each in policy.constraints if not each.kept)
    return said and f"{said}."


def fit_router(context: Context, chosen: Pair) -> tuple[Policy, CalibrationSet]:
    """Fit the router; return a policy without a chosen tau, and the images to choose it on."""
    recipe, run, splits = context.recipe, context.run, context.splits
    calib, router = splits.calib.to(context.device), chosen_router(recipe, run)
    batches = evaluation_batches(calib.pixels, recipe.search.batch_size)
    observed = observe(chosen.to(context.device), router, batches, calib.labels)
    policy, calibration = fit_policy(router, observed, chosen.facts, recipe.seed, splits.hashes)
    constraints = constraints_of(context, policy.router, len(calibration.score))
    if run.writes and recipe.export.stored_images:
        save_images(
            run.stored_images, calib.pixels, scores(policy.router, observed.described), recipe.export.stored_images
        )
    prices = prices_of(context, policy.router)
    return policy, replace(calibration, constraints=constraints, prices=prices, table=table_of(context))


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


def export(context: Context, progress: Progress) -> list[Path]:
    """Write the ONNX files and their policy."""
    run = context.run
    images = load_images(run.stored_images) if run.stored_images.exists() else None
    plain = PlainNetwork.load(run.plain).network if run.plain.exists() else None
    export_bundle(Pair.load(run.pair), Policy.load(run.policy), run.export, context.recipe.export, images, plain)
    progress(1, 1)
    return sorted(run.export.iterdir())


def measure(context: Context, progress: Progress) -> list[Path]:
    """Measure the bundle on the test split."""
    run = context.run
    figures = measure_bundle(
        run.folder,
        Pair.load(run.pair),
        test=context.splits.test,
        options=context.recipe.measure,
        progress=progress,
        plain=PlainNetwork.load(run.plain) if run.plain.exists() else None,
    )
    context.warn(figures["unlike_calib"])
    return [run.measure, run.test_outputs, run.examples]


def baselines(context: Context, progress: Progress) -> list[Path]:
    """Train static networks on the train split, and measure each on the test split."""
    table, splits = context.recipe.baselines, context.splits
    options = table.over(context.recipe.train)
    fabric, test = one_process(options), splits.test.to(context.device)
    results = []
    for name in dict.fromkeys(table.networks):
        rng = stream(context.recipe.seed, "baselines", name)
        network = find_baseline(name).network(splits.num_classes, splits.image_size, splits.mean, splits.std, rng)
        folder = quote(name, safe="")  # the user's own is named by a path, which must not lead out of the run
        path = context.run.baseline_weights / folder / "weights.safetensors"
        rule = SupervisedTraining(network, options)
        fit(context, Fitting(f"baselines/{folder}", network, rule, options, path, fabric), progress)
        context.recalibrate(network)
        results.append(asdict(measure_baseline(name, network, test, options.epochs)))
    found = {"networks": results, "test_images": len(test), "timm": version("timm")}
    return [write_json(context.run.baselines, found)]


def report(context: Context, progress: Progress) -> list[Path]:
    """Write the report of the run."""
    write_report(context.run.folder)
    progress(1, 1)
    return [context.run.report]


SEEING = tuple(stage for stage in STAGES if stage not in ("export", "report"))  # stages that need the images
Stage = Callable[[Context, Progress], list[Path]]
_WORK: dict[str, Stage] = dict(
    zip(STAGES, (train, search, pair, finetune, route, export, measure, baselines, report), strict=True)
)


def run(
    recipe: Recipe,
    folder: Path | str,
    *,
    until: str = "report",
    supernet: Path | str | None = None,
    progress: StageProgress | None = None,
    family: type[Family] | None = None,
    splits: Splits | None = None,
) -> Path:
    """Run every unfinished stage up to ``until``, and return the run directory.

    Args:
        recipe: the recipe; see ``load_recipe``.
        folder: the run directory; created, or resumed if it has the same recipe.
        until: the last stage to run.
        supernet: another run directory whose trained supernet is used instead of training one.
        progress: progress of every stage; silent by default.
        family: kind of network, if not the recipe's.
        splits: the recipe's images, if they are loaded already.

    Raises:
        DuonasError: the recipe, the data or the run directory cannot be used.
    """
    check_recipe(recipe)
    if until not in STAGES:
        raise DuonasError(f"no stage {until!r}: {nearest(str(until), STAGES)}.")
    watch = progress or Silent()
    with RunFolder.open(folder, recipe) as opened, cpu_threads(recipe.threads):
        context = Context(recipe, opened, family, splits, watch)
        stages = _wanted(until, opened, supernet)
        needs_images = any(name in SEEING and _is_open(name, opened) for name in stages) or not gone(recipe)
        try:
            if needs_images:
                check(context)
            if supernet is not None and opened.writes and not opened.is_done("train"):
                adopt(context, as_path(supernet, "supernet"))
        except DuonasError:
            opened.forget_if_new()
            raise
        if needs_images and opened.writes and not opened.data.exists():
            found = report_data(context.splits.inspected, balanced=recipe.train.balanced)
            write_json(opened.data, found.to_json())
            context.warn(advice_on_spaces(recipe, context.family, context.splits))
            if said := prices_in_words(context.prices.origin()):
                watch.note(said)
            if splits is None:  # else the caller has shown them
                show(found, watch)
        for name in stages:
            _do(name, context, watch)
    return Path(folder)


def _wanted(until: str, run: RunFolder, supernet: Path | str | None) -> tuple[str, ...]:
    """Return the stages of this process; further processes of torchrun only train."""
    if not run.writes:
        return ("train",) if supernet is None else ()
    return STAGES[: STAGES.index(until) + 1]


def _is_open(stage: str, run: RunFolder) -> bool:
    return is_asked_for(stage, run.recipe) and not run.is_done(stage)


def _do(name: str, context: Context, watch: StageProgress) -> None:
    """Run a stage, unless the recipe does not include it or it is finished."""
    if not is_asked_for(name, context.recipe):
        watch.skip(name, "not in the recipe")
    elif context.run.is_done(name):
        watch.skip(name, "done before")
    else:
        context.run.start(name)
        with watch.stage(name) as progress:
            context.run.finish(name, _WORK[name](context, progress))


def is_asked_for(stage: str, recipe: Recipe) -> bool:
    """Whether the recipe includes a stage; only finetune and baselines are optional."""
    if stage == "finetune":
        return recipe.finetune.mode != "none"
    return stage != "baselines" or bool(recipe.baselines.networks)
