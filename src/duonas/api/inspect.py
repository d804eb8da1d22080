"""Look at the images of a recipe from Python."""

from __future__ import annotations

from duonas.api.progress import watching
from duonas.core.progress import StageProgress
from duonas.data.report import DataReport
from duonas.pipeline.inspect import inspect as inspect_images
from duonas.recipe.schema import Recipe


def inspect(recipe: Recipe, *, progress: StageProgress | bool | None = None) -> DataReport:
    """Read and split the images of a recipe, and report what they are and what is wrong with them.

    Problems that a run would stop for are in ``report.errors``, others in ``report.warnings``; ``print(report)`` shows
    all of it, and ``report.to_json()`` is what a run stores as ``data.json``.

    Args:
        recipe: the recipe; see ``load_recipe``.
        progress: as in ``run``.

    Raises:
        DuonasError: there is no data set, or it has not two classes.
    """
    return inspect_images(recipe, progress=watching(progress))
