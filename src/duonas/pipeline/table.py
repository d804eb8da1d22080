"""The device table of a run, of which the run keeps a copy."""

from __future__ import annotations

from dataclasses import replace

from duonas.core.files import read_object
from duonas.core.pair import PairSpace
from duonas.core.progress import StageProgress
from duonas.core.protocols import CostModel
from duonas.costs.analytic import analytic
from duonas.costs.device import copy_table, cost_model, of_copy
from duonas.costs.options import HERE, NONE
from duonas.pipeline.here import table_of_this_machine
from duonas.recipe.schema import Recipe
from duonas.rundir.folder import RunFolder


def priced(recipe: Recipe, pairs: PairSpace, progress: StageProgress, run: RunFolder | None = None) -> CostModel:
    """The cost model of ``[search.device]``.

    A run keeps a copy of its table, so that it goes on with the same prices after the file or the machine has changed.

    Args:
        recipe: the recipe.
        pairs: the pairs that the model must know.
        progress: of measuring this machine, where the recipe asks for that and it was not done before.
        run: the run directory, if there is one.

    Raises:
        DuonasError: the table cannot be used, or this machine cannot be measured.
    """
    options = recipe.search.device
    if options.table == NONE:
        return analytic
    if run is not None and run.device.exists():
        return cost_model(of_copy(options, run.device), pairs)
    if run is not None and run.front.exists() and read_object(run.front).get("device") is None:
        return analytic  # by which an earlier version searched; a table of now would tell other costs of its pairs
    called = None
    if options.table == HERE:
        called, options = HERE, replace(options, table=str(table_of_this_machine(recipe, pairs, progress)))
    with progress.stage("prices"):  # blocks that were not measured are fitted
        if run is None or not run.writes:
            return cost_model(options, pairs)
        copy_table(options, pairs, run.device, called)
    return cost_model(of_copy(options, run.device), pairs)
