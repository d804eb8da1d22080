"""The stages of a run, in order. Each reads and writes the run directory, and reads only its own split."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from duonas.core.errors import DuonasError, nearest
from duonas.core.files import as_path, write_json
from duonas.core.plan import PAIR, SEARCH, SUPERNET, Unit
from duonas.core.progress import Silent, StageProgress
from duonas.core.protocols import Progress, TrainRule
from duonas.core.tensors import save_tensors
from duonas.costs.calibration import prices_in_words
from duonas.data.distributed import leave
from duonas.data.report import report_data
from duonas.data.splits import Splits
from duonas.deploy.bundle import export_bundle
from duonas.deploy.golden import load_images
from duonas.measure.measure import measure as measure_bundle
from duonas.pair.pair import Pair
from duonas.pipeline.baselines import train_baselines
from duonas.pipeline.check import check
from duonas.pipeline.choice import share_of_supernet
from duonas.pipeline.context import Context, cpu_threads
from duonas.pipeline.contexts import context_of
from duonas.pipeline.fitting import Fitting, fit, steps_per_epoch
from duonas.pipeline.given import no_better_than_guessing
from duonas.pipeline.inspect import show
from duonas.pipeline.pairs import take_pair, take_plain
from duonas.pipeline.plain import train_plain
from duonas.pipeline.plan import plan_minutes
from duonas.pipeline.quantize import deployed_pair, deployed_plain, quantize
from duonas.pipeline.renewal import renew
from duonas.pipeline.reuse import adopt
from duonas.pipeline.route import choose_threshold, doubts, fit_router, save_policy, time_pair
from duonas.pipeline.timing import timing_of
from duonas.pipeline.tuning import tunings
from duonas.pipeline.workers import check_workers, evaluating
from duonas.recipe.idle import idle_keys
from duonas.recipe.locations import gone
from duonas.recipe.schema import Recipe, check_recipe
from duonas.routing.gate import find_gate
from duonas.routing.policy import Policy
from duonas.routing.route import needs_times
from duonas.rundir.folder import RunFolder
from duonas.rundir.stages import STAGES
from duonas.search.choice import choose
from duonas.search.front import Front
from duonas.search.options import SearchOptions
from duonas.search.search import SearchResult
from duonas.search.search import search as search_pairs
from duonas.supernet.family import Family
from duonas.training.fabric import build_fabric, one_process
from duonas.training.options import counted
from duonas.training.rule import make_rule


def train(context: Context, progress: Progress) -> list[Path]:
    """Train the supernet on the train split; without epochs, save it as it is before any training."""
    run = context.run
    if not context.recipe.trains_supernet:
        return _save_untrained(context)
    with context.spending(SUPERNET) as planned:
        options = counted(context.training, planned)
        options = options.covering(steps_per_epoch(context.splits, options))
        rule, fabric = make_rule(context.pairs, options), build_fabric(options)
        path = fit(context, Fitting("train", context.fresh_supernet(), rule, options, run.supernet, fabric), progress)
    leave()  # the rest runs in one process
    return [path, *_kept(run), *_save_learned(run, rule)] if run.writes else [path]


def _save_untrained(context: Context) -> list[Path]:
    """Save the fresh supernet, so that all that follows finds one."""
    leave()
    context.note("the supernet is not trained, as [train] epochs = 0")
    run, fresh = context.run, context.fresh_supernet()
    return [save_tensors(run.supernet, fresh.state_dict(), {"steps": 0}), *_kept(run)] if run.writes else []


def _kept(run: RunFolder) -> list[Path]:
    """What the run keeps of the weights that it started from."""
    return [path for path in (run.pretrained, run.start_weights) if path.exists()]


def _save_learned(run: RunFolder, rule: TrainRule) -> list[Path]:
    """Save the rule's own weights that later stages or the report read."""
    paths, gate, findings = [], find_gate(rule.weights), rule.findings()
    if gate is not None:
        paths.append(save_tensors(run.gate, gate.state_dict(), {}))
    if findings:
        paths.append(write_json(run.beta, findings))
    return paths


def search(context: Context, progress: Progress) -> list[Path]:
    """Search pairs on the val split; without a trained supernet, choose one before any accuracy is known."""
    run = context.run
    trained = context.recipe.trains_supernet
    try:
        with context.spending(SEARCH) as planned:
            options = context.search_options
            options = options if planned is None else options.planned(planned)
            find = _evaluated if trained or context.recipe.is_given else _chosen
            result = find(context, options, progress)
    except DuonasError as error:
        if not trained:
            raise
        raise DuonasError(
            f"{error} The supernet is trained and kept: search it again with other keys of [search], by `duonas run "
            f"{run.recipe_file} --set search.KEY=VALUE --supernet {run.folder} --out OTHER`."
        ) from error
    context.warn(result.front.warning)
    context.note(result.front.cheaper)
    result.save(run.folder)
    if not result.front.is_assumed:
        run.log("search", step=len(result.trials), hypervolume=result.front.hypervolume)
    if (untrained := context.untrained) is not None and untrained.effort:
        run.log("search", proxies=untrained.effort)
    if said := prices_in_words(result.front.device):
        run.log("search", prices=said)
    if learned := result.front.strategy:
        run.log("search", strategy=learned)
        context.note(learned.get("said", ""))
    context.warn(no_better_than_guessing(result.archs, context.splits.val) if context.recipe.is_given else "")
    priced_by = [path for path in (run.device, run.given) if path.exists()]
    return [run.trials, run.archs, run.front, *priced_by]


def _evaluated(context: Context, options: SearchOptions, progress: Progress) -> SearchResult:
    """The result of a search that evaluates archs."""
    with evaluating(context) as evaluator:
        watched, seed = _logging_volume(context.run, progress), context.recipe.seed
        return search_pairs(context.problem, evaluator, options, seed, watched, context.fitting, context.untrained)


def _chosen(context: Context, options: SearchOptions, progress: Progress) -> SearchResult:
    """The pair of a supernet that is not trained."""
    return choose(context.problem, options, context.recipe.seed, progress, context.untrained)


def _logging_volume(run: RunFolder, progress: Progress) -> Progress:
    """A progress that logs the hypervolume as the search goes on, so that TensorBoard draws it."""

    def report(done: int, total: int, **figures: float) -> None:
        volume = figures.pop("hypervolume", None)
        if volume is not None:
            run.log("search", step=done, hypervolume_of_trials=volume)
        progress(done, total, **figures)

    return report


def pair(context: Context, progress: Progress) -> list[Path]:
    """Extract the chosen pair from the supernet, as the final pair or as the start of fine-tuning."""
    run = context.run
    front = Front.load(run.front)
    chosen = take_pair(context, front.best.pair)
    own_plain = context.recipe.trains_plain or context.recipe.is_given
    plain = None if own_plain else take_plain(context, front)
    shutil.rmtree(run.plain, ignore_errors=True)  # of an earlier search
    progress(1, 1)
    saved = chosen.save(run.pair if chosen.facts.finetune == "none" else run.untuned_pair)
    return [*saved, *(plain.save(run.plain) if plain else ())]


def finetune(context: Context, progress: Progress) -> list[Path]:
    """Fine-tune the chosen pair on the train split, both networks jointly or each by itself, and renew its figures."""
    run, recipe = context.run, context.recipe
    options = recipe.finetune.over(context.training)
    fabric, tuned = one_process(options), Pair.load(run.untuned_pair)

    def timed() -> tuple[Unit, float]:
        timing, chosen = timing_of(context), Pair.load(run.untuned_pair)
        after = timing.after(chosen, plain=recipe.trains_plain)  # before its weights are spoilt
        return timing.pair(chosen), after

    with context.spending(PAIR, timed) as planned:
        share = Front.load(run.front).best.little_share
        for each in tunings(tuned, recipe, counted(options, planned), share):
            path = run.finetune / each.folder / "weights.safetensors"
            fit(context, Fitting(each.stage, each.network, each.rule, each.options, path, fabric), progress)
    context.recalibrate(tuned)
    return [*tuned.save(run.pair), write_json(run.finetuned, renew(context, tuned))]


def route(context: Context, progress: Progress) -> list[Path]:
    """Fit the router and choose its threshold on the calib split."""
    chosen = deployed_pair(context)
    policy, calibration = fit_router(context, chosen)
    timed = time_pair(context, chosen, policy, progress) if needs_times(context.recipe.route) else None
    policy = choose_threshold(context, policy, calibration, timed)
    for said in doubts(context, policy, calibration):
        context.warn(said)
    progress(1, 1)
    return save_policy(context.run, policy, calibration)


def export(context: Context, progress: Progress) -> list[Path]:
    """Write the ONNX files and their policy."""
    run = context.run
    images = load_images(run.stored_images) if run.stored_images.exists() else None
    plain = deployed_plain(context)
    network = None if plain is None else plain.network
    export_bundle(deployed_pair(context), Policy.load(run.policy), run.export, context.recipe.export, images, network)
    progress(1, 1)
    return sorted(run.export.iterdir())


def measure(context: Context, progress: Progress) -> list[Path]:
    """Measure the bundle on the test split."""
    run = context.run
    figures = measure_bundle(
        run.folder,
        deployed_pair(context),
        test=context.splits.test,
        options=context.recipe.measure,
        progress=progress,
        plain=deployed_plain(context),
        fp32=run.fp32 if context.recipe.export.converts else None,
    )
    context.warn(figures["unlike_calib"])
    return [run.measure, run.test_outputs, run.examples]


def report(context: Context, progress: Progress) -> list[Path]:
    """Write the report of the run."""
    from duonas.report.html import write_report  # loads Altair, which no other stage needs

    write_report(context.run.folder)
    progress(1, 1)
    return [context.run.report]


SEEING = tuple(stage for stage in STAGES if stage not in ("export", "report"))  # stages that need the images
Stage = Callable[[Context, Progress], list[Path]]
_WORK: dict[str, Stage] = dict(
    zip(
        STAGES,
        (train, search, pair, finetune, train_plain, quantize, route, export, measure, train_baselines, report),
        strict=True,
    )
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
        context = context_of(recipe, opened, family, splits, watch)
        stages = _wanted(until, opened, supernet)
        needs_images = any(name in SEEING and _is_open(name, opened) for name in stages) or not gone(recipe)
        try:
            if needs_images:
                check(context)
                check_workers(context)
                for sentence in context.begin_with_weights() if supernet is None else ():
                    context.warn(sentence)
            if supernet is not None and opened.writes and not opened.is_done("train"):
                adopt(context, as_path(supernet, "supernet"))
            if needs_images:
                make_plan(context, watch)
        except DuonasError:
            opened.forget_if_new()
            raise
        if needs_images and opened.writes and not opened.data.exists():
            found = report_data(context.splits.inspected, balanced=recipe.train.balanced)
            write_json(opened.data, found.to_json())
            for sentence in (*context.advice, *idle_keys(recipe)):
                context.warn(sentence)
            if said := prices_in_words(context.prices.origin()):
                watch.note(said)
            if splits is None:  # else the caller has shown them
                show(found, watch)
        for name in stages:
            _do(name, context, watch)
    return Path(folder)


def make_plan(context: Context, watch: StageProgress) -> None:
    """Plan the minutes of a new run, and show the plan; one that was begun keeps its plan."""
    run = context.run
    if context.recipe.budget.minutes is None or run.plan.exists():
        return
    plan = plan_minutes(timing_of(context), context.elapsed, trained=run.is_done("train"))
    if run.writes:
        plan.save(run.plan)
    watch.note(plan.in_words() + share_of_supernet(context.recipe))


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
            context.run.finish(name, _WORK[name](context, context.noting(progress)))


def is_asked_for(stage: str, recipe: Recipe) -> bool:
    """Whether the recipe includes a stage; some are optional, and given networks are not trained."""
    if recipe.is_given and stage in ("train", "finetune", "plain"):
        return False
    if stage == "finetune":
        return recipe.finetune.mode != "none"
    if stage == "plain":
        return recipe.trains_plain
    if stage == "quantize":
        return recipe.export.converts
    return stage != "baselines" or bool(recipe.baselines.networks) or recipe.baselines.ofa_pair
