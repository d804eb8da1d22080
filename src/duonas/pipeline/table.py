"""The device table of a run, of which the run keeps a copy."""

from __future__ import annotations

from duonas.core.pair import PairSpace
from duonas.core.protocols import CostModel
from duonas.costs.analytic import analytic
from duonas.costs.device import copy_table, cost_model, of_copy
from duonas.costs.options import NONE
from duonas.recipe.schema import Recipe
from duonas.rundir.folder import RunFolder


def priced(recipe: Recipe, pairs: PairSpace, run: RunFolder | None = None) -> CostModel:
    """The cost model of ``[search.device]``.

    A run keeps a copy of its table, so that it goes on with the same prices after the file has changed.

    Args:
        recipe: the recipe.
        pairs: the pairs that the model must know.
        run: the run directory, if there is one.

    Raises:
        DuonasError: the table cannot be used.
    """
    options = recipe.search.device
    if options.table == NONE:
        return analytic
    if run is None or not (run.writes or run.device.exists()):
        return cost_model(options, pairs)
    if not run.device.exists():
        copy_table(options, pairs, run.device)
    return cost_model(of_copy(options, run.device), pairs)
