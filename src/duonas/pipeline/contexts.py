"""The context of a recipe: of a search, or of networks that are given."""

from __future__ import annotations

from typing import Any

from duonas.pipeline.context import Context
from duonas.pipeline.given import GivenContext
from duonas.recipe.schema import Recipe
from duonas.rundir.folder import RunFolder


def context_of(recipe: Recipe, run: RunFolder, *arguments: Any, **options: Any) -> Context:
    """Return the context of a recipe; see ``Context`` for the arguments."""
    return (GivenContext if recipe.is_given else Context)(recipe, run, *arguments, **options)
