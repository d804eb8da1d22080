"""The cost model of a recipe: counted costs, or the device table of ``[search.device]``."""

from __future__ import annotations

from duonas.core.errors import DuonasError
from duonas.core.files import expand
from duonas.core.pair import PairSpace
from duonas.core.protocols import CostModel
from duonas.costs.analytic import analytic
from duonas.costs.block_table import COLUMN, read_block_table
from duonas.costs.network_table import read_network_table
from duonas.costs.options import DeviceOptions
from duonas.costs.table import column_names

OPTION = "[search.device] path"


def cost_model(options: DeviceOptions | None, pairs: PairSpace) -> CostModel:
    """The cost model for a pair space; a table with a column ``block`` is a table of blocks, else of whole networks.

    Args:
        options: the ``[search.device]`` table. Its columns are by default ``latency_ms`` and ``energy_mj`` for a table
            of blocks; for a table of whole networks at least one must be named.
        pairs: the pairs that the model must know.

    Raises:
        DuonasError: the table cannot be read, or lacks archs or blocks of the space.
    """
    if options is None:
        return analytic
    path = expand(options.path, OPTION)
    wanted = {"latency_ms": options.latency, "energy_mj": options.energy}
    columns = {quantity: column for quantity, column in wanted.items() if column is not None}
    there = column_names(path, OPTION)
    if COLUMN in there:
        columns = columns or {name: name for name in wanted if name in there}
    if not columns:
        raise DuonasError("[search.device] needs latency or energy or both: each names a column of the table.")
    if COLUMN not in there:
        return read_network_table(path, options.key, columns, pairs.space)
    table = read_block_table(path, columns)
    table.check(pairs)
    return table
