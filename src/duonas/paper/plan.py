"""What the missing runs of a table or figure will take on this machine, before any of them begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from duonas.core.progress import StageProgress
from duonas.paper.runs import Finished, Run
from duonas.pipeline.compare import check_study, run_folder
from duonas.pipeline.context import Context, cpu_threads
from duonas.pipeline.plan import expected
from duonas.pipeline.timing import timing_of
from duonas.pipeline.variants import Images
from duonas.recipe.study import Variant
from duonas.rundir.folder import RunFolder
from duonas.runtime import machine

HOUR = 3600.0


@dataclass(frozen=True)
class Cost:
    """What the missing runs of a variant will take.

    Args:
        study: the name of the study.
        variant: that of the variant.
        runs: how many are missing.
        hours: on one core; ``None`` where that is not known: networks that are given are not timed.
        told_by: what it is known by.
    """

    study: str
    variant: str
    runs: int
    hours: float | None
    told_by: str


def plan(done: Mapping[str, Finished], folder: Path, watch: StageProgress) -> list[Cost]:
    """Return what is missing of some studies, variant by variant.

    A variant with finished runs is known by the seconds of their stages times their threads, in which other programs on
    this machine count. Of others some steps are timed, whose results are thrown away; that time is the processor's, so
    other programs hardly count.

    Args:
        done: the studies by name.
        folder: of their runs.
        watch: progress of the timing.

    Raises:
        DuonasError: a study cannot be run.
    """
    return [cost for name, found in done.items() for cost in _of_study(name, found, folder / found.study.name, watch)]


def _of_study(name: str, found: Finished, folder: Path, watch: StageProgress) -> Iterator[Cost]:
    lacking = list(found.lacking())
    images = check_study(found.study, folder, watch) if lacking else None
    for variant, seeds in lacking:
        runs = found.of_variant(variant.name)
        each: float | None
        if runs or images is None:
            each, told_by = mean(map(_taken, runs)), "finished runs"
        else:
            with watch.stage(f"timing {variant.name}") as progress:
                each, told_by = _timed(variant, seeds[0], folder, images, watch), "timed steps"
                progress(1, 1)
        hours = None if each is None else len(seeds) * each / HOUR
        yield Cost(name, variant.name, len(seeds), hours, told_by)


def _taken(run: Run) -> float:
    """The core-seconds of a finished run: those that its stages took by the clock, on each of its threads."""
    threads = run.find("recipe.threads") or run.find("environment.cores") or 1
    return float(run.find("seconds.all")) * int(threads)


def _timed(variant: Variant, seed: int, folder: Path, images: Images, watch: StageProgress) -> float | None:
    """The core-seconds of a run, by steps that are timed."""
    recipe = variant.recipe(seed)
    if recipe.budget.minutes is not None:
        return recipe.budget.minutes * 60 * (recipe.threads or machine.cores())
    if recipe.is_given:
        return None
    run = RunFolder(run_folder(folder, variant.name, seed), recipe)
    context = Context(recipe, run, splits=images(recipe, watch), progress=watch, clock=CLOCK)
    with cpu_threads(recipe.threads):
        timing = timing_of(context)
        found = expected(timing, 0.0, trained=variant.supernet is not None)
        return found.after + sum(part.seconds for part in found.parts.values()) + timing.baselines()


CLOCK: Callable[[], float] = time.process_time


def total(costs: Sequence[Cost]) -> float:
    """The core-hours that are known."""
    return sum(cost.hours or 0.0 for cost in costs)
