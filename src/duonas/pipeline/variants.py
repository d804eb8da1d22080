"""Check all variants of a study before the first of them is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from duonas.core.errors import DuonasError
from duonas.core.progress import StageProgress
from duonas.data.splits import Splits
from duonas.pipeline.check import check
from duonas.pipeline.context import Context, cpu_threads
from duonas.pipeline.narrow import narrow
from duonas.pipeline.plan import plan_minutes
from duonas.pipeline.reuse import asked_steps, difference
from duonas.pipeline.stages import is_asked_for
from duonas.pipeline.timing import timing_of
from duonas.recipe.locations import first_difference
from duonas.recipe.schema import Recipe
from duonas.recipe.study import Study, Variant, all_mistakes
from duonas.rundir.folder import RunFolder, sources_of

Place = Callable[[Variant, int], Path]  # the folder of the run of a variant and seed
Images = Callable[[Recipe, StageProgress], Splits]


def check_variants(study: Study, place: Place, images: Images, watch: StageProgress) -> None:
    """Check recipe, images, limits, pretrained weights, supernet and minutes of every variant that is not done.

    Args:
        study: the study.
        place: of the runs.
        images: the splits of a recipe.
        watch: progress of what takes a while, such as timing a few steps for ``[budget] minutes``.

    Raises:
        DuonasError: some cannot be run; the message has the first mistake of each.
    """
    waiting = list(_waiting(study, place))
    mistakes = []
    for variant, seed in waiting:
        try:
            _check(study, variant, seed, RunFolder(place(variant, seed), variant.recipe(seed)), images, watch)
        except DuonasError as error:
            mistakes.append(f"variant {variant.name!r}: {error}")
    if mistakes:
        raise DuonasError(all_mistakes("the study cannot be run", mistakes))


def is_done(variant: Variant, seed: int, folder: Path) -> bool:
    """Whether the run of a variant in this folder is measured, with the baselines that it has, and by this recipe."""
    if not (folder / "recipe.toml").is_file():
        return False
    run, recipe = RunFolder(folder), variant.recipe(seed)
    last = [stage for stage in ("measure", "baselines") if is_asked_for(stage, recipe)]
    return all(map(run.is_done, last)) and first_difference(run.recipe, recipe) is None


def _waiting(study: Study, place: Place) -> Iterator[tuple[Variant, int]]:
    """Yield each variant with its first seed that is not done; the other seeds differ in nothing that is checked."""
    for variant in study.variants:
        seeds = (seed for seed in study.seeds if not is_done(variant, seed, place(variant, seed)))
        yield from ((variant, seed) for seed in list(seeds)[:1])


def _check(study: Study, variant: Variant, seed: int, run: RunFolder, images: Images, watch: StageProgress) -> None:
    recipe = run.recipe
    if run.recipe_file.is_file():
        known = RunFolder(run.folder)
        known.check_recipe(recipe)
        known.check_sources(sources_of(recipe))
    context = Context(recipe, run, splits=images(recipe, watch), progress=watch)
    with cpu_threads(recipe.threads):
        check(context)
        if variant.supernet is None:
            context.begin_with_weights()
        else:
            _check_supernet(study.variant(variant.supernet), seed, context)
        if recipe.budget.minutes is not None and not run.plan.exists():
            trained = variant.supernet is not None or run.is_done("train")
            plan_minutes(timing_of(context), 0.0, trained=trained)


def _check_supernet(other: Variant, seed: int, context: Context) -> None:
    """Check that the supernet of another variant is going to fit.

    Raises:
        DuonasError: it is not.
    """
    theirs = other.recipe(seed)
    if theirs.search.narrow:
        theirs = narrow(theirs, splits=context.splits).within(theirs)
    if unlike := difference(theirs, context.recipe):
        raise DuonasError(f"the supernet of {other.name!r} does not fit it, which is trained with another {unlike}.")
    asked, there = (asked_steps(recipe, context.splits) for recipe in (context.recipe, theirs))
    if asked not in (None, there):
        long = f"for {there:,} steps" if there is not None else f"as {theirs.budget.minutes:g} minutes allow"
        raise DuonasError(
            f"the supernet of {other.name!r} is trained {long}, and this variant asks for {asked:,} steps: give both "
            "the same epochs, steps or [budget] minutes."
        )
