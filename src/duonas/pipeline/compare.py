"""Run a study: every variant with every seed, and one page of results."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import starmap
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import as_path, read_json, write_json
from duonas.core.processes import process_count
from duonas.core.progress import Silent, StageProgress
from duonas.data.report import report_data
from duonas.data.splits import Splits
from duonas.pipeline import stages
from duonas.pipeline.context import read_splits
from duonas.pipeline.inspect import show
from duonas.pipeline.variants import Images, check_variants, is_done
from duonas.recipe.schema import Recipe
from duonas.recipe.study import Study, Variant

FIGURES: dict[str, Callable[[dict[str, Any]], float | None]] = {
    "little": lambda measured: measured["little"]["accuracy"],
    "big": lambda measured: measured["big"]["accuracy"],
    "routed": lambda measured: measured["routed"]["accuracy"],
    "oracle": lambda measured: measured["oracle"]["accuracy"],
    "expected_macs": lambda measured: measured["routed"]["expected_macs"],
    "peak_macs": lambda measured: measured["routed"]["peak_macs"],
    "little_share": lambda measured: measured["routed"]["little_share"],
    "auroc": lambda measured: measured["auroc"],
}


def compare(study: Study, folder: Path | str, progress: StageProgress | None = None) -> Path:
    """Run all runs of a study that are not finished, and write ``NAME.json`` and ``NAME.html``.

    All variants run with one seed before the next seed starts, so that an interrupted study is complete for fewer
    seeds. Each run is in ``folder/VARIANT/seed-N`` and resumes where it was interrupted; studies with common variants
    can share a folder.

    Args:
        study: the study; see ``load_study``.
        folder: the folder of the runs; created if it does not exist.
        progress: progress of every stage; silent by default.

    Returns:
        The path of the page.

    Raises:
        DuonasError: two variants have the same folder, some cannot be run (all are checked before the first is
            trained), or a run fails.
    """
    folder, watch = as_path(folder, "the folder of a study"), progress or Silent()
    images = check_study(study, folder, watch)
    for done, seed in enumerate(study.seeds):
        for variant in sorted(study.variants, key=lambda variant: variant.supernet is not None):
            watch.skip(variant.name, f"seed {seed}")
            _run(study, variant, seed, folder, images, watch)
        _write(study, folder, study.seeds[: done + 1])
    return folder / f"{study.name}.html"


def check_study(study: Study, folder: Path, watch: StageProgress) -> Images:
    """Check what is not finished of a study before anything is run, and return the images that it read, to read once.

    Raises:
        DuonasError: as ``compare``.
    """
    if not isinstance(study, Study):
        raise DuonasError(f"expected a study, got {study!r:.80}: load one with duonas.load_study.")
    if process_count() > 1:
        raise DuonasError("a study runs in one process: start `duonas compare` without torchrun.")
    names = {variant.name: slug(variant.name) for variant in study.variants}
    if unnamed := [name for name, made in names.items() if not made.strip(".")]:
        raise DuonasError(f"variant {unnamed[0]!r} needs a letter or digit in its name, for the name of its folder.")
    if len(set(names.values())) < len(names):
        raise DuonasError(f"two variants would have the same folder: {', '.join(sorted(names.values()))}.")
    images = _Shared()
    check_variants(study, lambda variant, seed: run_folder(folder, variant.name, seed), images.of, watch)
    return images.of


def slug(name: str) -> str:
    """Return the folder name of a variant: lower case, with hyphens for all but letters, digits and dots."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


def run_folder(folder: Path, variant: str, seed: int) -> Path:
    """Return the folder of the run of a variant and seed."""
    return folder / slug(variant) / f"seed-{seed}"


class _Shared:
    """Caches the images of the latest recipe, since the variants of a seed usually have the same."""

    def __init__(self) -> None:
        self._key: Any = None
        self._splits: Splits | None = None

    def of(self, recipe: Recipe, watch: StageProgress) -> Splits:
        key = (recipe.data, recipe.seed)
        if self._splits is None or key != self._key:
            first, self._key, self._splits = self._splits is None, key, read_splits(recipe, watch)
            if first:
                show(report_data(self._splits.inspected, balanced=recipe.train.balanced), watch)
        return self._splits


def _run(study: Study, variant: Variant, seed: int, folder: Path, images: Images, watch: StageProgress) -> None:
    recipe, run = variant.recipe(seed), run_folder(folder, variant.name, seed)
    if is_done(variant, seed, run):
        return
    supernet = None if variant.supernet is None else run_folder(folder, variant.supernet, seed)
    stages.run(recipe, run, until="baselines", supernet=supernet, progress=watch, splits=images(recipe, watch))


def _write(study: Study, folder: Path, seeds: tuple[int, ...]) -> None:
    variants = [_collected(variant, folder, seeds) for variant in study.variants]
    for variant in variants:
        pairs = {name: zip(variant["runs"][name], variants[0]["runs"][name], strict=True) for name in FIGURES}
        variant["over_first"] = {name: _spread(list(starmap(_less, both))) for name, both in pairs.items()}
    about = {"name": study.name, "title": study.title, "conclusion": study.conclusion, "seeds": list(seeds)}
    found = about | {"variants": variants}
    write_json(folder / f"{study.name}.json", found)
    from duonas.report.comparison import write_comparison  # loads Altair

    write_comparison(found, folder / f"{study.name}.html")


def _collected(variant: Variant, folder: Path, seeds: tuple[int, ...]) -> dict[str, Any]:
    measured = [read_json(run_folder(folder, variant.name, seed) / "measure.json") for seed in seeds]
    runs = {name: [figure(each) for each in measured] for name, figure in FIGURES.items()}
    return {"name": variant.name, "runs": runs, "figures": {name: _spread(values) for name, values in runs.items()}}


def _less(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or theirs is None else ours - theirs


def _spread(values: Sequence[float | None]) -> dict[str, float | None]:
    """Return mean and standard deviation over the seeds that have the figure; one seed has no deviation."""
    known = [value for value in values if value is not None]  # AUROC may be undefined
    return {"mean": mean(known) if known else None, "std": stdev(known) if len(known) > 1 else None}
