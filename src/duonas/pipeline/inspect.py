"""What is known of a recipe's images, before any training."""

from __future__ import annotations

from duonas.core.progress import Silent, StageProgress, lazy_stage
from duonas.data.describe import counts, formats, problems, skipped
from duonas.data.inspect import inspect_data
from duonas.data.report import DataReport, report_data
from duonas.recipe.schema import Recipe, check_recipe


def inspect(recipe: Recipe, *, progress: StageProgress | None = None) -> DataReport:
    """Read and split the images of a recipe, and report what they are and what is wrong with them.

    Errors, for which a run would stop, are in the report; ``print`` it to read it.

    Args:
        recipe: the recipe; see ``load_recipe``.
        progress: progress of decoding; silent by default.

    Raises:
        DuonasError: there is no data set, or it has not two classes.
    """
    check_recipe(recipe)
    with lazy_stage(progress or Silent(), "data") as report:
        inspected, _ = inspect_data(recipe.data, recipe.seed, report)
    return report_data(inspected, balanced=recipe.train.balanced)


def show(found: DataReport, watch: StageProgress) -> None:
    """Show a data report before a run: counts, sizes and skipped files, and a warning for each problem."""
    watch.note("\n".join([*counts(found), *formats(found), *skipped(found.skipped)]))
    for line in problems(found.problems):
        watch.warn(line)
