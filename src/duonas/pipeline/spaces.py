"""The search spaces of a recipe for its images."""

from __future__ import annotations

from duonas.core.couplings import pair_space
from duonas.core.pair import PairSpace
from duonas.core.registry import adapted
from duonas.data.splits import Splits
from duonas.recipe.schema import Recipe
from duonas.supernet.family import Family, build_space


def pairs_of(recipe: Recipe, family: type[Family], splits: Splits) -> PairSpace:
    """Return the pair space of a recipe for the images of ``splits``."""
    tables = (recipe.space, recipe.pair.little(recipe.space))
    space, little = (build_space(family, table, splits.image_size, splits.num_classes) for table in tables)
    return pair_space(space, recipe.pair.coupling, recipe.pair.splits, little)


def advice_on_spaces(recipe: Recipe, family: type[Family], splits: Splits) -> str:
    """Return advice on the options of big's and little's space for images of this size; empty if there is none."""
    tables = (recipe.space, recipe.pair.little(recipe.space))
    said = (family.advice(adapted(table, family.Options), splits.image_size) for table in tables)
    return " ".join(dict.fromkeys(filter(None, said)))
